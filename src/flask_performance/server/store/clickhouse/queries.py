"""Named statements in ClickHouse's SQL, in the words that 18.16 and current releases share.

One file each under `sql/`, as for DuckDB (`store/queries.py`): `@words` are filled in by the
caller, and `$names` with values, here, because the server of 18.16 takes no parameters.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from clickhouse_driver.util.escape import escape_chars_map

from flask_performance.server.store.latency import GAMMA, LN_GAMMA

FOLDER: Final = Path(__file__).parent / "sql"
WORD: Final = re.compile(r"@([a-z_]+)")
NAME: Final = re.compile(r"\$([a-z_0-9]+)")
BUCKET: Final = "if({0} > 1, toInt16(ceil(log({0}) / " + repr(LN_GAMMA) + ")), toInt16(0))"
#: Requests that asked in vain: for what matches no route, or in a way that a route refuses.
VAIN: Final = "(status in (308, 405) or (status >= 300 and operation_id {}))"
#: What all statements may say.
WORDS: Final = {
    "middle": f"2 * pow({GAMMA!r}, bucket) / {GAMMA + 1!r}",
    "bucket_of_queue": BUCKET.format("queue_us"),
    "bucket_of_value": BUCKET.format("value"),
    # Identifies a path that was asked for in vain, in a sketch.
    "key": "cityHash64(operation_id, status, ifNull(path, ''), path is null)",
    "vain": VAIN.format("in $nowhere"),
}


@cache
def statement(name: str, **words: str) -> str:
    """The text of `sql/<name>.sql`."""
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    known = WORDS | words
    return WORD.sub(lambda found: known.get(found[1], found[0]), text)


def filled(text: str, parameters: Mapping[str, Any]) -> str:
    """A statement with the values of its parameters."""
    return NAME.sub(lambda found: literal(parameters[found[1]]), text)


def literal(value: Any) -> str:
    """A value as ClickHouse writes it: a list is an array, a tuple what stands behind IN."""
    if isinstance(value, str):
        return "'" + "".join(escape_chars_map.get(one, one) for one in value) + "'"
    if isinstance(value, list) and not value:
        return "emptyArrayInt64()"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):  # no id of ours is 0, and an empty list is refused
        return f"({', '.join(map(literal, value)) or '0'})"
    return str(int(value))
