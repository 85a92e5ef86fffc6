/** What every chart is: a custom element that draws the JSON inside it and follows its live event. */
import uPlot from "uplot";
import { CHART_DATA } from "../live";
import { THEME_CHANGED } from "../theme";
import { fromZero, measureAxis, timeAxis, type AxisColours } from "./axes";
import { colour } from "./palette";
import { drawReleases, releaseRows, roomAbove, tellReleases, type Releases } from "./releases";
import { tableHead, tableRow, type HeadCell } from "./table";
import { Tooltip, type TooltipRow } from "./tooltip";
import { SMALLEST_DRAG, zoomIn, zoomOut } from "./zoom";
import { zone } from "../zone";

export interface ChartData {
  /** Where each step starts, and how long a step is (seconds). */
  start: number[];
  step: number;
  /** What the title says of the unit. */
  title: string;
  releases: Releases;
}

/** One crosshair for all charts of a page; only its movement is shared, not its drags. */
const SHARED: uPlot.Cursor.Sync = {
  key: "page",
  setSeries: false,
  filters: { pub: (type: string) => type === "mousemove" || type === "mouseleave", sub: () => true },
};

export abstract class ChartElement<D extends ChartData> extends HTMLElement {
  protected data: D | null = null;
  protected plot: uPlot | null = null;
  private tooltip: Tooltip | null = null;
  protected empty = false;
  private readonly onData = (event: Event): void => {
    this.receive((event as CustomEvent<string>).detail);
  };
  private readonly onTheme = (): void => { this.draw(); };
  private readonly size = new ResizeObserver(() => {
    this.plot?.setSize({ width: this.target.clientWidth, height: this.target.clientHeight });
  });

  /** The series, first drawn first, in the colours of the style sheet. */
  protected abstract series(): uPlot.Series[];
  /** The values of the series, in the same order. */
  protected abstract values(data: D): (number | null)[][];
  protected abstract rows(data: D, index: number): TooltipRow[];
  /** The step's row of the table view; null: nothing happened. */
  protected abstract cells(data: D, index: number): string[] | null;
  /** Totals by series name for the legend. */
  protected abstract totals(data: D): Record<string, string>;
  /** What a chart says that has nothing to draw. */
  protected abstract nothing(data: D): string;
  protected abstract readonly bands: uPlot.Band[];

  connectedCallback(): void {
    const source = this.querySelector('script[type="application/json"]');
    this.data = JSON.parse(source?.textContent ?? "null") as D | null;
    document.addEventListener(CHART_DATA + this.eventName, this.onData);
    document.addEventListener(THEME_CHANGED, this.onTheme);
    this.draw();
    this.size.observe(this.target);
  }

