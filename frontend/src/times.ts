/** Times in the page's zone: the server writes UTC, and every <time> that appears is rewritten. */
import { age } from "./format";
import { zone } from "./zone";

const time: Intl.DateTimeFormatOptions = {
  timeZone: zone,
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
};
const day: Intl.DateTimeFormatOptions = { timeZone: zone, day: "numeric", month: "short" };

const clock = new Intl.DateTimeFormat("en-GB", { ...time, fractionalSecondDigits: 3 });
const precise = new Intl.DateTimeFormat("en-GB", {
  ...time, ...day, year: "numeric", fractionalSecondDigits: 3,
});
const step = new Intl.DateTimeFormat("en-GB", { ...time, ...day });
const moment = new Intl.DateTimeFormat("en-GB", {
  ...day,
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const dated = new Intl.DateTimeFormat("en-GB", { ...day, year: "numeric" });
const exact = new Intl.DateTimeFormat("en-GB", {
  timeZone: zone,
  dateStyle: "full",
  timeStyle: "long",
  hourCycle: "h23",
});

/** From here on an age says less than a date. */
const WORDS_UNTIL_S = 86_400;

/** The text of a <time> with this format, at a moment (milliseconds since the epoch). */
export function timeText(format: string, date: Date, now: number): string {
  const seconds = (now - date.getTime()) / 1_000;
  if (format === "ago" && seconds < WORDS_UNTIL_S) return `${age(seconds)} ago`;
  if (format === "ago" || format === "moment") return moment.format(date).replace(",", "");
  if (format === "date") return dated.format(date);
  if (format === "exact") return precise.format(date).replace(",", "");
  if (format === "step") return step.format(date).replace(",", "");
  return clock.format(date);
}

/** Rewrite every time and zone name under a root. */
export function showTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-format]")) {
    const date = new Date(element.dateTime);
    element.textContent = timeText(element.dataset.format ?? "clock", date, Date.now());
    element.title = exact.format(date);
  }
  for (const element of root.querySelectorAll("[data-zone]")) element.textContent = zone;
}

/** Now, after every swap of htmx, and each second for those that say how long ago. */
export function keepTimes(root: Document): void {
  showTimes(root);
  root.addEventListener("htmx:afterSwap", () => { showTimes(root); });
  setInterval(() => {
    for (const element of root.querySelectorAll<HTMLTimeElement>('time[data-format="ago"]')) {
      element.textContent = timeText("ago", new Date(element.dateTime), Date.now());
    }
  }, 1_000);
}
