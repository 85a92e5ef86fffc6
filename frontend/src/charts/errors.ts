/** <errors-chart>: the share of requests that failed, over time. */
import type uPlot from "uplot";
import { count, percent } from "../format";
import { ChartElement, type ChartData } from "./base";
import { line } from "./lines";
import type { TooltipRow } from "./tooltip";

interface ErrorsData extends ChartData {
  errors: number[];
  requests: number[];
}

export class ErrorsChart extends ChartElement<ErrorsData> {
  protected override readonly bands: uPlot.Band[] = [];

  protected override series(): uPlot.Series[] {
    return [{ ...line(this.colour("--chart-server_error"), 1.5), fill: this.colour("--fill-server_error") }];
  }

  protected override values(data: ErrorsData): (number | null)[][] {
    return [data.start.map((_, index) => {
      const share = rate(data, index);
      return share === null ? null : share * 100;
    })];
  }

  protected override rows(data: ErrorsData, index: number): TooltipRow[] {
    const share = rate(data, index);
    if (share === null) return [];
    return [
      { name: "errors", label: "error rate", value: `${percent(share)} %` },
      { name: "none", label: "errors", value: `${count(data.errors[index] ?? 0)} of ${count(data.requests[index] ?? 0)}` },
    ];
  }

  protected override cells(data: ErrorsData, index: number): string[] | null {
    const share = rate(data, index);
    if (share === null) return null;
    return [percent(share), count(data.errors[index] ?? 0), count(data.requests[index] ?? 0)];
  }

  protected override nothing(): string {
    return "no requests";
  }

  protected override totals(data: ErrorsData): Record<string, string> {
    return { errors: count(sum(data.errors)), requests: count(sum(data.requests)) };
  }
}

/** Of a step; null where nothing happened. */
function rate({ errors, requests }: ErrorsData, index: number): number | null {
  const all = requests[index] ?? 0;
  return all === 0 ? null : (errors[index] ?? 0) / all;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
