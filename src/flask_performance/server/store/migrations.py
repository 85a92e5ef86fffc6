"""How a data file of an older version becomes one of this version.

`sql/schema.sql` is what a new file gets. `sql/migrations/` has one numbered file for every schema
since: `0002_words.sql` turns schema 1 into schema 2. To change the schema, change `schema.sql` and
add the next file; a test (`test_migrations.py`) compares what both lead to.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent / "sql" / "migrations"
NAME: Final = re.compile(r"([0-9]{4})_[a-z0-9_]+")


class Migration(NamedTuple):
    """Statements that lead to a schema from the one before."""

    schema: int
    statements: str


def migrations() -> list[Migration]:
    """All there are, in order. Their numbers have neither a gap nor a repeat."""
    found = []
    for schema, file in enumerate(sorted(FOLDER.glob("*.sql")), 2):
        name = NAME.fullmatch(file.stem)
        if name is None or int(name[1]) != schema:
            raise ValueError(f"{file.name} should be called {schema:04}_words.sql")
        found.append(Migration(schema, file.read_text("utf-8")))
    return found


#: The version of `sql/schema.sql`.
SCHEMA: Final = len(migrations()) + 1
