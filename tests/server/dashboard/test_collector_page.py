"""The page at a DSN, and the front end that is not built."""

import json
import os
from pathlib import Path

import pytest

from flask_performance.server.dashboard import Assets, FrontEndMissingError, collector_page

DSN = "https://metrics.example.com/v1/collector/c5b35bc078844a59a15dd506e08f3ae6"


def test_a_dsn_says_what_it_is_and_how_to_use_it() -> None:
    page = collector_page(DSN)
    assert "PerformanceCollector(app)" in page
    assert f"&#34;{DSN}&#34;" in page


def test_an_unknown_key_is_said_and_nothing_offered() -> None:
    page = collector_page(DSN, known=False)
    assert "This key belongs to no project" in page
    assert DSN not in page


def test_what_is_in_the_address_is_only_text() -> None:
    assert "<script>alert" not in collector_page('https://x/"><script>alert(1)</script>')


def test_a_new_build_is_found_without_a_restart(tmp_path: Path) -> None:
    manifest = tmp_path / ".vite" / "manifest.json"
    manifest.parent.mkdir()
    assets = Assets(tmp_path)
    for number, name in enumerate(("assets/main-1.js", "assets/main-2.js")):
        manifest.write_text(json.dumps({"src/main.ts": {"file": name, "css": ["a.css"]}}))
        os.utime(manifest, ns=(number, number))
        assert f'src="/static/{name}"' in assets.tags()


def test_a_front_end_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(FrontEndMissingError, match="make frontend"):
        collector_page(DSN, assets=Assets(tmp_path))
