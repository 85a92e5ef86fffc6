"""The figures of all contenders as a table for people."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from .runs import Pair

HEADS = (
    "contender", "p50 µs", "its rounds", "p99 µs", "CPU µs", "memory MB", "start ms", "POSTs",
    "kept",
)  # fmt: skip


@dataclass
class Result:
    """What was measured of one contender."""

    pairs: list[Pair] = field(default_factory=list)
    start_ms: float = 0.0
    #: Why there is nothing.
    fault: str = ""

    def added(self, figure: str) -> list[float]:
        return [with_it[figure] - bare[figure] for bare, with_it in self.pairs]

    def median(self, figure: str) -> float:
        return statistics.median(self.added(figure))


def row(name: str, result: Result) -> Sequence[str]:
    if result.fault or not result.pairs:
        return [name, "-", "-", "-", "-", "-", "-", "-", "-"]
    p50s = result.added("p50_us")
    last = result.pairs[-1][1]
    return [
        name,
        f"{result.median('p50_us'):+.1f}",
        f"{min(p50s):+.1f} to {max(p50s):+.1f}",
        f"{result.median('p99_us'):+.0f}",
        f"{result.median('cpu_us'):+.1f}",
        f"{result.median('peak_mb'):+.1f}",
        f"{result.start_ms:+.1f}",
        str(last["posts"]),
        kept([with_it.get("kept_share") for _, with_it in result.pairs]),
    ]


def kept(shares: Sequence[float | None]) -> str:
    """The worst round's: one that lost requests is not made good by others. A peer's own requests
    may count as well; that is no more than all."""
    known = [min(share, 1.0) for share in shares if share is not None]
    return f"{int(min(known) * 1000) / 10:g} %" if known else "-"


def table(results: dict[str, Result]) -> str:
    bares = [bare for result in results.values() for bare, _ in result.pairs]
    p50s = [bare["p50_us"] for bare in bares]
    said = (
        f"Bare Flask: p50 {statistics.median(p50s):.1f} µs ({min(p50s):.1f} to {max(p50s):.1f} "
        f"over {len(bares)} runs), p99 {statistics.median(bare['p99_us'] for bare in bares):.0f} "
        "µs. All others: what they add to a request, or to the process."
    )
    lines = [said, "", f"| {' | '.join(HEADS)} |", "|---" + "|--:" * (len(HEADS) - 1) + "|"]
    lines += [f"| {' | '.join(row(name, result))} |" for name, result in results.items()]
    faults = [f"- {name}: {result.fault}" for name, result in results.items() if result.fault]
    return "\n".join([*lines, *(["", "Not measured:", "", *faults] if faults else [])])
