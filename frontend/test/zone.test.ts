import { describe, expect, it } from "vitest";
import { fromLocal, toLocal } from "../src/zone";

describe("times of a form in a zone", () => {
  it.each([
    ["Europe/Berlin", "2026-01-15T12:00:00", "2026-01-15T11:00:00.000Z"],
    ["Europe/Berlin", "2026-07-15T12:00:00", "2026-07-15T10:00:00.000Z"],
    ["America/New_York", "2026-11-22T00:30:00", "2026-11-22T05:30:00.000Z"],
    ["Asia/Kathmandu", "2026-11-22T00:30:00", "2026-11-21T18:45:00.000Z"],
    ["UTC", "2026-11-22T23:59:59", "2026-11-22T23:59:59.000Z"],
  ])("%s: %s is %s, and back", (zone, local, instant) => {
    expect(fromLocal(local, zone).toISOString()).toBe(instant);
    expect(toLocal(new Date(instant), zone)).toBe(local);
  });

  it("knows the hours beside a change of the clocks", () => {
    // Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
    expect(fromLocal("2026-03-29T01:59:59", "Europe/Berlin").toISOString()).toBe("2026-03-29T00:59:59.000Z");
    expect(fromLocal("2026-03-29T03:00:00", "Europe/Berlin").toISOString()).toBe("2026-03-29T01:00:00.000Z");
  });
});
