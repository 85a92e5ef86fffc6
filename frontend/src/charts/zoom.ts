/** Dragging over a chart shows that time; a double click goes back. Both change the URL. */
import { visit } from "../navigation";

/** Zooms made on this page, so that a double click undoes them one by one. */
let depth = 0;
/** A smaller drag is a click with an unsteady hand (pixels). */
export const SMALLEST_DRAG = 6;

/** The URL of the current page with a fixed window (seconds since the epoch), snapped to steps. */
export function zoomUrl(from: number, to: number, step: number, href: string): string {
  const url = new URL(href);
  setTime(url, from, to, step);
  return url.pathname + url.search;
}

/** A fixed window, snapped outwards to whole steps. */
export function setTime(url: URL, from: number, to: number, step: number): void {
  const start = Math.floor(from / step) * step;
  const end = Math.max(Math.ceil(to / step) * step, start + step);
  url.searchParams.set("start", rfc3339(start));
  url.searchParams.set("end", rfc3339(end));
  url.searchParams.delete("before");
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace(".000", "");
}

export function zoomIn(from: number, to: number, step: number): void {
  depth += 1;
  visit(zoomUrl(from, to, step, location.href));
}

export function zoomOut(): void {
  const page = document.getElementById("page");
  if (page?.dataset.fixed === undefined) return;
  if (depth > 0) {
    depth -= 1;
    history.back();
  } else {
    visit(page.dataset.back ?? location.pathname);
  }
}
