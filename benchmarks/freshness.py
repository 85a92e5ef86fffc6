"""Response ended → visible on the open page, at 200 requests a second.

    python -m benchmarks.freshness [SECONDS]

A Flask app with the extension under gunicorn (two processes) is asked 200 times a second. One
request in twenty is a marker. Chromium has the project's page open, filtered to the markers' route
so that each of them is listed by its path. A MutationObserver notes for each path when the frame
that shows it first has been drawn; the end of the response is what the extension recorded. All
clocks are this machine's.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Page, sync_playwright

from tests.support.apps import gunicorn, serving
from tests.support.platform import EMAIL, PASSWORD, Platform, Project, running_platform

from .report import keep, machine, quantile

ROOT = Path(__file__).parents[1]
RATE = 200
MARKER_EVERY = 20
THREADS = 8
SECONDS = 60.0
ROUTE = "/marker/<int:number>"

#: Notes, by path, when the first frame with it was drawn (milliseconds since the epoch).
OBSERVE = """
() => {
  window.seen = {};
  const look = () => {
    const fresh = [];
    for (const cell of document.querySelectorAll("#panel-requests .path")) {
      const path = cell.textContent;
      if (path.startsWith("/marker/") && !(path in window.seen)) fresh.push(path);
    }
    if (fresh.length === 0) return;
    for (const path of fresh) window.seen[path] = null;
    requestAnimationFrame(() => setTimeout(() => {
      const now = performance.timeOrigin + performance.now();
      for (const path of fresh) window.seen[path] = now;
    }, 0));
  };
  look();
  new MutationObserver(look).observe(
    document.body, { subtree: true, childList: true, characterData: true });
}
"""


class Load:
    """Requests at a steady rate from a few threads, each with its own connection."""

    def __init__(self, address: str, seconds: float, first: int) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port
        self._numbers = range(first, first + int(seconds * RATE))
        self._started = 0.0
        self._threads = [
            threading.Thread(target=self._run, args=(place,)) for place in range(THREADS)
        ]

    def run(self) -> float:
        """The rate reached, in requests a second."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()
        return len(self._numbers) / (time.monotonic() - self._started)

    def _run(self, place: int) -> None:
        connection = HTTPConnection(self._host, self._port, timeout=10)
        for turn in range(place, len(self._numbers), THREADS):
            time.sleep(max(0.0, self._started + turn / RATE - time.monotonic()))
            number = self._numbers[turn]
            kind = "work" if number % MARKER_EVERY else "marker"
            connection.request("GET", f"/{kind}/{number}")
            connection.getresponse().read()
        connection.close()


@contextmanager
def open_page(platform: Platform, project: Project) -> Iterator[Page]:
    """The project's live page in Chromium, filtered to the markers."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{platform.url}/login")
        page.fill("input[name=email]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.click("button.button-main")
        page.goto(f"{platform.url}/projects/{project.id}?{urlencode({'route': ROUTE})}")
        page.evaluate(OBSERVE)
        yield page
        browser.close()


def ended(project: Project) -> dict[str, float]:
    """By path, when the response of each marker ended (milliseconds since the epoch).

    Those from before the page was open are left out.
    """
    return {
        row["path"]: datetime.fromisoformat(row["start"]).timestamp() * 1000 + row["duration"]
        for row in project.requests(route=ROUTE)
        if int(row["path"].rpartition("/")[2]) >= RATE
    }


def measure(seconds: float, folder: Path) -> dict[str, Any]:
    with (
        running_platform(folder / "data") as platform,
        serving(
            gunicorn("benchmarks.freshness_app:app"),
            folder / "gunicorn.log",
            ROOT,
            METRIC_DSN=(project := platform.project()).dsn,
        ) as address,
    ):
        # Both processes are awake then, and the page has something to show.
        Load(address, 1, first=0).run()
        project.wait_for_requests(RATE)
        with open_page(platform, project) as page:
            rate = Load(address, seconds, first=RATE).run()
            project.wait_for_requests(RATE + int(seconds * RATE))
            time.sleep(2)  # what is not visible by now has missed its second anyway
            seen: dict[str, float | None] = page.evaluate("() => window.seen")
        return _figures(rate, project.get("ledger"), ended(project), seen)


def _figures(
    rate: float, ledger: dict[str, Any], ends: dict[str, float], seen: dict[str, float | None]
) -> dict[str, Any]:
    delays = sorted(at - ends[path] for path, at in seen.items() if at and path in ends)
    return {
        "requests a second": round(rate, 1),
        **{f"requests {word}": ledger[word] for word in ("seen", "stored", "lost")},
        "markers": len(ends),
        "markers never visible": len(ends) - len(delays),
        "response ended to visible, p50, ms": round(quantile(delays, 0.5)),
        "response ended to visible, p99, ms": round(quantile(delays, 0.99)),
        "response ended to visible, slowest, ms": round(delays[-1]),
    }


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    on = machine()
    with tempfile.TemporaryDirectory() as name:
        keep("freshness", on, measure(seconds, Path(name)))


if __name__ == "__main__":
    main()
