"""What a store remembers of every instance: which batches it has, and the totals they reported.

Kept in memory for the instances heard lately, recalled from the stored receipts for the others.
Totals turn into differences here, because differences can be summed over any window, whatever else
is deleted or merged.
"""

from collections.abc import Callable, Iterable

from .block import InstanceKey, Receipt
from .ranges import Ranges

#: Project id and wire id.
Name = tuple[int, str]
#: Of an instance: first and last number of a run of batches, greatest total sent, when last heard.
Run = tuple[int, str, int, int, int | None, int]
#: Of an instance: a reason and the client's total of it.
Drop = tuple[int, str, str, int]
#: Reads the runs and drops of one instance back from the store.
Recall = Callable[[int, str], tuple[Iterable[Run], Iterable[Drop]]]


class KnownInstance:
    """Memory of one instance."""

    def __init__(self) -> None:
        self.batches = Ranges()
        self.sent = 0
        self.heard_us = 0
        self.dropped: dict[str, int] = {}

    def take(self, receipt: Receipt) -> None:
        """Remember that a batch came."""
        self.heard_us = max(self.heard_us, receipt.received_us)
        if receipt.number is not None:
            self.batches.add(receipt.number, receipt.number)

    def sent_since(self, receipt: Receipt) -> int:
        """How many requests the client sent since its batch before, by its own count."""
        if receipt.sent_total is None:
            return receipt.stored + sum(receipt.refused.values())
        difference = max(0, receipt.sent_total - self.sent)
        self.sent = max(self.sent, receipt.sent_total)
        return difference

    def dropped_since(self, receipt: Receipt) -> dict[str, int]:
        """What the client dropped since its batch before, by reason; only what changed."""
        changed = {}
        for reason, total in receipt.dropped_totals.items():
            if (difference := total - self.dropped.get(reason, 0)) > 0:
                changed[reason] = difference
                self.dropped[reason] = total
        return changed


class KnownInstances:
    """Memory of all instances: some at hand, any other through `recall`."""

    def __init__(self, recall: Recall, runs: Iterable[Run], drops: Iterable[Drop]) -> None:
        self._recall = recall
        self._instances: dict[Name, KnownInstance] = {}
        self._remember(runs, drops)

    def _remember(self, runs: Iterable[Run], drops: Iterable[Drop]) -> None:
        for project_id, wire_id, first, last, sent_total, heard_us in runs:
            instance = self._instances.setdefault((project_id, wire_id), KnownInstance())
            instance.batches.add(first, last)
            instance.sent = max(instance.sent, sent_total or 0)
            instance.heard_us = max(instance.heard_us, heard_us)
        for project_id, wire_id, reason, total in drops:
            instance = self._instances.setdefault((project_id, wire_id), KnownInstance())
            instance.dropped[reason] = total

    def of(self, project_id: int, wire_id: str) -> KnownInstance:
        """The memory of an instance; an empty one if it is new."""
        name = (project_id, wire_id)
        if name not in self._instances:
            self._remember(*self._recall(*name))
        return self._instances.setdefault(name, KnownInstance())

    def of_all(self, keys: Iterable[InstanceKey]) -> list[KnownInstance]:
        return [self.of(key.project_id, key.wire_id) for key in keys]

    def forget_project(self, project_id: int) -> None:
        self._keep(lambda name, _: name[0] != project_id)

    def forget_silent(self, since_us: int) -> None:
        """Give back the memory of instances not heard since; they are recalled when they speak."""
        self._keep(lambda _, instance: instance.heard_us >= since_us)

    def _keep(self, wanted: Callable[[Name, KnownInstance], bool]) -> None:
        self._instances = {n: one for n, one in self._instances.items() if wanted(n, one)}
