import { describe, expect, test } from "vitest";
import { age, apdex, axisLabel, count, duration, measure, percent, significant } from "../src/format";
import durations from "../../tests/server/dashboard/durations.json";
import shares from "../../tests/server/dashboard/shares.json";
import cases from "../../tests/server/dashboard/numbers.json";

describe("numbers read as in the first paint", () => {
  test.each(cases as [number, string][])("%d is %s", (value, text) => {
    expect(significant(value)).toBe(text);
  });

  test.each(durations as [number, string, number, string][])(
    "%d µs in a column of %s",
    (value, symbol, size, text) => {
      expect(measure(value, { symbol, size })).toBe(text);
    },
  );

  test.each(shares as [number, string, string][])("%d is %s %%, an Apdex of %s", (share, per_cent, text) => {
    expect(percent(share)).toBe(per_cent);
    expect(apdex(share)).toBe(text);
  });

  test("a duration alone has one unit", () => {
    expect(duration(1_240, { symbol: "ms", size: 1_000 })).toBe("1.24 ms");
    expect(duration(864e8, { symbol: "ms", size: 1_000 })).toBe("1.00 d");
    expect(duration(null, { symbol: "ms", size: 1_000 })).toBe("–");
  });

  test("counts are exact", () => {
    expect(count(1_204_311)).toBe("1,204,311");
  });

  test("nothing is a dash, not a zero", () => {
    expect(measure(null, { symbol: "ms", size: 1000 })).toBe("–");
    expect(measure(0, { symbol: "ms", size: 1000 })).toBe("0");
  });
});

test.each([
  [-0.4, "0.0 s"],
  [0.42, "0.4 s"],
  [9.94, "9.9 s"],
  [12.9, "12 s"],
  [61, "1 min"],
  [7_300, "2 h"],
  [200_000, "2 d"],
])("an age of %d s reads %s", (seconds, text) => {
  expect(age(seconds)).toBe(text);
});

test("an axis has the decimals that its distance needs", () => {
  expect([0, 0.5, 1].map((value) => axisLabel(value, 0.5))).toEqual(["0.0", "0.5", "1.0"]);
  expect([0.25, 0.5, 0.75].map((value) => axisLabel(value, 0.25))).toEqual(["0.25", "0.50", "0.75"]);
  expect(axisLabel(2.5, 2.5)).toBe("2.5");
  expect(axisLabel(1500, 500)).toBe("1,500");
  expect(axisLabel(2_500_000, 500_000)).toBe("2.5M");
});
