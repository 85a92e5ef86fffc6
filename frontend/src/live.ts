/** <live-stream src>: keeps the page's panels live and says how old the newest data is. */
import { age } from "./format";
import { leaveIfRefused } from "./navigation";
import { Stream, type Pulse } from "./stream";
import { swap } from "./swap";

/** Charts listen on the document for their panel's data under this name. */
export const CHART_DATA = "chart-data:";
const TICK_MS = 100;
const CALM_TICK_MS = 1_000;

type State = "connecting" | "live" | "lost" | "paused";

export class LiveStream extends HTMLElement {
  static readonly observedAttributes = ["src"];
  private stream: Stream | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private state: State = "connecting";
  /** When the newest data came, by this machine's clock (milliseconds). */
  private newest: number | null = null;
  private readonly dot = document.createElement("span");
  private readonly text = document.createElement("span");
  private readonly button = document.createElement("button");
  private readonly pending = new Map<string, string>();
  private readonly onVisible = (): void => { this.follow(); };
  private readonly onMove = (): void => { this.catchUp(); };

  connectedCallback(): void {
    this.dot.className = "live-dot";
    this.text.className = "live-text";
    this.button.type = "button";
    this.button.className = "small plain";
    this.button.addEventListener("click", () => {
      if (this.state === "paused") this.resume();
      else this.pause();
    });
    this.replaceChildren(this.dot, this.text, this.button);
    this.hear(Number(this.dataset.nowUs), Number(this.dataset.newestUs) || null);
    document.addEventListener("visibilitychange", this.onVisible);
    document.addEventListener("pointerover", this.onMove);
    this.resume();
    this.tick();
  }

  disconnectedCallback(): void {
    this.stream?.close();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisible);
    document.removeEventListener("pointerover", this.onMove);
  }

  /** Another question about the same page: its answers come at once. */
  attributeChangedCallback(): void {
    if (this.stream !== null) this.follow();
  }

  private pause(): void {
    this.stream?.close();
    this.stream = null;
    this.show("paused");
  }

  private resume(): void {
    this.show("connecting");
    this.follow();
  }

  /** A tab that nobody sees holds no connection; on return it gets the whole state at once. */
  private follow(): void {
    this.stream?.close();
    this.stream = null;
    if (document.hidden || this.state === "paused") return;
    const names = [...document.querySelectorAll("[data-live], [event]")].map(panelName);
    this.stream = new Stream(this.getAttribute("src") ?? "", names, {
      pulse: (pulse) => { this.pulse(pulse); },
      panel: (name, data) => { this.panel(name, data); },
      lost: () => { this.lost(); },
    });
  }

  private pulse(pulse: Pulse): void {
    this.hear(pulse.now_us, pulse.newest_us);
    if (this.state !== "live") this.show("live");
  }

  private lost(): void {
    this.show("lost");
    void leaveIfRefused();
  }

  private hear(nowUs: number, newestUs: number | null): void {
    this.newest = newestUs === null ? null : Date.now() - (nowUs - newestUs) / 1_000;
  }

  private panel(name: string, data: string): void {
    const panel = document.getElementById(`panel-${name}`);
    if (panel?.dataset.live === undefined) {
      document.dispatchEvent(new CustomEvent(CHART_DATA + name, { detail: data }));
    } else if (swap(panel, data)) {
      this.pending.delete(name);
    } else {
      this.pending.set(name, data);
    }
  }

  /** Panels that were held while the pointer was on them get their newest state now. */
  private catchUp(): void {
    for (const [name, data] of this.pending) this.panel(name, data);
  }

  private show(state: State): void {
    this.state = state;
    this.dataset.state = state;
    this.button.textContent = state === "paused" ? "Resume" : "Pause";
    this.words();
  }

  private words(): void {
    const seconds = this.newest === null ? null : (Date.now() - this.newest) / 1_000;
    const since = seconds === null ? "no data yet" : age(seconds);
    this.text.title = this.state === "lost" ? "Trying again by itself" : "";
    this.text.textContent = {
      connecting: "connecting…",
      live: `live · ${since}`,
      lost: `connection lost · ${since} old`,
      paused: `paused · ${since} old`,
    }[this.state];
  }

  private tick(): void {
    this.words();
    const young = this.newest !== null && Date.now() - this.newest < 10_000;
    this.timer = setTimeout(() => { this.tick(); }, young ? TICK_MS : CALM_TICK_MS);
  }
}

function panelName(element: Element): string {
  return element.getAttribute("event") ?? element.id.replace("panel-", "");
}
