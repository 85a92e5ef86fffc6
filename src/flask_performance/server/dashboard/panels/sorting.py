"""The headers of a table that is sorted by a click: where each leads, and how it is sorted now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

#: Name in the URL, label, whether its first click sorts downwards.
Offer = tuple[str, str, bool]
NO_UNITS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True)
class Column:
    """A header: where its click leads, and how the table is sorted by it now."""

    name: str
    label: str
    unit: str
    sort: str  # the state's sort after a click
    direction: str | None  # "ascending", "descending" or None


def columns(
    offered: Sequence[Offer], sort: str, units: Mapping[str, str] = NO_UNITS
) -> list[Column]:
    """The headers: a click sorts by that column, a second one turns the order round."""
    falling = sort.startswith("-")
    found = []
    for name, label, falls_first in offered:
        current = sort.removeprefix("-") == name
        falls_next = not falling if current else falls_first
        found.append(
            Column(
                name=name,
                label=label,
                unit=units.get(name, ""),
                sort=("-" if falls_next else "") + name,
                direction=("descending" if falling else "ascending") if current else None,
            )
        )
    return found


def own_sort(offered: Sequence[Offer], sort: str, default: str) -> str:
    """The sort of a table: the one asked for, if it is one of the table's own."""
    return sort if sort.removeprefix("-") in {name for name, _, _ in offered} else default
