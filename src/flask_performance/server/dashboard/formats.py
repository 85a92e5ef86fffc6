"""How numbers read on a page: three significant digits, one unit a column, "–" where nothing is.

Counts are exact, with separators: the ledger and the tables must add up. Everything measured is
rounded to three digits. `docs/look.md` is the rule for people; `frontend/src/format.ts` says the
same in the browser, so that a live value never reads differently from the first paint.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Final

from jinja2 import Environment

MISSING: Final = "–"
SECOND_US: Final = 1_000_000


#: Outside of these a number is too long to read, and for its column: it takes its own unit along.
LEAST: Final = 0.001
MOST: Final = 100_000


@dataclass(frozen=True)
class Unit:
    """A unit for a whole column: its symbol, and how many base units it holds."""

    symbol: str
    size: float
    #: All units of what is measured, the smallest first. A value far off takes its own.
    family: "tuple[Unit, ...]" = ()
    #: The smallest one is counted, not measured: there are no parts of it.
    whole: bool = False

    def show(self, value: float | None) -> str:
        """The number alone, in this unit; with the symbol of its own unit where it is far off."""
        if value is None:
            return MISSING
        unit = self._own(value)
        whole = self.whole and unit.size == 1
        text = f"{value:,.0f}" if whole else significant(value / unit.size)
        return text if unit.size == self.size else f"{text} {unit.symbol}"

    def _own(self, value: float) -> "Unit":
        small = self.whole and value < self.family[1].size
        if value == 0 or (LEAST <= value / self.size < MOST and not small):
            return self
        return next((one for one in reversed(self.family) if value >= one.size), self)


def _family(sizes: dict[str, float], *, whole: bool = False) -> tuple[Unit, ...]:
    """Units that know each other."""
    family = tuple(Unit(symbol, size) for symbol, size in sizes.items())
    return tuple(Unit(unit.symbol, unit.size, family, whole) for unit in family)


DURATIONS: Final = _family(
    {
        "µs": 1,
        "ms": 1_000,
        "s": SECOND_US,
        "min": 60 * SECOND_US,
        "h": 3_600 * SECOND_US,
        "d": 86_400 * SECOND_US,
        "y": 31_536_000 * SECOND_US,
    }
)
MICROSECONDS, MILLISECONDS, SECONDS, MINUTES, HOURS, DAYS, YEARS = DURATIONS
BYTES: Final = _family(
    {
        symbol: 1_000**power
        for power, symbol in enumerate(("B", "kB", "MB", "GB", "TB", "PB", "EB"))
    },
    whole=True,
)
#: Requests per time. The smallest unit in which there is one; a tenth a second still reads well.
RATES: Final = (
    (MOST, Unit("k/s", 1_000)),
    (0.1, Unit("/s", 1)),
    (1 / 60, Unit("/min", 1 / 60)),
    (1 / 3_600, Unit("/h", 1 / 3_600)),
    (0.0, Unit("/d", 1 / 86_400)),
)


def significant(value: float) -> str:
    """Three significant digits, with separators and without exponent: 0.0182, 1.24, 182, 4,210."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    decimals = 1 if abs(rounded) >= 10 else 2
    if abs(rounded) < 1:
        # As many zeros as the number has, so that 0.00213 does not become 0.
        decimals = 2 - int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:.{decimals}f}"


