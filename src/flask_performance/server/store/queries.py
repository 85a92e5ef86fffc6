"""Named queries: one file each under `sql/`, a sentence above the statement.

`@words` in a file are filled in by the caller, which only ever passes text of our own. Values
travel as parameters.
"""

from functools import cache
from pathlib import Path
from typing import Any

from .latency import BUCKET_SQL, FOURFOLD_SQL, MIDDLE_SQL, WITHIN_SQL

FOLDER = Path(__file__).parent / "sql"
#: Pieces that come in many queries.
LATENCY = {
    "bucket": BUCKET_SQL,
    "middle": MIDDLE_SQL,
    "within": WITHIN_SQL,
    "fourfold": FOURFOLD_SQL,
}


@cache
def load(name: str, **words: str) -> str:
    """The text of `sql/<name>.sql`."""
    text = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    for word, value in {**LATENCY, **words}.items():
        text = text.replace(f"@{word}", value)
    return text


def named(statement: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Those of the parameters that a statement names; DuckDB refuses others."""
    return {name: value for name, value in parameters.items() if f"${name}" in statement}
