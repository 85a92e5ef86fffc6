/** Small helps in forms; every form works without them. */
import { fromLocal, toLocal } from "./zone";

/** <custom-range>: its times are in the page's zone, while the URL and the server speak UTC. */
export class CustomRange extends HTMLElement {
  connectedCallback(): void {
    for (const input of this.inputs()) input.value = toLocal(new Date(`${input.value}Z`));
    this.querySelector("form")?.addEventListener("formdata", (event) => {
      for (const input of this.inputs()) {
        event.formData.set(input.name, fromLocal(input.value).toISOString());
      }
    });
  }

  private inputs(): NodeListOf<HTMLInputElement> {
    return this.querySelectorAll<HTMLInputElement>('input[type="datetime-local"]');
  }
}

/** <new-team>: asks for the new team's name only where a new team is chosen. */
export class NewTeam extends HTMLElement {
  connectedCallback(): void {
    const select = this.querySelector("select");
    const field = this.querySelector("#new_team")?.closest<HTMLElement>(".field");
    if (select === null || field == null) return;
    const follow = (): void => { field.hidden = select.value !== "new"; };
    select.addEventListener("change", follow);
    follow();
  }
}

/** After an error a person goes on at the first field that is wrong, not at the first field. */
export function focusFirstWrong(root: Document): void {
  root.querySelector<HTMLElement>('main [aria-invalid="true"]')?.focus();
}
