/** Releases on the time axis of a chart: a dashed line where each was first heard, with its name. */
import type uPlot from "uplot";
import { timeText } from "../times";
import type { TooltipRow } from "./tooltip";

export interface Release {
  /** When it was first heard (seconds). */
  at: number;
  name: string;
}

export interface Releases {
  /** How many there are, for the legend. */
  words: string;
  /** Those that are marked, the oldest first. */
  marks: Release[];
}

/** A narrower chart has no names on its lines: the legend and the tooltip have them (pixels). */
const NAMED_FROM = 440;
/** Above a chart with names (pixels). */
const NAMES_HEIGHT = 20;
const LONGEST_NAME = 14;
/** Between two names, and between a name and the edge (pixels). */
const APART = 10;
/** So many are named in the tooltip of one step. */
const MOST_IN_TOOLTIP = 4;

/** The room above a chart. */
export function roomAbove(width: number, releases: Releases | undefined): number {
  return named(width) && releases !== undefined && releases.marks.length > 0 ? NAMES_HEIGHT : 8;
}

/** Where names begin that are centred on their lines; null: one that would run into a newer one. */
export function placeNames(
  middles: readonly number[], widths: readonly number[], left: number, right: number,
): (number | null)[] {
  const places: (number | null)[] = [];
  let limit = right;
  for (let index = middles.length - 1; index >= 0; index -= 1) {
    const width = widths[index] ?? 0;
    const wanted = Math.max((middles[index] ?? 0) - width / 2, left);
    // At the right edge a name moves to the left; between others it stands at its line or nowhere.
    const start = limit === right ? Math.min(wanted, right - width) : wanted;
    const fits = start + width <= limit && start >= left;
    places.unshift(fits ? start : null);
    if (fits) limit = start - APART;
  }
  return places;
}

/** A name as short as a line can carry it. */
export function shortName(name: string): string {
  return name.length <= LONGEST_NAME ? name : name.slice(0, LONGEST_NAME - 1) + "…";
}

/** Draw the lines over the data and the names above it. */
export function drawReleases(
  plot: uPlot, releases: readonly Release[], colours: { line: string; ink: string; family: string },
): void {
  const { ctx, bbox } = plot;
  const pixel = devicePixelRatio;
  const inside = releases
    .map(({ at, name }) => ({ name: shortName(name), x: Math.round(plot.valToPos(at, "x", true)) }))
    .filter(({ x }) => x >= bbox.left && x <= bbox.left + bbox.width);
  ctx.save();
  ctx.strokeStyle = colours.line;
  ctx.lineWidth = pixel;
  ctx.setLineDash([4 * pixel, 3 * pixel]);
  for (const { x } of inside) {
    ctx.beginPath();
    ctx.moveTo(x + pixel / 2, bbox.top);
    ctx.lineTo(x + pixel / 2, bbox.top + bbox.height);
    ctx.stroke();
  }
  if (named(plot.width)) {
    ctx.font = `${11 * pixel}px ${colours.family}`;
    ctx.fillStyle = colours.ink;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    const widths = inside.map(({ name }) => ctx.measureText(name).width);
    const middles = inside.map(({ x }) => x);
    const places = placeNames(
      middles.map((x) => x / pixel), widths.map((width) => width / pixel),
      0, plot.width,
    );
    for (const [index, place] of places.entries()) {
      if (place !== null) ctx.fillText(inside[index]?.name ?? "", place * pixel, bbox.top - 3 * pixel);
    }
  }
  ctx.restore();
}

/** What the tooltip of a step says of them. */
export function releaseRows(
  releases: readonly Release[], start: number, step: number,
): TooltipRow[] {
  const here = releases.filter(({ at }) => at >= start && at < start + step);
  const rows = here.slice(-MOST_IN_TOOLTIP).map(({ name }) => ({
    name: "release", label: "release", value: name,
  }));
  const more = here.length - rows.length;
  return more > 0 ? [...rows, { name: "release", label: "and", value: `${more} more` }] : rows;
}

/** The legend and the table view say the same in words. */
export function tellReleases(panel: Element, { words, marks }: Releases): void {
  const legend = panel.querySelector<HTMLElement>("[data-releases]");
  const list = panel.querySelector<HTMLElement>(".first-heard");
  if (legend === null || list === null) return;
  legend.hidden = list.hidden = marks.length === 0;
  legend.title = marks.map(({ name }) => name).join(", ");
  legend.lastElementChild?.replaceChildren(words);
  list.lastElementChild?.replaceChildren(
    ...[...marks].reverse().flatMap((one, index) => [index > 0 ? ", " : "", one.name, " ", moment(one)]));
}

function moment({ at }: Release): HTMLTimeElement {
  const date = new Date(at * 1_000);
  const made = document.createElement("time");
  made.dateTime = date.toISOString();
  made.dataset.format = "step";
  made.textContent = timeText("step", date, Date.now());
  return made;
}

function named(width: number): boolean {
  return width >= NAMED_FROM;
}
