/** A table follows what is typed into its search (htmx swaps it): so do the page's links and its live state. */

interface SwapDetail {
  requestConfig?: { elt?: Element };
}

/** `remember`: htmx keeps where a link led when it first saw it. */
export function followSearches(remember: (page: Element) => void): void {
  document.addEventListener("htmx:afterSettle", (event) => {
    const { requestConfig } = (event as CustomEvent<SwapDetail>).detail;
    if (requestConfig?.elt?.matches("[data-search]") !== true) return;
    keepSearch(document, location.href);
    const page = document.getElementById("page");
    if (page !== null) remember(page);
  });
}

/** Give the search in the page's URL to every link to the same page, and to the live stream. */
export function keepSearch(root: ParentNode, href: string): void {
  const page = new URL(href);
  const searched = page.searchParams.get("q");
  for (const link of root.querySelectorAll<HTMLAnchorElement>("#page a[href]")) {
    const url = new URL(link.href, href);
    if (url.pathname === page.pathname) link.href = withSearch(url, searched);
  }
  const live = root.querySelector("live-stream[src]");
  const src = live?.getAttribute("src");
  if (src != null) live?.setAttribute("src", withSearch(new URL(src, href), searched));
}

function withSearch(url: URL, searched: string | null): string {
  if (searched === null) url.searchParams.delete("q");
  else url.searchParams.set("q", searched);
  return url.pathname + (url.search || "?");
}
