"""A link in the documents that leads nowhere fails the build."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "examples").glob("*.md"),
    *(ROOT / "deploy").glob("*.md"),
    *(ROOT / "benchmarks").rglob("*.md"),
]
LINK = re.compile(r'\]\(([^)\s#]+)|(?:src|srcset)="([^"]+)"')


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_finds_it(document: Path) -> None:
    links = {first or second for first, second in LINK.findall(document.read_text("utf-8"))}
    local = {link for link in links if "://" not in link}
    assert [link for link in sorted(local) if not (document.parent / link).exists()] == []
