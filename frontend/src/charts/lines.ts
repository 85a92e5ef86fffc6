/** Lines over time, as several charts draw them. */
import type uPlot from "uplot";

/** A line with gaps where nothing is. A step between two empty ones shows as a point. */
export function line(stroke: string, width: number): uPlot.Series {
  return {
    stroke,
    width,
    spanGaps: false,
    points: { show: true, size: 4, filter: alone, fill: stroke },
  };
}

/** Indexes of values with nothing on either side. */
function alone(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  return [...values.keys()].filter((index) =>
    values[index] != null && values[index - 1] == null && values[index + 1] == null);
}
