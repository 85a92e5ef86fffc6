/** <apdex-chart>: how many did not have to wait, over time, from 0 to 1. */
import type uPlot from "uplot";
import { apdex, axisLabel, count } from "../format";
import { measureAxis, type AxisColours } from "./axes";
import { ChartElement, type ChartData } from "./base";
import { line } from "./lines";
import type { TooltipRow } from "./tooltip";

/** Satisfied, tolerated, neither. */
type Counts = [number, number, number];

interface ApdexData extends ChartData {
  /** Of all steps together: Apdex, then counts. */
  totals: [number | null, ...Counts];
  apdex: (number | null)[];
  counts: Counts[];
}

const NAMES = ["satisfied", "tolerated", "neither"] as const;
/** A little more than 1, so that the best is not half a line. */
const TOP = 1.02;
const HALF = 0.5;
const MARKS = [0, HALF, 1];

export class ApdexChart extends ChartElement<ApdexData> {
  protected override readonly bands: uPlot.Band[] = [];

  protected override series(): uPlot.Series[] {
    return [line(this.colour("--chart-apdex"), 1.75)];
  }

  protected override values(data: ApdexData): (number | null)[][] {
    return [data.apdex];
  }

  protected override scale(): uPlot.Scale {
    return { range: [0, TOP] };
  }

  protected override axis(colours: AxisColours): uPlot.Axis {
    return {
      ...measureAxis(colours, () => this.empty),
      splits: () => MARKS,
      values: (_plot, splits: (number | null)[]) =>
        splits.map((split) => split === null ? null : axisLabel(split, HALF)),
    };
  }

  protected override rows(data: ApdexData, index: number): TooltipRow[] {
    if (data.apdex[index] == null) return [];
    return [
      { name: "apdex", label: "Apdex", value: apdex(data.apdex[index]) },
      ...NAMES.map((label, place) => ({
        name: "none", label, value: count(data.counts[index]?.[place] ?? 0),
      })),
    ];
  }

  protected override cells(data: ApdexData, index: number): string[] | null {
    if (data.apdex[index] == null) return null;
    return [apdex(data.apdex[index]), ...(data.counts[index] ?? []).map(count)];
  }

  protected override nothing(): string {
    return "no requests";
  }

  protected override totals(data: ApdexData): Record<string, string> {
    const [value, ...counts] = data.totals;
    const told = NAMES.map((name, place) => [name, count(counts[place] ?? 0)] as const);
    return { apdex: apdex(value), ...Object.fromEntries(told) };
  }
}
