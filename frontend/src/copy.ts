/** <copy-button for>: copies the text of an element and says so. */

const SAID_MS = 2_000;

export class CopyButton extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    if (button === null) return;
    this.hidden = false;
    const words = button.textContent;
    button.addEventListener("click", () => {
      void copy(document.getElementById(this.getAttribute("for") ?? "")).then((done) => {
        button.textContent = done ? "Copied" : "Press Ctrl+C";
        setTimeout(() => { button.textContent = words; }, SAID_MS);
      });
    });
  }
}

/** Copy; where the browser forbids it (plain HTTP), select the text for the person's Ctrl+C. */
async function copy(source: HTMLElement | null): Promise<boolean> {
  if (source === null) return false;
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
