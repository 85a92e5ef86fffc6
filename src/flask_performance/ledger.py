"""What one process counted: seen, sent, dropped by reason. Only the sender's thread writes it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wire import DropReason
    from .wire import Ledger as LedgerMember


class Ledger:
    """`seen - sent - sum(dropped)` requests wait in this process."""

    def __init__(self) -> None:
        self.seen = 0
        self.sent = 0
        self._dropped: dict[DropReason, int] = {}

    @property
    def dropped(self) -> "dict[DropReason, int]":
        return {reason: number for reason, number in self._dropped.items() if number}

    def drop(self, reason: "DropReason", requests: int) -> None:
        self._dropped[reason] = self._dropped.get(reason, 0) + requests

    def take_back(self, reason: "DropReason", requests: int) -> None:
        """What a batch carried was refused after all."""
        self.sent -= requests
        self.drop(reason, requests)

    def member(self) -> "LedgerMember":
        return {"seen": self.seen, "sent": self.sent, "dropped": self.dropped}
