"""What the tables of `models.py` are made of: the declarative base, types, and sessions by app."""

import itertools
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, DateTime, MetaData, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.orm import ORMExecuteState, Session


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python, naive UTC in the database: the same on every engine."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: "Dialect") -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: "Dialect") -> datetime | None:  # noqa: ARG002
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def public_id() -> str:
    """16 random hex digits: an address that cannot be guessed."""
    return secrets.token_hex(8)


class Base(DeclarativeBase):
    # Named constraints, so that a later revision can change them on every engine.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: UtcDateTime}


#: Sessions and engines by app. The models stand on plain `Base`, which type checkers understand.
db = SQLAlchemy()


class _Commits:
    """Counts what this process's pages, API and commands committed to the accounts."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)  # `next` is one step, whatever other threads do
        self.newest = 0

    def note(self, _session: object = None) -> None:
        self.newest = next(self._numbers)


_commits = _Commits()
event.listen(db.session, "after_commit", _commits.note)


def changes() -> int:
    """A number that is another one after every commit to the accounts in this process. Free.

    And after those of other processes, where `following.Follower` listens to them.
    """
    return _commits.newest


def note_change() -> None:
    """Another process committed something."""
    _commits.note()


#: What processes tell each other through PostgreSQL when they commit.
CHANNEL: Final = "flask_performance_accounts"


def _tell_others(session: "Session") -> None:
    """Part of the transaction: PostgreSQL delivers it when that is committed, not before."""
    if _is_postgresql(session) and session.info.pop("changed", False):
        session.execute(text(f"NOTIFY {CHANNEL}"))


def _note_flush(session: "Session", _context: object) -> None:
    session.info["changed"] = True


def _note_statement(state: "ORMExecuteState") -> None:
    if not state.is_select:
        state.session.info["changed"] = True


event.listen(db.session, "before_commit", _tell_others)
event.listen(db.session, "after_flush", _note_flush)
event.listen(db.session, "do_orm_execute", _note_statement)


def take_turns(what: str) -> None:
    """Until the end of this transaction nobody else does the same, in any process.

    SQLite needs no more than it does: who wrote has its file to himself.
    """
    if _is_postgresql(db.session()):
        turn = func.pg_advisory_xact_lock(func.hashtext(what))
        db.session.execute(select(turn))


def upserting(connection: Connection) -> Any:
    """The `insert` of the connection's engine, which knows `on_conflict_do_…`."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name]


def _is_postgresql(session: "Session") -> bool:
    return session.get_bind().dialect.name == "postgresql"
