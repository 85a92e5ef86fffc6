/** Keys that do what a click on the page does; templates/key_list.html lists them. Never while somebody types. */

/** So long after "g" the letter of a page counts. */
const GO_MS = 1_500;

let going = 0;

export function listenToKeys(root: Document): void {
  root.addEventListener("keydown", (event) => {
    if (typing(event)) return;
    const act = action(event.key, root);
    if (act === null) return;
    event.preventDefault();
    act();
  });
  for (const button of root.querySelectorAll<HTMLElement>("[data-keys]")) button.hidden = false;
  root.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-keys]") !== null) help(root);
    if (event.target.closest("#key-list button") !== null) keyList(root)?.close();
  });
}

/** Whether a key is somebody's text, another program's or for an open dialog. */
export function typing(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  const { target } = event;
  if (!(target instanceof Element)) return false;
  // A dialog that was closed this moment may have the focus still.
  return target.closest("input, textarea, select, [contenteditable]") !== null
    || target.ownerDocument.querySelector("dialog[open]") !== null;
}

/** What a key does on this page; null: nothing. */
export function action(key: string, root: Document, now = Date.now()): (() => void) | null {
  if (now < going) {
    going = 0;
    return click(root, `[data-go="${CSS.escape(key)}"]`);
  }
  switch (key) {
    case "g":
      going = now + GO_MS;
      return null;
    case "/":
      return focus(root, "[data-search]");
    case "l":
      return click(root, "live-stream button, [data-back-to-live]");
    case "t":
      return focus(root, ".segments [aria-current]") ?? focus(root, ".segments a");
    case "?":
      return () => { help(root); };
    default:
      return null;
  }
}

function click(root: Document, selector: string): (() => void) | null {
  const found = root.querySelector<HTMLElement>(selector);
  return found === null ? null : () => { found.click(); };
}

function focus(root: Document, selector: string): (() => void) | null {
  const found = root.querySelector<HTMLElement>(selector);
  if (found === null) return null;
  return () => {
    found.focus();
    if (found instanceof HTMLInputElement) found.select();
  };
}

function keyList(root: Document): HTMLDialogElement | null {
  return root.querySelector<HTMLDialogElement>("dialog#key-list");
}

function help(root: Document): void {
  const dialog = keyList(root);
  if (dialog !== null && !dialog.open) dialog.showModal();
}
