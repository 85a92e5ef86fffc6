/** The tooltip: the step under the pointer and every series, in the order of the lines. */
import type uPlot from "uplot";
import { zone } from "../zone";

const moment = new Intl.DateTimeFormat("en-GB", {
  timeZone: zone,
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

export interface TooltipRow {
  name: string;
  label: string;
  value: string;
}

export class Tooltip {
  private readonly box = document.createElement("div");

  constructor(
    over: HTMLElement,
    private readonly rows: (index: number) => TooltipRow[],
  ) {
    this.box.className = "tooltip";
    this.box.hidden = true;
    over.append(this.box);
  }

  /** Follow the cursor of a chart whose steps begin at these instants (seconds). */
  move(plot: uPlot, starts: readonly number[]): void {
    const { idx, left } = plot.cursor;
    const start = idx == null ? undefined : starts[idx];
    this.box.hidden = idx == null || left == null || left < 0 || start === undefined;
    if (this.box.hidden || idx == null || left == null || start === undefined) return;
    const head = document.createElement("p");
    head.textContent = moment.format(start * 1_000).replace(",", "");
    this.box.replaceChildren(head, ...this.rows(idx).map(rowElement));
    const width = plot.over.clientWidth;
    const beside = left > width / 2 ? left - this.box.offsetWidth - 14 : left + 14;
    this.box.style.translate = `${Math.max(0, Math.round(beside))}px 0`;
  }
}

function rowElement(row: TooltipRow): HTMLElement {
  const line = document.createElement("div");
  const swatch = document.createElement("span");
  const label = document.createElement("span");
  const value = document.createElement("b");
  swatch.className = `swatch swatch-${row.name}`;
  label.textContent = row.label;
  value.textContent = row.value;
  line.append(swatch, label, value);
  return line;
}
