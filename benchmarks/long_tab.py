"""Whether a tab that is left open grows: a day's live updates in minutes, on the real page.

    python -m benchmarks.long_tab [UPDATES]

A busy project (200 requests a second) changes its page at most four times a second, 345,600 times
a day; its charts and the table of operations at most once a second. What the live address of the
overview says in a minute is recorded; then Chromium, which has the real page open, gets that again
and again as fast as it takes it, with numbers of requests that never came before. Each time the
recording is over its connection is, too, and the page connects anew, as it does every five minutes
of a day. After each share of the updates garbage is collected and it is looked at what is left: the
objects that the page made, all that JavaScript's engine keeps (compiled code and its caches, too),
elements of the document, and listeners to events.
"""

import json
import re
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import CDPSession, Page, Route, sync_playwright

from tests.support.browserless import Session, log_in
from tests.support.platform import EMAIL, PASSWORD, Platform, running_platform

from .report import keep, machine
from .viewers import traffic

UPDATES = 12_000
#: Of a project that never rests.
UPDATES_A_DAY = 86_400 * 4
RECORD_SECONDS = 60.0
NAMES = ("objects, kB", "heap, kB", "elements", "listeners")
#: How often it is looked at what the page keeps; the first looks are those of a page that warms up.
LOOKS = 12
WARM = 2
#: What a page makes, as a heap snapshot names it; code and caches are the browser's.
OWN = ("object", "closure", "array", "string", "concatenated string", "sliced string", "number")
#: Numbers of requests stand in the ids of rows.
ROW_ID = re.compile(r'(id="q|/requests/)(\d+)')


def recorded(platform: Platform, path: str, cookie: str) -> str:
    """What the live address of a page says in a while."""
    parts = urlsplit(platform.url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", f"{path}/live", headers={"Cookie": cookie})
    answer = connection.getresponse()
    assert answer.status == 200
    said, ends = b"", time.monotonic() + RECORD_SECONDS
    while time.monotonic() < ends:
        said += answer.read1()
    connection.close()
    return said.decode().rpartition("\n\n")[0] + "\n\n"


class Replay:
    """The recording as the answer to each connection, with ever new numbers of requests."""

    #: Between the numbers of one connection and those of the next.
    SHIFT = 10_000_000

    def __init__(self, recording: str) -> None:
        self._recording = recording
        #: Versions of the page in one recording.
        self.versions = len(set(re.findall(r"^id: (\d+)$", recording, re.MULTILINE)))
        self.connections = 0
        #: The page waits for its next answer while somebody looks at it.
        self.rest_at = 0
        self.held: Route | None = None

    def answer(self, route: Route) -> None:
        """The page is done with the answer before: it has lost that connection and asks again."""
        if self.updates >= self.rest_at:
            self.held = route
            return
        self.connections += 1
        shift = self.connections * self.SHIFT
        body = ROW_ID.sub(lambda found: f"{found[1]}{int(found[2]) + shift}", self._recording)
        route.fulfill(body=body, content_type="text/event-stream")

    @property
    def updates(self) -> int:
        return self.connections * self.versions

    def go_on(self, page: Page, updates: int) -> None:
        """Until the page has had so many and is at rest."""
        self.rest_at, held, self.held = updates, self.held, None
        if held is not None:
            self.answer(held)
        while self.held is None:
            page.wait_for_timeout(100)

    def is_of_the_last(self, row: str) -> bool:
        """Whether a row came with the last connection."""
        return int(row.lstrip("q")) // self.SHIFT == self.connections


def kept(page: Page, session: CDPSession) -> dict[str, float]:
    """What the page keeps once garbage is collected.

    Not counted are the browser's own notes of the last 250 connections, which no page asks for.
    """
    page.evaluate("performance.clearResourceTimings()")
    objects = own_objects(session)
    metrics = session.send("Performance.getMetrics")["metrics"]
    found = {one["name"]: one["value"] for one in metrics}
    return {
        "objects, kB": objects / 1000,
        "heap, kB": found["JSHeapUsedSize"] / 1000,
        "elements": found["Nodes"],
        "listeners": found["JSEventListeners"],
    }


def own_objects(session: CDPSession) -> int:
    """Bytes of JavaScript's objects, functions, arrays and texts in a heap snapshot."""
    parts: list[str] = []

    def hear(event: dict[str, str]) -> None:
        parts.append(event["chunk"])

    session.on("HeapProfiler.addHeapSnapshotChunk", hear)
    session.send("HeapProfiler.takeHeapSnapshot")
    session.remove_listener("HeapProfiler.addHeapSnapshotChunk", hear)
    snapshot = json.loads("".join(parts))
    fields, kinds = (snapshot["snapshot"]["meta"][name] for name in ("node_fields", "node_types"))
    nodes = np.array(snapshot["nodes"]).reshape(-1, len(fields))
    own = [kinds[0].index(kind) for kind in OWN]
    sizes = nodes[np.isin(nodes[:, fields.index("type")], own), fields.index("self_size")]
    return int(sizes.sum())


def looks(platform: Platform, path: str, recording: str, updates: int) -> list[dict[str, float]]:
    """What the page keeps after each share of the updates."""
    replay, found = Replay(recording), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{platform.url}/login")
        page.fill("input[name=email]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.click("button.button-main")
        page.route("**/live*", replay.answer)
        page.goto(platform.url + path)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        for look in range(1, LOOKS + 1):
            replay.go_on(page, updates * look // LOOKS)
            found.append({"updates": replay.updates, **kept(page, session)})
            print({name: round(value) for name, value in found[-1].items()}, flush=True)
        newest = page.locator("#panel-requests tbody tr").first.get_attribute("id") or ""
        assert replay.is_of_the_last(newest), newest
        browser.close()
    return found


def slope(found: list[dict[str, float]], name: str) -> float:
    """Growth by one update, as a line through all looks has it."""
    updates, values = ([one[of] for one in found] for of in ("updates", name))
    return float(np.polyfit(updates, values, 1)[0])


def measure(updates: int, folder: Path) -> dict[str, Any]:
    with running_platform(folder / "data") as platform:
        project, session = platform.project(), Session()
        path = f"/projects/{project.id}"
        with traffic(project):
            project.wait_for_requests(1)
            log_in(platform.url + path, EMAIL, PASSWORD, session)
            recording = recorded(platform, path, session.cookie)
        found = looks(platform, path, recording, updates)
    warm = found[WARM:]
    return {
        "updates": int(found[-1]["updates"]),
        "updates a day, at most": UPDATES_A_DAY,
        **{
            f"{name}, after {int(one['updates'])} updates": round(one[name])
            for name in NAMES
            for one in (warm[0], warm[-1])
        },
        **{f"{name}: growth a day": round(slope(warm, name) * UPDATES_A_DAY) for name in NAMES},
    }


def main() -> None:
    updates = int(sys.argv[1]) if len(sys.argv) > 1 else UPDATES
    on = machine()
    with tempfile.TemporaryDirectory() as name:
        keep("long_tab", on, measure(updates, Path(name)))


if __name__ == "__main__":
    main()
