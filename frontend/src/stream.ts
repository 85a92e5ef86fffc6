/** One connection of server-sent events that mends itself. */

export interface Pulse {
  /** The platform's clock, and when it last heard from the app (microseconds; null: never). */
  now_us: number;
  newest_us: number | null;
}

export interface Listener {
  pulse: (pulse: Pulse) => void;
  /** A panel's event: its name and its data. */
  panel: (name: string, data: string) => void;
  lost: () => void;
}

/** Nothing heard for this long means that the connection is dead, whatever TCP says. */
const SILENCE_MS = 30_000;
/** The browser gives up on some failures; then we try again after this long. */
const RETRY_MS = 2_000;

export class Stream {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly panels: readonly string[],
    private readonly listener: Listener,
  ) {
    this.open();
  }

  close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private open(): void {
    this.close();
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener("error", () => { this.fail(); });
    source.addEventListener("pulse", (event: MessageEvent<string>) => {
      this.heard();
      this.listener.pulse(JSON.parse(event.data) as Pulse);
    });
    for (const name of this.panels) {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.heard();
        this.listener.panel(name, event.data);
      });
    }
    this.heard();
  }

  private heard(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.fail(); }, SILENCE_MS);
  }

  private fail(): void {
    this.close();
    this.listener.lost();
    this.timer = setTimeout(() => { this.open(); }, RETRY_MS);
  }
}
