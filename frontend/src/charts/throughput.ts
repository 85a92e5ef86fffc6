/** <throughput-chart>: requests a second by status class, as stacked bars. */
import uPlot from "uplot";
import { count, significant, type Unit } from "../format";
import { ChartElement, type ChartData } from "./base";
import type { TooltipRow } from "./tooltip";

interface ThroughputData extends ChartData {
  /** Of rates; its size is in requests per second. */
  unit: Unit;
  /** What each step's counts are divided by; null: too young for a rate. */
  seconds: (number | null)[];
  counts: Record<string, number[]>;
}

/** From the bottom of the stack up, as the server sends them. */
const CLASSES: readonly (readonly [string, string])[] = [
  ["success", "2xx"],
  ["redirect", "3xx"],
  ["client_error", "4xx"],
  ["server_error", "5xx or failed"],
  ["disconnected", "client left"],
  ["informational", "1xx"],
];

/** What stacks are made of. */
type Stacked = Pick<ThroughputData, "unit" | "seconds" | "counts">;

/** Rates of each class on top of those below it; null where it adds nothing or has no rate. */
export function stack(data: Stacked): (number | null)[][] {
  const below = data.seconds.map(() => 0);
  return CLASSES.map(([name]) =>
    data.seconds.map((seconds, index) => {
      const count = data.counts[name]?.[index] ?? 0;
      if (seconds === null || count === 0) return null;
      below[index] = (below[index] ?? 0) + count / seconds / data.unit.size;
      return below[index];
    }));
}

export class ThroughputChart extends ChartElement<ThroughputData> {
  protected override readonly bands: uPlot.Band[] = [];

  /** The tallest is drawn first, so that each lower one covers it up to its own height. */
  protected override series(): uPlot.Series[] {
    const paths = uPlot.paths.bars?.({ size: [1, 64], gap: 1 });
    return CLASSES.map(([name]) => ({
      fill: this.colour(`--chart-${name}`),
      width: 0,
      points: { show: false },
      ...(paths && { paths }),
    })).reverse();
  }

  protected override values(data: ThroughputData): (number | null)[][] {
    return stack(data).reverse();
  }

  protected override rows(data: ThroughputData, index: number): TooltipRow[] {
    const seconds = data.seconds[index];
    if (seconds == null) return [];
    return CLASSES.map(([name, label]) => ({
      name,
      label,
      number: data.counts[name]?.[index] ?? 0,
    })).filter(({ number, name }) => number > 0 || name === "success").map(({ number, ...row }) => ({
      ...row,
      value: `${significant(number / seconds / data.unit.size)} ${data.unit.symbol}`,
    })).reverse();
  }

  protected override cells(data: ThroughputData, index: number): string[] | null {
    const counts = CLASSES.map(([name]) => data.counts[name]?.[index] ?? 0);
    return counts.some((value) => value > 0) ? counts.map(count) : null;
  }

  protected override nothing(data: ThroughputData): string {
    const filling = Object.values(data.counts).some((counts) => counts.some((value) => value > 0));
    return filling ? "first requests, drawn in a moment" : "no requests";
  }

  protected override totals(data: ThroughputData): Record<string, string> {
    return Object.fromEntries(CLASSES.map(([name]) =>
      [name, count((data.counts[name] ?? []).reduce((sum, value) => sum + value, 0))]));
  }
}
