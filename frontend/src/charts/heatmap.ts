/** <heatmap-chart>: requests by time and response time. A box drawn on it leads to its requests. */
import type uPlot from "uplot";
import { count, shortDuration } from "../format";
import { visit } from "../navigation";
import { ChartElement, type ChartData } from "./base";
import type { AxisColours } from "./axes";
import type { HeadCell } from "./table";
import type { TooltipRow } from "./tooltip";
import { setTime, SMALLEST_DRAG } from "./zoom";

interface Column {
  label: string;
  first: number;
  /** Exclusive. */
  last: number;
}

export interface HeatmapData extends ChartData {
  /** Where each band begins, and where the last one ends (microseconds). */
  edges: number[];
  most: number;
  /** For every step pairs of a band and its requests, one behind the other. */
  cells: number[][];
  columns: Column[];
}

export const SHADES = 8;
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- a const enum of types alone
const LOGARITHMIC = 3 as uPlot.Scale.Distr;
/** A drag less tall than this is one over the time alone (pixels). */
const TALL = 16;
const DECADE = 10;

/** The strength of a count among those up to `most`: on a logarithmic scale, few are seen as well. */
export function shade(requests: number, most: number): number {
  if (most <= 1) return 3;
  return 1 + Math.round((SHADES - 1) * Math.log(requests) / Math.log(most));
}

/** What a logarithmic axis is marked at (microseconds), from a minute on in the units of clocks. */
const POWERS = [...Array(8).keys()].map((power) => 10 ** power);
const CLOCK = [60e6, 600e6, 3_600e6, 86_400e6, 864_000e6, 8_640_000e6, 86_400_000e6];

/** The marks between two durations; finer ones where there are less than two. */
export function marks(least: number, most: number): number[] {
  const powers = [...POWERS, ...CLOCK];
  const within = (value: number): boolean => value >= least && value <= most;
  const tens = powers.filter(within);
  return tens.length > 1 ? tens : powers.flatMap((one) => [one, 2 * one, 5 * one]).filter(within);
}

/** From where to where the axis goes: a decade at least, or one band would fill it all. */
export function limitsOf(edges: readonly number[]): [number, number] {
  const least = Math.max(edges[0] ?? 1, 1);
  const most = Math.max(edges.at(-1) ?? 10, least);
  const wider = Math.sqrt(Math.max(1, DECADE * least / most));
  return [least / wider, most * wider];
}

/** First and last (exclusive) band that a range of durations touches. */
export function bandsOf(edges: readonly number[], from: number, to: number): [number, number] {
  const count = edges.length - 1;
  const last = edges.findIndex((edge) => edge >= to);
  return [Math.max(bandAt(edges, from), 0), last < 0 ? count : Math.max(last, 1)];
}

/** The band that holds a duration; -1 below all, and their number above all. */
function bandAt(edges: readonly number[], duration: number): number {
  const above = edges.findIndex((edge) => edge > duration);
  return above < 0 ? edges.length - 1 : above - 1;
}

export class HeatmapChart extends ChartElement<HeatmapData> {
  protected override readonly bands: uPlot.Band[] = [];

  /** Nothing of its own to draw: it tells the crosshair where steps with requests are. */
  protected override series(): uPlot.Series[] {
    return [{ paths: () => null, points: { show: false } }];
  }

  protected override values(data: HeatmapData): (number | null)[][] {
    return [data.cells.map((cells) => total(cells) || null)];
  }

  protected override scale(): uPlot.Scale {
    return { distr: LOGARITHMIC, log: 10, range: () => this.limits() };
  }

  protected override axis(colours: AxisColours): uPlot.Axis {
    return {
      stroke: colours.ink,
      font: colours.font,
      size: 52,
      gap: 8,
      grid: { stroke: colours.grid, width: 1 },
      ticks: { show: false },
      splits: () => this.empty ? [] : marks(...this.limits()),
      filter: (_plot, splits) => splits,
      values: (_plot, splits) => splits.map(shortDuration),
    };
  }

  protected override cursor(): uPlot.Cursor {
    return { y: true, drag: { x: true, y: true, setScale: false, uni: TALL } };
  }

