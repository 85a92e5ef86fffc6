/** <theme-switch>: system, light or dark; a cookie tells the server, so that no page flashes. */

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const YEAR_S = 365 * 86_400;

/** Sent on the document when colours may have changed. */
export const THEME_CHANGED = "theme-changed";

export class ThemeSwitch extends HTMLElement {
  connectedCallback(): void {
    this.hidden = false;
    const select = document.createElement("select");
    select.setAttribute("aria-label", "Theme");
    select.append(...THEMES.map((theme) => new Option(`${capital(theme)} theme`, theme)));
    select.value = document.documentElement.dataset.theme ?? "system";
    select.addEventListener("change", () => { apply(select.value as Theme); });
    this.replaceChildren(select);
  }
}

function apply(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const age = theme === "system" ? 0 : YEAR_S;
  document.cookie = `theme=${theme}; path=/; max-age=${age}; SameSite=Lax`;
  document.dispatchEvent(new Event(THEME_CHANGED));
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new Event(THEME_CHANGED));
});
