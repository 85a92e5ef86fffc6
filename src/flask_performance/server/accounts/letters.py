"""The dead letters of a broker: acknowledged envelopes that could not be stored, with the reason.

They are a table of the accounts' database, so that every worker can bury and any machine replay.
The journal keeps its own beside itself.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Engine, delete, func, select

from .models import Letter
from .orm import upserting

#: A reason is cut at this many characters.
REASON: Final = 500
#: What a list shows, in the order of `queue.dead_letters.DeadLetter`.
LISTED: Final = (
    Letter.id, Letter.project_id, Letter.received_us, func.length(Letter.body), Letter.reason,
    Letter.counted,
)  # fmt: skip
#: An envelope's parts.
ENVELOPE: Final = (
    Letter.project_id, Letter.received_us, Letter.gzip, Letter.body, Letter.counted,
)  # fmt: skip


class Letters:
    """For any number of threads and processes. Raises SQLAlchemyError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def bury(
        self, message: str, place: int, envelope: Sequence[Any], reason: str, counted: int
    ) -> None:
        """Once, however often the message comes. `envelope`: as `ENVELOPE`, without its count."""
        project_id, received_us, gzip, body = envelope
        row = {
            "block": bytes.fromhex(message), "place": place, "project_id": project_id,
            "received_us": received_us, "gzip": gzip, "body": body,
            "reason": reason.replace("\0", " ")[:REASON], "counted": counted,
        }  # fmt: skip
        with self._engine.begin() as connection:
            same = upserting(connection)(Letter).values(row)
            connection.execute(
                same.on_conflict_do_update(
                    index_elements=(Letter.block, Letter.place),
                    set_={"reason": row["reason"], "counted": counted},
                )
            )

    def count(self) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(Letter)) or 0

    def listed(self) -> list[Sequence[Any]]:
        """All, the oldest first."""
        with self._engine.connect() as connection:
            return list(connection.execute(select(*LISTED).order_by(Letter.id)))

    def body(self, id: int) -> tuple[bool, bytes] | None:
        """Whether it is gzip, and what was posted; None where there is no such letter."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(Letter.gzip, Letter.body).where(Letter.id == id)
            ).one_or_none()
        return None if row is None else (row[0], row[1])

    def taken(self, ids: Collection[int] | None) -> Iterator[tuple[int, bytes, Sequence[Any]]]:
        """Some (None: all), the oldest first: id, message that it came in, envelope."""
        query = select(Letter.id).order_by(Letter.id)
        with self._engine.connect() as connection:
            chosen = query if ids is None else query.where(Letter.id.in_(ids))
            found = connection.scalars(chosen).all()
        for id in found:  # one after the other: each may be a megabyte
            with self._engine.connect() as connection:
                row = connection.execute(
                    select(Letter.block, *ENVELOPE).where(Letter.id == id)
                ).one_or_none()
            if row is not None:
                yield id, row[0], tuple(row[1:])

    def delete_left(self, projects: Collection[int], greatest: int) -> None:
        """Forget those of deleted projects: which there are, and the greatest id ever given."""
        gone = Letter.project_id.not_in(projects), Letter.project_id <= greatest
        with self._engine.begin() as connection:
            connection.execute(delete(Letter).where(*gone))

    def trim(self, most: int) -> int:
        """Forget the oldest until all take at most so many bytes; how many."""
        newer = func.sum(func.length(Letter.body)).over(order_by=Letter.id.desc())
        sized = select(Letter.id, newer.label("size")).subquery()
        old = select(sized.c.id).where(sized.c.size > most)
        with self._engine.begin() as connection:
            return connection.execute(delete(Letter).where(Letter.id.in_(old))).rowcount

    def delete(self, ids: Collection[int] | None) -> int:
        """Forget some (None: all) for good; how many there were."""
        gone = delete(Letter)
        with self._engine.begin() as connection:
            return connection.execute(
                gone if ids is None else gone.where(Letter.id.in_(ids))
            ).rowcount
