/** Dragging over a chart shows that time; a double click goes back. Both change the URL. */
import { visit } from "../navigation";

/** Zooms made on this page, so that a double click undoes them one by one. */
let depth = 0;
/** A smaller drag is a click with an unsteady hand (pixels). */
export const SMALLEST_DRAG = 6;

/** The URL of the current page with a fixed window (seconds since the epoch), snapped to steps. */
export function zoomUrl(from: number, to: number, step: number, href: string): string {
  const start = Math.floor(from / step) * step;
  const end = Math.max(Math.ceil(to / step) * step, start + step);
  const url = new URL(href);
  url.searchParams.set("start", new Date(start * 1_000).toISOString().replace(".000", ""));
  url.searchParams.set("end", new Date(end * 1_000).toISOString().replace(".000", ""));
  return url.pathname + url.search;
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
