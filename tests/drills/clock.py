"""The machine's clock jumps, forward and back, while the server runs and while it does not."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.server.batches import batch, body
from tests.support.http import fetch
from tests.support.platform import Platform, Project, running_platform
from tests.support.waiting import wait_for

from .play import Outcomes

#: Debian's libfaketime; the variant for programs with threads.
LIBRARY: Final = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
HOUR: Final = 3600
#: Jumps (seconds). A batch is known again for at least 24 hours.
JUMPS: Final = (-26 * HOUR, -HOUR, -1, 1, HOUR, 24 * HOUR)
JSON: Final = {"Content-Type": "application/json"}
EVER: Final = {"start": "1970-01-02T00:00:00Z", "end": "2100-01-01T00:00:00Z"}


class Clock:
    """What a server started with `settings` takes for the time; it may jump."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.ahead = 0
        self.jump(0)

    def jump(self, seconds: int) -> None:
        self.ahead += seconds
        self._file.write_text(f"{self.ahead:+d}")

    @property
    def settings(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


def clock(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """A jump a round; what was sent before is repeated, and all is stored once."""
    assert LIBRARY is not None, "libfaketime is not installed: apt-get install faketime"
    outcomes: Outcomes = Counter()
    moved = Clock(folder)
    sent: list[dict[str, Any]] = []
    with running_platform(folder / "data", **moved.settings) as platform:
        project = platform.project()
        for number in range(1, rounds + 1):
            sent.append(_batch(number, rng))
            _post(project, sent[-1])
            jump = rng.choice(JUMPS)
            moved.jump(jump)
            if rng.random() < 0.3:
                _restart(platform, moved, rng)
                outcomes["restarts"] += 1
            for document in rng.sample(sent, min(len(sent), 5)):
                _post(project, document)
                outcomes["repeats, stored once"] += 1
            _assert_stored(project, 3 * len(sent))
            outcomes["jumps forward" if jump > 0 else "jumps back"] += 1
        _assert_no_faults(platform.log.read_text())
        assert platform.stop() == 0
    return outcomes


def _assert_no_faults(log: str) -> None:
    """But for libfaketime's own: a `time.sleep` that a jump falls into, it calls invalid."""
    for fault in log.split("Traceback")[1:]:
        assert "OSError: [Errno 22] Invalid argument" in fault, fault[:2000]


def _batch(number: int, rng: random.Random) -> dict[str, Any]:
    """The client's clock is wrong, too, by up to a month."""
    start_us = int((time.time() + rng.uniform(-30, 30) * 24 * HOUR) * 1e6)
    document = batch(number, instance={"id": f"clock-{number % 3}"})
    document["requests"]["start_us"] = [start_us, start_us + 1, start_us + 2]
    return document


def _post(project: Project, document: dict[str, Any]) -> None:
    answer = fetch(project.dsn, "POST", body(document), JSON, timeout=30)
    assert answer.status == 202, answer.body


def _restart(platform: Platform, moved: Clock, rng: random.Random) -> None:
    if rng.random() < 0.5:
        platform.kill()
    else:
        assert platform.stop() == 0
    platform.start(**moved.settings)


def _assert_stored(project: Project, count: int) -> None:
    def stored() -> int:
        return int(project.get("summary", **EVER)["requests"])

    wait_for(lambda: stored() >= count, 30, f"{count} stored requests")
    assert stored() == count
