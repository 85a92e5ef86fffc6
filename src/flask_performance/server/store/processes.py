"""What a store says of the processes of an app, and of the routes that they declare."""

from typing import Final

import msgspec

#: Shares of a shorter time (microseconds) are chance.
LEAST_US: Final = 1_000_000


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance used in a window, as it said itself; None: it did not say.

    Sums are of the time `span_us`, from its first word in the window (or the last one shortly
    before) to its last.
    """

    at_us: int  # of its last word, by its own clock
    span_us: int
    cpu_us: int | None  # processor time of the process
    busy_us: int | None  # durations of its requests, added up: two at once count twice
    memory_bytes: int | None  # at last
    peak_bytes: int | None
    concurrent: int | None  # the most requests under way at once
    threads: int | None
    beat_us: int | None  # it speaks this often, with or without requests; None or 0: it need not
    request_ns: int | None  # what recording adds to a request
    sender_us: int | None  # processor time of the sending

    @property
    def busy(self) -> float | None:
        """The share of its capacity that requests took: of the time, times as many requests at once
        as it was ever seen to serve. None: not known."""
        if self.busy_us is None or self.span_us < LEAST_US:
            return None
        # A request that began before the time is counted in full where it ends.
        return min(1.0, self.busy_us / (self.span_us * self.slots))

    @property
    def slots(self) -> int:
        """How many requests it can serve at once, as far as it was seen to."""
        return max(1, self.concurrent or 1)

    @property
    def cpu(self) -> float | None:
        """Processors that it kept busy; above 1 where several worked for it at once."""
        return self._share(self.cpu_us)

    @property
    def sender(self) -> float | None:
        """Processors that the sending kept busy."""
        return self._share(self.sender_us)

    def _share(self, us: int | None) -> float | None:
        return None if us is None or self.span_us < LEAST_US else us / self.span_us


class InstanceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One process of an app, as it was heard in a window."""

    instance: str  # the wire id
    host: str | None
    pid: int | None
    environment: str | None
    release: str | None
    client: str | None
    python: str | None
    flask: str | None
    started_us: int | None
    last_seen_us: int  # when its last batch of the window arrived
    served_us: int | None  # when the last one that brought requests did
    requests: int  # that arrived in the window and were stored
    final: bool  # it said goodbye
    usage: Usage | None  # None: its client says nothing of the process

    def seconds(self, start_us: int, end_us: int) -> float:
        """How much of a window it may have lived in: what counts are divided by for a rate."""
        return max(1.0, (end_us - max(start_us, self.started_us or 0)) / 1_000_000)


class DeclaredRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route that an app declares, for one method."""

    app: str  # empty: it did not say its name
    environment: str | None
    method: str  # empty: whatever the method
    route: str
    endpoint: str | None
    release: str | None  # of the process that declared it last
    first_us: int
    last_us: int  # when that was; an older one than the app's newest is declared no more
