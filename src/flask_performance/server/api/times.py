"""Instants as RFC 3339 text and as UTC microseconds since the epoch."""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_10000 = 253_402_300_800_000_000
# A `+` in a query string means a space: an offset that lost its plus on the way is still clear.
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([Zz])|([-+ ])(\d\d:\d\d))",
    re.ASCII,
)


def to_us(text: str) -> int:
    """RFC 3339 with an offset or Z; digits below a microsecond are cut.

    Raises ValueError, also outside of the years 1970 to 9999 (UTC).
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("not RFC 3339")
    date, clock, fraction, zulu, sign, offset = match.groups()
    zone = "+00:00" if zulu else ("-" if sign == "-" else "+") + offset
    micros = (fraction or "")[:6].ljust(6, "0")
    moment = datetime.fromisoformat(f"{date}T{clock}.{micros}{zone}")
    us = (moment - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= us < _YEAR_10000:
        raise ValueError("out of range")
    return us


def from_us(us: int) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    moment = _EPOCH + timedelta(microseconds=us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
