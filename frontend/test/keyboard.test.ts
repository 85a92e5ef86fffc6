import { beforeEach, expect, test, vi } from "vitest";
import { action, listenToKeys } from "../src/keyboard";

beforeEach(() => {
  document.body.innerHTML = `
    <a href="/projects" data-go="p">Projects</a><input data-search value="abc">
    <live-stream><button type="button">Pause</button></live-stream>
    <nav class="segments"><a href="?1" id="other">5 min</a><a href="?2" aria-current="true">1 h</a></nav>
    <dialog id="key-list"><button type="button">Close</button></dialog>`;
});

function press(key: string, on: Element = document.body, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more });
  on.dispatchEvent(event);
  return event;
}

listenToKeys(document);

test("a slash goes to the search, and nothing else happens", () => {
  expect(press("/").defaultPrevented).toBe(true);
  expect(document.activeElement).toBe(document.querySelector("input"));
});

test("t goes to the range that is shown", () => {
  press("t");
  expect(document.activeElement?.textContent).toBe("1 h");
});

test("l pauses as the button does", () => {
  const pressed = vi.fn();
  document.querySelector("button")?.addEventListener("click", pressed);
  press("l");
  expect(pressed).toHaveBeenCalledOnce();
});

test.each([
  ["in a field", "l", "input", {}],
  ["with Ctrl", "l", "body", { ctrlKey: true }],
  ["with Alt", "l", "body", { altKey: true }],
])("a key %s is not ours", (_, key, where, more) => {
  const pressed = vi.fn();
  document.querySelector("button")?.addEventListener("click", pressed);
  const event = press(key, document.querySelector(where) ?? document.body, more);
  expect(pressed).not.toHaveBeenCalled();
  expect(event.defaultPrevented).toBe(false);
});

test("a question mark opens the list of keys, and other keys rest meanwhile", () => {
  const dialog = document.querySelector("dialog");
  press("?");
  expect(dialog?.open).toBe(true);
  expect(press("/").defaultPrevented).toBe(false);
});

test("keys count again as soon as the list is closed, whatever has the focus still", () => {
  const dialog = document.querySelector("dialog");
  press("?");
  dialog?.close();
  expect(press("/", dialog?.querySelector("button") ?? document.body).defaultPrevented).toBe(true);
});

test("g and a letter lead to a page, for a moment", () => {
  const went = vi.fn((event: Event) => { event.preventDefault(); });
  document.querySelector("a")?.addEventListener("click", went);
  expect(action("g", document, 1_000)).toBeNull();
  action("p", document, 2_000)?.();
  expect(went).toHaveBeenCalledOnce();
  action("g", document, 10_000);
  expect(action("p", document, 20_000)).toBeNull();
});

test("keys without their part of the page do nothing", () => {
  document.body.innerHTML = "";
  for (const key of ["/", "l", "t", "?", "x"]) expect(press(key).defaultPrevented).toBe(key === "?");
});
