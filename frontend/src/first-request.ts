/** <first-request src href>: waits for the first request, then shows the dashboard; meanwhile it
    says what the collector refused. */
import { leaveIfRefused } from "./navigation";
import { Stream, type Pulse } from "./stream";
import { swap } from "./swap";

export class FirstRequest extends HTMLElement {
  private stream: Stream | null = null;

  connectedCallback(): void {
    this.stream = new Stream(this.getAttribute("src") ?? "", ["refusals"], {
      pulse: (pulse) => { this.pulse(pulse); },
      panel: (name, html) => {
        const panel = document.getElementById(`panel-${name}`);
        if (panel !== null) swap(panel, html);
      },
      lost: () => {
        this.say("Connection lost, trying again…", "lost");
        void leaveIfRefused();
      },
    });
  }

  disconnectedCallback(): void {
    this.stream?.close();
  }

  private pulse(pulse: Pulse): void {
    if (pulse.newest_us === null) {
      this.say("Waiting for the first request…", "live");
      return;
    }
    this.stream?.close();
    location.replace(this.getAttribute("href") ?? location.href);
  }

  private say(words: string, state: string): void {
    const text = this.querySelector(".waiting-text");
    if (text !== null && text.textContent !== words) text.textContent = words;
    this.dataset.state = state;
  }
}
