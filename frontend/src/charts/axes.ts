/** Axes that all charts share: time below, a measure from zero at the left. */
import type uPlot from "uplot";
import { axisLabel } from "../format";
import { zone } from "../zone";

const time = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", timeZone: zone, ...options });
const seconds = time({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minutes = time({ hour: "2-digit", minute: "2-digit" });
const days = time({ day: "numeric", month: "short" });

/** The label of a split (seconds since the epoch) where splits are so many seconds apart. */
export function timeLabel(split: number, distance: number): string {
  const date = new Date(split * 1_000);
  if (distance < 60) return seconds.format(date);
  const midnight = minutes.format(date) === "00:00";
  return distance >= 86_400 || midnight ? days.format(date) : minutes.format(date);
}

export interface AxisColours {
  ink: string;
  grid: string;
  font: string;
}

export function timeAxis(colours: AxisColours): uPlot.Axis {
  return {
    stroke: colours.ink,
    font: colours.font,
    size: 28,
    gap: 6,
    space: 72,
    grid: { show: false },
    ticks: { stroke: colours.grid, width: 1, size: 4 },
    values: (_plot, splits, _axis, _space, distance) =>
      splits.map((split) => timeLabel(split, distance)),
  };
}

/** Where a chart draws nothing, an axis of numbers would be invented: it has none. */
export function measureAxis(colours: AxisColours, empty: () => boolean): uPlot.Axis {
  const ground = (split: number): number | null => split === 0 ? 0 : null;
  return {
    filter: (_plot, splits) => empty() ? splits.map(() => null) : splits,
    stroke: colours.ink,
    font: colours.font,
    size: 52,
    gap: 8,
    // A low chart has a number above its ground, too.
    space: (_plot, _axis, _least, _most, height) => Math.min(44, height / 3),
    grid: {
      stroke: colours.grid,
      width: 1,
      filter: (_plot, splits) => empty() ? splits.map(ground) : splits,
    },
    ticks: { show: false },
    // uPlot passes on the nulls of the filter, whatever its types say.
    values: (_plot, splits: (number | null)[], _axis, _space, distance) =>
      splits.map((split) => split === null ? null : axisLabel(split, distance)),
  };
}

/** From zero to a little above the largest value; a chart of nothing still has its ground. */
export function fromZero(_plot: uPlot, _least: number, most: number | null): uPlot.Range.MinMax {
  return [0, most === null || most <= 0 ? 1 : most * 1.08];
}
