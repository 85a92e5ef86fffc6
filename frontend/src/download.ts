/** <download-text for name>: saves the text of an element as a file. */

export class DownloadText extends HTMLElement {
  connectedCallback(): void {
    const button = this.querySelector("button");
    if (button === null) return;
    this.hidden = false;
    button.addEventListener("click", () => {
      const source = document.getElementById(this.getAttribute("for") ?? "");
      save(this.getAttribute("name") ?? "download.txt", `${source?.textContent ?? ""}\n`);
    });
  }
}

function save(name: string, content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
