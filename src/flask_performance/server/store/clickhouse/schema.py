"""The tables of ClickHouse's home, as a server or each server of a cluster creates them."""

import re
from typing import Final

from flask_performance.server.store.base import MINUTE_US
from flask_performance.server.store.rollups import OPERATIONS, ROLLUPS, Rollup

from .queries import FOLDER, statement

#: Which tables every server has as a whole, and which are cut into shards; and what merges do.
ENGINE: Final = re.compile(r"@(everywhere|sharded)(?:\.([A-Za-z]+)\((\w+)\))?")
NAME: Final = re.compile(r"(?<=create table if not exists )\w+(?=@local)")
#: What a request's, and a batch's, shard depends on, and what a rollup's.
BY_INSTANCE: Final = "cityHash64(project_id, instance_id)"
BY_STEP: Final = "cityHash64(project_id, start_us)"


def alone() -> list[str]:
    """Statements for a server of its own."""
    return [_filled(table, "MergeTree") for table in _statements()]


def clustered(database: str, cluster: str) -> list[str]:
    """Statements for each server of a cluster, which knows by its macros `shard` and `replica`
    which one it is."""
    made = []
    for table in _statements():
        name, sharded = _name(table), "@sharded" in table
        shard, replica = ("{shard}", "{replica}") if sharded else ("all", "{shard}-{replica}")
        where = f"'/flask-performance/{database}/{shard}/{name}', '{replica}'"
        made.append(_filled(table, "ReplicatedMergeTree", where, "_local" if sharded else ""))
        if sharded:
            key = BY_STEP if "roll Int64" in table else BY_INSTANCE
            made.append(
                f"create table if not exists {name} as {name}_local "
                f"engine = Distributed({cluster}, {database}, {name}_local, {key})"
            )
    return made


def everywhere() -> list[str]:
    """The tables that every server has as a whole."""
    return [_name(table) for table in _statements() if "@everywhere" in table]


def _name(table: str) -> str:
    return str(NAME.findall(table)[0])


def _filled(table: str, name: str, where: str = "", local: str = "") -> str:
    made = ENGINE.sub(lambda found: _engine(found, name, where), table)
    return made.replace("@local", local)


def _engine(found: re.Match[str], name: str, where: str) -> str:
    """`MergeTree` with what goes before its name and into its brackets."""
    kind, column = found[2] or "", found[3] or ""
    inside = ", ".join(part for part in (where, column) if part)
    full = name.replace("MergeTree", f"{kind}MergeTree")
    return f"{full}({inside})" if inside else full


def _statements() -> list[str]:
    """Of `sql/schema.sql`, and for the rollups: a table each."""
    text = (FOLDER / "schema.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    tables = [table for table in "\n".join(lines).split(";") if table.strip()]
    return [*tables, *(_rollup(rollup) for rollup in ROLLUPS)]


def _rollup(rollup: Rollup) -> str:
    by_operation = rollup in OPERATIONS
    return statement(
        "rollup",
        table=rollup.table,
        width=str(rollup.width_us),
        operation="operation_id Int64," if by_operation else "",
        key="operation_id," if by_operation else "",
        # What is coarser has fewer rows, and is kept for longer.
        partition="day" if rollup.width_us == MINUTE_US else "toYYYYMM(day)",
    )
