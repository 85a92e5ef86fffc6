/** How numbers read, exactly as `formats.py` writes them in the first paint. */

export const MISSING = "–";

export interface Unit {
  symbol: string;
  size: number;
}

/** Three significant digits, with separators and without exponent: 0.0182, 1.24, 182, 4,210. */
export function significant(value: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const size = Math.abs(rounded);
  if (size >= 100) return rounded.toLocaleString("en-US", { maximumFractionDigits: 0 });
  if (size >= 10) return rounded.toFixed(1);
  if (size >= 1) return rounded.toFixed(2);
  return rounded.toFixed(2 - Math.floor(Math.log10(size)));
}

/** An exact count with separators. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

/** A share (0 to 1) in per cent, without the sign; what is not zero never reads as zero. */
export function percent(share: number): string {
  return share > 0 && share < 0.0001 ? "< 0.01" : significant(share * 100);
}

/** Two digits, as everybody writes it; what is not perfect never reads as 1. */
export function apdex(value: number | null | undefined): string {
  if (value == null) return MISSING;
  return (value === 0 || value === 1 ? value : Math.min(0.99, Math.max(0.01, value))).toFixed(2);
}

/** Outside of these a number is too long to read, and for its place: it takes its own unit along. */
const LEAST = 0.001;
const MOST = 100_000;
/** Units of time, the largest first (microseconds). */
const DURATIONS: readonly Unit[] = [
  { symbol: "y", size: 31_536_000e6 },
  { symbol: "d", size: 86_400e6 },
  { symbol: "h", size: 3_600e6 },
  { symbol: "min", size: 60e6 },
  { symbol: "s", size: 1e6 },
  { symbol: "ms", size: 1e3 },
  { symbol: "µs", size: 1 },
];

/** A duration in a unit, without the unit; with the symbol of its own unit where it is far off. */
export function measure(value: number | null | undefined, unit: Unit): string {
  if (value == null) return MISSING;
  const number = value / unit.size;
  const own = value === 0 || (number >= LEAST && number < MOST)
    ? unit
    : DURATIONS.find(({ size }) => value >= size) ?? unit;
  const text = significant(value / own.size);
  return own.size === unit.size ? text : `${text} ${own.symbol}`;
}

/** A duration with its unit. */
export function duration(value: number | null | undefined, unit: Unit): string {
  const text = measure(value, unit);
  return text === MISSING || text.includes(" ") ? text : `${text} ${unit.symbol}`;
}

/** A duration in its own unit, as short as it can be said: "1 ms", "2.5 s". */
export function shortDuration(us: number): string {
  const unit = DURATIONS.find(({ size }) => us >= size) ?? { symbol: "µs", size: 1 };
  return `${Number((us / unit.size).toPrecision(3))} ${unit.symbol}`;
}

/** An axis label: short, and as many decimals as the distance between labels needs. */
export function axisLabel(value: number, distance: number): string {
  if (value >= MOST) return value.toLocaleString("en-US", { notation: "compact" });
  let decimals = 0;
  while (decimals < 6 && Math.abs(distance - Number(distance.toFixed(decimals))) > 1e-9) decimals += 1;
  return value.toLocaleString("en-US", {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** An age in words, from seconds: "0.4 s", "12 s", "4 min", "3 h", "2 d". */
export function age(seconds: number): string {
  const known = Math.max(0, seconds);
  if (known < 10) return `${known.toFixed(1)} s`;
  if (known < 60) return `${Math.floor(known)} s`;
  if (known < 3_600) return `${Math.floor(known / 60)} min`;
  if (known < 86_400) return `${Math.floor(known / 3_600)} h`;
  return `${Math.floor(known / 86_400)} d`;
}
