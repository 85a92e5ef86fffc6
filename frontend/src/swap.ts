/** Live fragments into the page without moving anything that a person points at. */
import { Idiomorph } from "idiomorph";
import { showTimes } from "./times";

/** Keep an open menu or table open: the server does not know what a person has opened. */
function beforeAttributeUpdated(name: string, node: Element): boolean {
  return !(name === "open" && node instanceof HTMLDetailsElement);
}

/** Whether a person is busy with an element, by pointer or keyboard. */
export function busy(element: Element): boolean {
  return element.matches(":hover") || element.querySelector(":focus-visible") !== null;
}

/**
 * Rows of the fragment in the order they have on the page, new ones last: while a person points at
 * a table its values change, but no row moves away from under the pointer.
 */
export function keepOrder(current: Element, next: Element): void {
  const body = next.querySelector("tbody");
  if (body === null) return;
  const rows = new Map([...body.children].map((row) => [row.id, row]));
  const kept = [...current.querySelectorAll("tbody > tr")]
    .map((row) => rows.get(row.id))
    .filter((row) => row !== undefined);
  body.prepend(...kept);
}

/** Rows that were not there before say so: the style sheet lets them come in. */
export function markArrivals(current: Element, next: Element): void {
  const known = new Set([...current.querySelectorAll("tbody > tr")].map((row) => row.id));
  if (known.size === 0) return;
  for (const row of next.querySelectorAll("tbody > tr")) {
    row.classList.toggle("arrived", !known.has(row.id));
  }
}

/** Replace an element's content by that of its fragment. Says whether it did. */
export function swap(current: HTMLElement, html: string): boolean {
  const template = document.createElement("template");
  template.innerHTML = html;
  const next = template.content.firstElementChild;
  if (next === null) return false;
  if (busy(current)) {
    if (current.dataset.hold === "all") return false;
    if (current.dataset.hold === "order") keepOrder(current, next);
  }
  showTimes(template.content);
  if (current.dataset.arrive !== undefined) markArrivals(current, next);
  Idiomorph.morph(current, next, { callbacks: { beforeAttributeUpdated } });
  return true;
}
