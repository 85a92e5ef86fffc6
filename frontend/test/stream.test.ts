import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Stream, type Listener } from "../src/stream";

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  closed = false;

  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }

  close(): void { this.closed = true; }

  say(name: string, data: string): void { this.dispatchEvent(new MessageEvent(name, { data })); }
}

const listener = (): Listener => ({ pulse: vi.fn(), panel: vi.fn(), lost: vi.fn() });

beforeEach(() => {
  FakeSource.all = [];
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
});
afterEach(() => { vi.useRealTimers(); });

test("events reach the listener by name", () => {
  const heard = listener();
  new Stream("/live", ["ledger"], heard);
  FakeSource.all[0]?.say("ledger", "<p>1</p>");
  FakeSource.all[0]?.say("pulse", '{"now_us": 2, "newest_us": null}');
  expect(heard.panel).toHaveBeenCalledWith("ledger", "<p>1</p>");
  expect(heard.pulse).toHaveBeenCalledWith({ now_us: 2, newest_us: null });
});

test("an error says so and opens a new connection", () => {
  const heard = listener();
  new Stream("/live", [], heard);
  FakeSource.all[0]?.dispatchEvent(new Event("error"));
  expect(heard.lost).toHaveBeenCalledOnce();
  expect(FakeSource.all[0]?.closed).toBe(true);
  vi.advanceTimersByTime(2_000);
  expect(FakeSource.all).toHaveLength(2);
});

test("silence counts as a lost connection", () => {
  const heard = listener();
  new Stream("/live", [], heard);
  vi.advanceTimersByTime(29_000);
  FakeSource.all[0]?.say("pulse", '{"now_us": 2, "newest_us": 1}');
  vi.advanceTimersByTime(29_000);
  expect(heard.lost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2_000);
  expect(heard.lost).toHaveBeenCalledOnce();
});

test("a closed stream never comes back", () => {
  const heard = listener();
  new Stream("/live", [], heard).close();
  vi.advanceTimersByTime(100_000);
  expect(heard.lost).not.toHaveBeenCalled();
  expect(FakeSource.all).toHaveLength(1);
});