  protected override paint(plot: uPlot): void {
    const { data } = this;
    if (data === null) return;
    const pixel = devicePixelRatio;
    const colours = [...Array(SHADES).keys()].map((step) => this.colour(`--heat-${step + 1}`));
    const heights = data.edges.map((edge) => Math.round(plot.valToPos(Math.max(edge, 1), "y", true)));
    plot.ctx.save();
    for (const [index, start] of data.start.entries()) {
      const left = Math.round(plot.valToPos(start, "x", true));
      const width = Math.round(plot.valToPos(start + data.step, "x", true)) - left;
      for (const [band, requests] of pairs(data.cells[index] ?? [])) {
        const [bottom = 0, top = 0] = heights.slice(band, band + 2);
        plot.ctx.fillStyle = colours[shade(requests, data.most) - 1] ?? "";
        const gap = width > 4 * pixel ? pixel : 0;
        plot.ctx.fillRect(left, top, width - gap, Math.max(bottom - top - gap, pixel));
      }
    }
    plot.ctx.restore();
  }

  protected override rows(data: HeatmapData, index: number): TooltipRow[] {
    const cells = data.cells[index] ?? [];
    const all = { name: "none", label: "all", value: requestsWord(total(cells)) };
    const band = this.pointedAt(data);
    if (band === null) return [all];
    const found = pairs(cells).find(([number]) => number === band)?.[1] ?? 0;
    const [from = 0, to = 0] = data.edges.slice(band, band + 2);
    return [{
      name: found > 0 ? `heat-${shade(found, data.most)}` : "none",
      label: `${shortDuration(from)} – ${shortDuration(to)}`,
      value: requestsWord(found),
    }, all];
  }

  protected override selected(plot: uPlot, data: HeatmapData, from: number, to: number): void {
    const { top, height } = plot.select;
    if (height < SMALLEST_DRAG || height >= plot.over.clientHeight - 1) {
      super.selected(plot, data, from, to);
      return;
    }
    const [first, last] = bandsOf(
      data.edges, plot.posToVal(top + height, "y"), plot.posToVal(top, "y"));
    const requests = this.requests();
    setTime(requests, from, to, data.step);
    setDurations(requests, data, first, last);
    visit(requests.pathname + requests.search);
  }

  protected override cells(data: HeatmapData, index: number): string[] | null {
    const cells = pairs(data.cells[index] ?? []);
    if (cells.length === 0) return null;
    return data.columns.map(({ first, last }) => {
      const inside = cells.filter(([band]) => band >= first && band < last);
      const requests = inside.reduce((sum, [, number]) => sum + number, 0);
      return requests > 0 ? count(requests) : "";
    });
  }

  protected override head(data: HeatmapData): HeadCell[] {
    return data.columns.map(({ label, first, last }) => {
      const url = this.requests();
      setDurations(url, data, first, last);
      return { label, href: url.pathname + url.search };
    });
  }

  protected override rowHref(data: HeatmapData, index: number): string {
    const url = this.requests();
    const start = data.start[index] ?? 0;
    setTime(url, start, start, data.step);
    return url.pathname + url.search;
  }

  /** The page of the requests behind the chart. */
  private requests(): URL {
    return new URL(this.dataset.requests ?? "", location.href);
  }

  protected override nothing(): string {
    return "no requests";
  }

  protected override totals(data: HeatmapData): Record<string, string> {
    return { most: count(data.most) };
  }

  private limits(): [number, number] {
    const { edges = [] } = this.data ?? {};
    return limitsOf(edges);
  }

  /** The band under the pointer; null where the pointer is on another chart. */
  private pointedAt(data: HeatmapData): number | null {
    const { plot } = this;
    if (plot?.cursor.top == null || !plot.over.matches(":hover")) return null;
    const duration = plot.posToVal(plot.cursor.top, "y");
    const band = bandAt(data.edges, duration);
    return band < 0 || band >= data.edges.length - 1 ? null : band;
  }
}

/** Only durations of some bands. */
function setDurations(url: URL, data: HeatmapData, first: number, last: number): void {
  url.searchParams.set("duration_from", String((data.edges[first] ?? 0) / 1_000));
  url.searchParams.set("duration_to", String((data.edges[last] ?? 0) / 1_000));
}

function* each(flat: readonly number[]): Generator<[number, number]> {
  for (let place = 0; place < flat.length; place += 2) yield [flat[place] ?? 0, flat[place + 1] ?? 0];
}

function pairs(flat: readonly number[]): [number, number][] {
  return [...each(flat)];
}

function total(flat: readonly number[]): number {
  return pairs(flat).reduce((sum, [, number]) => sum + number, 0);
}

function requestsWord(number: number): string {
  return `${count(number)} ${number === 1 ? "request" : "requests"}`;
}
