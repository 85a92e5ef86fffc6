/** <tool-bar>: stays in sight, and tells the style sheet how tall it is, for what sticks below it. */

export class ToolBar extends HTMLElement {
  private readonly size = new ResizeObserver(() => { this.measure(); });

  connectedCallback(): void {
    this.measure();
    this.size.observe(this);
  }

  disconnectedCallback(): void {
    this.size.disconnect();
  }

  private measure(): void {
    document.documentElement.style.setProperty("--toolbar", `${this.offsetHeight}px`);
  }
}
