import { beforeEach, expect, test, vi } from "vitest";
import { swap } from "../src/swap";

const rows = (...ids: string[]): string =>
  ids.map((id) => `<tr id="${id}"><td>${id}</td></tr>`).join("");
const table = (hold: string, ...ids: string[]): string =>
  `<section id="panel-x" data-live data-hold="${hold}"><table><tbody>${rows(...ids)}</tbody></table></section>`;

function show(html: string): HTMLElement {
  document.body.innerHTML = html;
  const panel = document.querySelector<HTMLElement>("#panel-x");
  if (panel === null) throw new Error("no panel");
  return panel;
}

const order = (): string[] => [...document.querySelectorAll("tbody tr")].map((row) => row.id);
const point = (panel: HTMLElement, there: boolean): void => {
  vi.spyOn(panel, "matches").mockImplementation((selector) => there && selector === ":hover");
};

beforeEach(() => { document.body.innerHTML = ""; });

test("a fragment takes the place of the panel's content, row by row", () => {
  const panel = show(table("order", "a", "b"));
  const kept = document.getElementById("b");
  point(panel, false);
  expect(swap(panel, table("order", "b", "c", "a"))).toBe(true);
  expect(order()).toEqual(["b", "c", "a"]);
  expect(document.getElementById("b")).toBe(kept);
});

test("rows keep their places under the pointer, new ones come last", () => {
  const panel = show(table("order", "a", "b"));
  point(panel, true);
  expect(swap(panel, table("order", "c", "b", "a"))).toBe(true);
  expect(order()).toEqual(["a", "b", "c"]);
});

test("a panel that holds all waits until the pointer is gone", () => {
  const panel = show(table("all", "a"));
  point(panel, true);
  expect(swap(panel, table("all", "b"))).toBe(false);
  expect(order()).toEqual(["a"]);
  point(panel, false);
  expect(swap(panel, table("all", "b"))).toBe(true);
  expect(order()).toEqual(["b"]);
});

test("an open menu stays open", () => {
  const panel = show('<details id="panel-x" data-live open><summary>1</summary></details>');
  swap(panel, '<details id="panel-x" data-live><summary>2</summary></details>');
  expect(panel.hasAttribute("open")).toBe(true);
  expect(panel.textContent).toBe("2");
});
