/** Paper is light: charts are drawn for it before printing, and for the screen after it. */
import { THEME_CHANGED } from "./theme";

export function lightOnPaper(root: HTMLElement): void {
  let chosen: string | undefined;
  addEventListener("beforeprint", () => {
    chosen = root.dataset.theme;
    show("light");
  });
  addEventListener("afterprint", () => { show(chosen); });

  function show(theme: string | undefined): void {
    if (theme === undefined) delete root.dataset.theme;
    else root.dataset.theme = theme;
    document.dispatchEvent(new Event(THEME_CHANGED));
  }
}
