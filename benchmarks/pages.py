"""How long the pages take, over HTTP and in Chromium, with many requests stored.

    python -m benchmarks.pages FOLDER

FOLDER is what `reading` has filled and kept. `serve` starts on it with its defaults; each page is
opened for windows of 24 h and 30 d that end a little earlier each time, so that no answer is one
that was kept. Over HTTP the time is that until the last byte of the page's HTML; in Chromium it is
the first contentful paint, by the browser's own clock.
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from flask_performance.server.store.base import DAY_US, Filter
from flask_performance.server.store.duckdb import DuckDBStore
from tests.support.browserless import Session, log_in
from tests.support.platform import EMAIL, PASSWORD, Platform, running_platform

from .report import keep, machine, quantile
from .traffic import PROJECT, operations

ROUNDS: Final = 12
PAINTS: Final = 5
WINDOWS: Final = {"24h": DAY_US, "30d": 30 * DAY_US}
PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
ONE: Final = operations()[2]
OF_ONE: Final = {"method": ONE.method, "route": ONE.route}
#: Name, what stands behind the project's path, and what is asked for beside the window.
PAGES: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "overview": ("", {}),
    "operation": ("/operations", OF_ONE),
    "requests": ("/requests", {}),
    "requests 5xx": ("/requests", {"status": "5xx"}),
    "requests by a part of the path": ("/requests", {"path": "things59/98"}),
    "unmatched": ("/unmatched", {}),
    "routes": ("/routes", {}),
    "instances": ("/instances", {}),
}


def addresses(platform: Platform, project_id: str, end_us: int) -> Iterator[tuple[str, Any]]:
    """The name of every page, and its address at each turn."""
    for window, width_us in WINDOWS.items():
        for name, (behind, asked) in PAGES.items():

            def at(
                turn: int, width_us: int = width_us, behind: str = behind,
                asked: dict[str, str] = asked,
            ) -> str:  # fmt: skip
                until_us = end_us - turn * 7_777_777
                span = {"start": written(until_us - width_us), "end": written(until_us)}
                query = urlencode(asked | span)
                return f"{platform.url}/projects/{project_id}{behind}?{query}"

            yield f"{window} {name}", at


def written(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def told(took: list[float]) -> str:
    """Milliseconds at p50, p95 and at most."""
    took = sorted(took)
    return f"{quantile(took, 0.5):.0f} / {quantile(took, 0.95):.0f} / {took[-1]:.0f} ms"


def over_http(session: Session, at: Callable[[int], str]) -> str:
    took = []
    for turn in range(ROUNDS):
        began = time.perf_counter()
        address, answer = session.open(at(turn))
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, (address, answer.status)
    return told(took)


def painted(page: Any, at: Callable[[int], str]) -> str:
    took = []
    for turn in range(PAINTS):
        page.goto(at(ROUNDS + turn))
        page.wait_for_function(f"() => ({PAINT}) !== null")
        took.append(float(page.evaluate(PAINT)))
    return told(took)


def owned(folder: Path) -> str:
    """The public id of the first project, which owns the traffic. It is made while the store is
    aside: `serve` starts on no store whose projects its accounts never had. A folder is used once.
    """
    events, aside = folder / "events.duckdb", folder / "events.aside"
    events.rename(aside)
    with running_platform(folder) as platform:
        project_id = platform.project("Shop").id
    aside.replace(events)
    return project_id


def main() -> None:
    folder, on = Path(sys.argv[1]), machine()
    store = DuckDBStore(folder / "events.duckdb")
    end_us = store.last_seen_us(PROJECT) or 0
    stored = store.summary(Filter(project_id=PROJECT, start_us=0, end_us=end_us)).requests
    store.close()
    figures: dict[str, Any] = {"requests": f"{stored} in 31 days"}
    project_id = owned(folder)
    with running_platform(folder) as platform, sync_playwright() as playwright:
        session = Session()
        log_in(f"{platform.url}/projects/{project_id}", EMAIL, PASSWORD, session)
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{platform.url}/login")
        page.fill("input[name=email]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.click("button.button-main")
        for name, at in addresses(platform, project_id, end_us):
            figures[name] = over_http(session, at)
            figures[f"{name}, first paint"] = painted(page, at)
            print(name, figures[name], figures[f"{name}, first paint"], flush=True)
        browser.close()
    keep("pages", on, figures)


if __name__ == "__main__":
    main()
