/** Links inside a page swap its content by htmx; where that cannot work, the browser goes there. */
import htmx from "htmx.org";

interface SwapDetail {
  xhr: XMLHttpRequest;
  pathInfo: { requestPath: string };
  shouldSwap: boolean;
}

/** A log-in page, an error or no answer at all is shown as a page of its own. */
export function recoverNavigation(): void {
  document.addEventListener("htmx:beforeSwap", (event) => {
    const detail = (event as CustomEvent<SwapDetail>).detail;
    const asked = new URL(detail.pathInfo.requestPath, location.href);
    const answered = new URL(detail.xhr.responseURL || asked);
    if (detail.xhr.status === 200 && answered.pathname === asked.pathname) return;
    detail.shouldSwap = false;
    location.assign(asked);
  });
  // The rail and the title are outside of what is swapped: another page is loaded as a whole.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { requestPath } = (event as CustomEvent<SwapDetail>).detail.pathInfo;
    if (new URL(requestPath, location.href).pathname === location.pathname) return;
    event.preventDefault();
    location.assign(requestPath);
  });
  document.addEventListener("htmx:sendError", (event) => {
    location.assign((event as CustomEvent<SwapDetail>).detail.pathInfo.requestPath);
  });
}

/** On a phone the rail is wider than the screen: the page that is open stays in sight. */
export function showCurrentPage(rail: Element | null): void {
  rail?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

/** Whoever is not logged in any more, or may not see the page, is told so by the page itself. */
export async function leaveIfRefused(): Promise<void> {
  try {
    const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 404) location.reload();
  } catch {
    // The server cannot be reached: whoever called tries again.
  }
}

/** Show the page of a URL in place of this one, as a click on its link would. */
export function visit(url: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.hidden = true;
  document.getElementById("page")?.append(link);
  htmx.process(link);
  link.click();
}
