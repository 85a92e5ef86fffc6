"""What the pages for people say about roles and scopes is what the code does."""

import re
from pathlib import Path

from flask_performance.server.accounts.permissions import POWER, READING, Action, Scope, may
from flask_performance.server.dashboard.headers import SECURITY_HEADERS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_table_of_roles() -> None:
    page = (DOCS / "accounts.md").read_text()
    table = page.partition("<!-- roles")[2].partition("<!-- end of roles -->")[0]
    head, _line, *rows = re.findall(r"^\|(.*)\|$", table, re.MULTILINE)
    assert [cell.strip() for cell in head.split("|")] == ["", *(role.value for role in POWER)]
    found = {}
    for row in rows:
        action, *cells = (cell.strip() for cell in row.split("|"))
        found[action] = [{"yes": True, "": False}[cell] for cell in cells]
    assert found == {action.value: [may(role, action) for role in POWER] for action in Action}


def test_scopes() -> None:
    page = (DOCS / "api.md").read_text()
    for scope in Scope:
        assert f"`{scope}`" in page
    assert {Action.SEE_DATA, Action.SEE_AUDIT} == READING, "docs/api.md says what `read` reads"


def test_every_header_is_explained() -> None:
    page = (DOCS / "security.md").read_text()
    for name in (*SECURITY_HEADERS, "Strict-Transport-Security", "Cache-Control"):
        assert f"`{name}`" in page
