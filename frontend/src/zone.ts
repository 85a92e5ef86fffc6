/** The zone of a page's times: the project's where it has one, else the person's. */

export const zone = projectZone() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What the page says; null where it says nothing, or a zone that this browser does not know. */
function projectZone(): string | null {
  const named = document.documentElement.dataset.timeZone;
  if (named === undefined) return null;
  try {
    Intl.DateTimeFormat("en-GB", { timeZone: named });
    return named; // as the project calls it: browsers have other names for some zones
  } catch {
    return null;
  }
}

/** The value of a datetime-local input, in a zone. */
export function toLocal(date: Date, timeZone = zone): string {
  const text = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    dateStyle: "short",
    timeStyle: "medium",
  }).format(date);
  return text.replace(" ", "T");
}

/** The instant of a datetime-local input's value. An hour that the clocks skip is the one after. */
export function fromLocal(value: string, timeZone = zone): Date {
  const wall = Date.parse(`${value}Z`);
  const ahead = (instant: number): number =>
    Date.parse(`${toLocal(new Date(instant), timeZone)}Z`) - Math.floor(instant / 1_000) * 1_000;
  return new Date(wall - ahead(wall - ahead(wall)));
}
