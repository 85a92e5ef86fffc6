import { expect, test, vi } from "vitest";
import { stack } from "../src/charts/throughput";
import { bandsOf, limitsOf, marks, shade } from "../src/charts/heatmap";
import { placeNames, releaseRows, shortName } from "../src/charts/releases";
import { timeLabel } from "../src/charts/axes";
import { zoomUrl } from "../src/charts/zoom";

// It needs a real browser as soon as it is imported.
vi.mock("htmx.org", () => ({ default: {} }));

test("classes stand on each other, as rates; a step too young for a rate is a gap", () => {
  const stacked = stack({
    unit: { symbol: "/s", size: 1 },
    seconds: [10, null],
    counts: { success: [100, 5], redirect: [0, 0], client_error: [20, 1], server_error: [10, 0] },
  });
  expect(stacked.map((line) => line[0])).toEqual([10, null, 12, 13, null, null]);
  expect(stacked.every((line) => line[1] === null)).toBe(true);
});

test("a stack is drawn in the unit of its axis", () => {
  const unit = { symbol: "/min", size: 1 / 60 };
  expect(stack({ unit, seconds: [60], counts: { success: [3] } })[0]?.[0]).toBeCloseTo(3);
});

test("a zoom snaps outwards to whole steps and keeps the filters", () => {
  const url = zoomUrl(1_763_719_205.2, 1_763_719_218.9, 10, "http://x/projects/1?status=5xx");
  expect(url).toBe(
    "/projects/1?status=5xx&start=2025-11-21T10%3A00%3A00Z&end=2025-11-21T10%3A00%3A20Z",
  );
});

test("a zoom into less than a step shows that step", () => {
  const url = new URL(zoomUrl(100, 100, 60, "http://x/p"), "http://x");
  expect(url.searchParams.get("start")).toBe("1970-01-01T00:01:00Z");
  expect(url.searchParams.get("end")).toBe("1970-01-01T00:02:00Z");
});

test("axis labels say what distinguishes them", () => {
  const at = new Date(2026, 0, 31, 14, 5, 30).getTime() / 1000;
  const midnight = new Date(2026, 0, 31).getTime() / 1000;
  expect(timeLabel(at, 30)).toBe("14:05:30");
  expect(timeLabel(at, 300)).toBe("14:05");
  expect(timeLabel(midnight, 3600)).toBe("31 Jan");
  expect(timeLabel(at, 86_400)).toBe("31 Jan");
});

test("one request is seen as well as the most, and more is never paler", () => {
  expect(shade(1, 1)).toBe(3);
  const shades = [1, 2, 10, 100, 1_000].map((requests) => shade(requests, 1_000));
  expect(shades[0]).toBe(1);
  expect(shades.at(-1)).toBe(8);
  expect(shades).toEqual([...shades].sort((a, b) => a - b));
});

test("a logarithmic axis is marked at powers of ten, or finer where there are few", () => {
  expect(marks(300, 2_000_000)).toEqual([1_000, 10_000, 100_000, 1_000_000]);
  expect(marks(1_500, 7_000)).toEqual([2_000, 5_000]);
  expect(marks(5e6, 4_000e6)).toEqual([10e6, 60e6, 600e6, 3_600e6]);
});

test("a single band does not fill its chart", () => {
  const [least, most] = limitsOf([1_000, 1_080]);
  expect(most / least).toBeCloseTo(10);
  expect(least * most).toBeCloseTo(1_000 * 1_080);
  expect(limitsOf([100, 200_000])).toEqual([100, 200_000]);
  expect(limitsOf([])).toEqual([1, 10]);
});

test("a box takes every band that it touches, and no other", () => {
  const edges = [100, 200, 400, 800];
  expect(bandsOf(edges, 250, 300)).toEqual([1, 2]);
  expect(bandsOf(edges, 150, 401)).toEqual([0, 3]);
  expect(bandsOf(edges, 200, 400)).toEqual([1, 2]);
  expect(bandsOf(edges, 20, 9_000)).toEqual([0, 3]);
});

test("names of releases stand on their lines, and none runs into a newer one", () => {
  expect(placeNames([100, 300], [40, 40], 0, 500)).toEqual([80, 280]);
  expect(placeNames([100, 130], [40, 40], 0, 500)).toEqual([null, 110]);
  expect(placeNames([10, 495], [40, 40], 0, 500)).toEqual([0, 460]);
  expect(placeNames([], [], 0, 500)).toEqual([]);
});

test("a long name is cut where a line carries it, and whole in the tooltip of its step", () => {
  expect(shortName("2026.11.25")).toBe("2026.11.25");
  expect(shortName("9f3c2ab177de01f3c2")).toHaveLength(14);
  const marks = [90, 100, 109.9, 110].map((at) => ({ at, name: `r${at}` }));
  expect(releaseRows(marks, 100, 10).map(({ value }) => value)).toEqual(["r100", "r109.9"]);
  const many = [...Array(6).keys()].map((n) => ({ at: 100 + n, name: `r${n}` }));
  expect(releaseRows(many, 100, 10).map(({ value }) => value)).toEqual(
    ["r2", "r3", "r4", "r5", "2 more"]);
});
