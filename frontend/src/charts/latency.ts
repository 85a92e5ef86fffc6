/** <latency-chart>: three percentiles over time, one hue in three strengths. */
import type uPlot from "uplot";
import { duration, measure, type Unit } from "../format";
import { ChartElement, type ChartData } from "./base";
import { line } from "./lines";
import type { TooltipRow } from "./tooltip";

interface LatencyData extends ChartData {
  unit: Unit;
  totals: Record<string, number | null>;
  /** Microseconds; null where nothing happened. */
  percentiles: Record<string, (number | null)[]>;
}

/** From the top line down. */
const LINES: readonly (readonly [string, number])[] = [["p99", 1.25], ["p95", 1.5], ["p50", 2.25]];

export class LatencyChart extends ChartElement<LatencyData> {
  protected override readonly bands: uPlot.Band[] = [];

  protected override series(): uPlot.Series[] {
    return LINES.map(([name, width]) => line(this.colour(`--chart-${name}`), width));
  }

  protected override values(data: LatencyData): (number | null)[][] {
    return LINES.map(([name]) =>
      (data.percentiles[name] ?? []).map((value) => value === null ? null : value / data.unit.size));
  }

  protected override rows(data: LatencyData, index: number): TooltipRow[] {
    return LINES.map(([name]) => ({
      name,
      label: name,
      value: duration(data.percentiles[name]?.[index], data.unit),
    }));
  }

  protected override cells(data: LatencyData, index: number): string[] | null {
    const values = LINES.map(([name]) => data.percentiles[name]?.[index] ?? null).reverse();
    return values.some((value) => value !== null)
      ? values.map((value) => measure(value, data.unit))
      : null;
  }

  protected override nothing(): string {
    return "no requests";
  }

  protected override totals(data: LatencyData): Record<string, string> {
    return Object.fromEntries(LINES.map(([name]) =>
      [name, measure(data.totals[name], data.unit)]));
  }
}