def count(value: int | None) -> str:
    """An exact count with separators."""
    return MISSING if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share (0 to 1) in per cent, without the sign; what is not zero never reads as zero."""
    if share is None:
        return MISSING
    if 0 < share < 0.0001:
        return "< 0.01"
    return significant(share * 100)


def apdex(value: float | None) -> str:
    """Two digits, as everybody writes it; what is not perfect never reads as 1."""
    if value is None:
        return MISSING
    return f"{value if value in (0.0, 1.0) else min(0.99, max(0.01, value)):.2f}"


def duration_unit(values: Iterable[float | None]) -> Unit:
    """The unit in which the typical one of these durations (microseconds) reads best."""
    present = [value for value in values if value is not None]
    typical = median(present) if present else 1_000.0
    # 5 minutes are 300 s; from there on the next unit has three digits too.
    for unit, least in ((YEARS, 1), (DAYS, 5), (HOURS, 5), (MINUTES, 5), (SECONDS, 1)):
        if typical >= least * unit.size:
            return unit
    # Below 100 µs hardly anything is served over HTTP; milliseconds are what people compare.
    return MILLISECONDS if typical >= 100 else MICROSECONDS


def spread(from_us: int | None, to_us: int | None) -> str:
    """A half-open range of durations with its unit: "4.90–9.80 ms", "under 1.00 ms"."""
    unit = duration_unit([from_us if to_us is None else to_us])
    least, most = unit.show(from_us), unit.show(to_us)
    if to_us is None:
        return f"{least} {unit.symbol} and more"
    return f"{least}–{most} {unit.symbol}" if from_us else f"under {most} {unit.symbol}"


def rate_unit(per_second: Iterable[float]) -> Unit:
    """The unit in which the typical one of these rates reads best; nothing does not count."""
    present = [value for value in per_second if value]
    typical = median(present) if present else 1.0
    return next(unit for least, unit in RATES if typical >= least)


def span(seconds: float) -> str:
    """A length of time in words, rounded down: "48 s", "3 min", "2 h", "5 d"."""
    for symbol, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {symbol}"
    return f"{int(seconds)} s"


def byte_unit(values: Iterable[int | None]) -> Unit:
    """The unit in which the typical one of these sizes (bytes) reads best."""
    present = [value for value in values if value is not None]
    typical = median(present) if present else 0
    return next((unit for unit in reversed(BYTES) if typical >= unit.size), BYTES[0])


def instant(us: int) -> str:
    """Microseconds since the epoch as the `datetime` attribute of a <time> element (UTC)."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).isoformat(timespec="milliseconds")


def instant_us(us: int) -> str:
    """Microseconds since the epoch in RFC 3339, exactly (UTC)."""
    seconds, rest = divmod(us, SECOND_US)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06}Z"


def threshold(us: int) -> str:
    """An Apdex threshold in milliseconds, exact and as short as can be: "500", "1.5"."""
    return f"{us // 1000}.{us % 1000:03}".rstrip("0").rstrip(".")


def clock(us: int) -> str:
    """Time of day to the millisecond, UTC; the browser shows the person's zone instead."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).strftime("%H:%M:%S.%f")[:-3]


def moment(us: int) -> str:
    """Date and time to the minute, UTC; the browser shows the person's zone instead."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).strftime("%-d %b %H:%M")


def date(us: int) -> str:
    """The day, UTC: what lies years apart."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).strftime("%-d %b %Y")


def us(moment: datetime) -> int:
    """What the accounts keep, as what these formats take."""
    return int(moment.timestamp() * SECOND_US)


def step(us: int) -> str:
    """Date and time to the second, UTC: where a step of a chart starts."""
    return datetime.fromtimestamp(us / SECOND_US, UTC).strftime("%-d %b %H:%M:%S")


def plural(number: int, one: str, many: str | None = None) -> str:
    """The exact number with its noun: "1 request", "2,104 requests"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def element_id(*parts: str) -> str:
    """A short id for the element of a row, the same for the same row in every rendering."""
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=6)
    return "r" + digest.hexdigest()


#: What templates call these.
FILTERS: Final[dict[str, Callable[..., str | int]]] = {
    "clock": clock,
    "count": count,
    "date": date,
    "instant": instant,
    "moment": moment,
    "percent": percent,
    "plural": plural,
    "significant": significant,
    "step": step,
    "threshold": threshold,
    "us": us,
}


def register(environment: Environment) -> None:
    """Make the formats available to the templates of an environment."""
    environment.filters.update(FILTERS)