  disconnectedCallback(): void {
    document.removeEventListener(CHART_DATA + this.eventName, this.onData);
    document.removeEventListener(THEME_CHANGED, this.onTheme);
    this.size.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  protected colour(property: string): string {
    return colour(this, property);
  }

  /** What is drawn below the series. */
  protected paint?(plot: uPlot): void;

  /** The header of the table view where it follows the data. */
  protected head?(data: D): HeadCell[];

  /** Where the head of a step's row leads. */
  protected rowHref?(data: D, index: number): string;

  /** The measure: from zero, in even steps. */
  protected scale(): uPlot.Scale {
    return { range: fromZero };
  }

  protected axis(colours: AxisColours): uPlot.Axis {
    return measureAxis(colours, () => this.empty);
  }

  /** What is different about the chart's own crosshair. */
  protected cursor(): uPlot.Cursor {
    return {};
  }

  /** A drag that ended, over these instants (seconds). */
  protected selected(_plot: uPlot, data: D, from: number, to: number): void {
    zoomIn(from, to, data.step);
  }

  private get eventName(): string {
    return this.getAttribute("event") ?? "";
  }

  private get target(): HTMLElement {
    return this.querySelector<HTMLElement>(".plot") ?? this;
  }

  private receive(json: string): void {
    this.data = JSON.parse(json) as D;
    if (this.plot === null) this.draw();
    else this.fill(this.plot, this.data);
    this.legend(this.data);
    this.table(this.data);
    const panel = this.closest(".panel");
    if (panel !== null) tellReleases(panel, this.data.releases);
  }

  /** The table view follows while it is open; steps without requests are left out. */
  private table(data: D): void {
    const view = this.closest(".panel")?.querySelector<HTMLDetailsElement>(".as-table");
    if (view?.open !== true) return;
    const rows = data.start.flatMap((start, index) => {
      const cells = this.cells(data, index);
      return cells === null ? [] : [tableRow(start, cells, this.rowHref?.(data, index))];
    });
    view.querySelector("tbody")?.replaceChildren(...rows.reverse());
    const head = this.head?.(data);
    if (head !== undefined) view.querySelector("thead tr")?.replaceChildren(...tableHead(head));
  }

  private legend(data: D): void {
    const list = this.closest(".panel")?.querySelector(".legend");
    const unit = this.closest(".panel")?.querySelector("[data-unit]");
    if (unit != null) unit.textContent = data.title;
    for (const [name, total] of Object.entries(this.totals(data))) {
      const item = list?.querySelector<HTMLElement>(`[data-series="${name}"]`);
      const value = item?.querySelector("b");
      if (item == null || value == null) continue;
      value.textContent = total;
      if (total !== "0") item.hidden = false;
    }
  }

  /** Steps are drawn at their middle, so that bars and lines of a page share their places. */
  private aligned(data: D): uPlot.AlignedData {
    const middles = data.start.map((start) => start + data.step / 2);
    return [middles, ...this.values(data)] as uPlot.AlignedData;
  }

  /** New data into the plot; where it draws nothing, words instead of numbers on the axis. */
  private fill(plot: uPlot, data: D): void {
    this.empty = this.values(data).every((values) => values.every((value) => value === null));
    plot.setData(this.aligned(data));
    const words = this.querySelector<HTMLElement>(".plot-empty") ?? document.createElement("p");
    words.className = "plot-empty";
    words.hidden = !this.empty;
    words.textContent = this.empty ? this.nothing(data) : "";
    this.target.append(words);
  }

  private draw(): void {
    this.plot?.destroy();
    if (this.data === null) return;
    this.target.replaceChildren();
    const plot = new uPlot(this.options(), undefined, this.target);
    this.plot = plot;
    this.fill(plot, this.data);
    this.tooltip = new Tooltip(plot.over, (index) =>
      this.data === null ? [] : [...this.rows(this.data, index), ...this.releasesAt(this.data, index)]);
    plot.over.addEventListener("dblclick", zoomOut);
  }

  private options(): uPlot.Options {
    const colours: AxisColours = {
      ink: this.colour("--ink-2"),
      grid: this.colour("--line"),
      font: `11px ${getComputedStyle(this).fontFamily}`,
    };
    return {
      width: this.target.clientWidth,
      height: this.target.clientHeight,
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), zone),
      padding: [() => roomAbove(this.target.clientWidth, this.data?.releases), 22, 0, 0],
      scales: { x: { time: true, range: () => this.span() }, y: this.scale() },
      axes: [timeAxis(colours), this.axis(colours)],
      series: [{}, ...this.series()],
      bands: this.bands,
      cursor: {
        sync: SHARED,
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => null },
        ...this.cursor(),
      },
      hooks: {
        drawClear: [(plot) => { this.paint?.(plot); }],
        draw: [(plot) => { this.mark(plot); }],
        setCursor: [(plot) => this.tooltip?.move(plot, this.data?.start ?? [])],
        setSelect: [(plot) => { this.select(plot); }],
      },
    };
  }

  private mark(plot: uPlot): void {
    drawReleases(plot, this.data?.releases.marks ?? [], {
      line: this.colour("--ink-3"),
      ink: this.colour("--ink-2"),
      family: getComputedStyle(this).fontFamily,
    });
  }

  private releasesAt(data: D, index: number): TooltipRow[] {
    return releaseRows(data.releases.marks, data.start[index] ?? 0, data.step);
  }

  private span(): uPlot.Range.MinMax {
    const { start = [], step = 1 } = this.data ?? {};
    return [start[0] ?? 0, (start.at(-1) ?? 0) + step];
  }

  private select(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < SMALLEST_DRAG || this.data === null) return;
    const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    this.selected(plot, this.data, from, to);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }
}
