"""The disk fills up under load, and there is room again."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.support.disks import MIB, Disk, small_disk
from tests.support.load import Client
from tests.support.platform import Platform, running_platform
from tests.support.waiting import wait_for

from .play import Outcomes, acknowledged, assert_acknowledged_is_stored_once, loaded, more, refused

#: Of the disk, and what a round adds for what its clients bring: room that is given back is room.
SIZE: Final = 64 * MIB
MORE: Final = 3 * MIB


def full_disk(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """Clients hear 503 while it is full; with room again it goes on, killed meanwhile or not."""
    outcomes: Outcomes = Counter()
    size = SIZE + rounds * MORE
    with (
        small_disk(folder / "disk", size) as (kind, disk),
        running_platform(disk.folder) as platform,
    ):
        project = platform.project()
        with loaded(project, pause=0.0) as clients:
            for _ in range(rounds):
                time.sleep(rng.uniform(0.0, 0.5))
                counted = refused(platform, "busy")
                _fill(disk, platform, clients)
                time.sleep(rng.uniform(0.0, 1.0))
                if rng.random() < 0.3:
                    platform.kill()
                    outcomes[_start_on_a_full_disk(platform)] += 1
                    platform.kill()
                    disk.give_room(platform)
                    platform.start()
                else:
                    disk.give_room(platform)
                    _wait_for_counts(platform, counted)
                    outcomes["went on by itself with room again"] += 1
                more(clients)
        assert_acknowledged_is_stored_once(project, clients)
        outcomes["batches refused with 503"] += _refused(clients)
        outcomes["acknowledged requests, all stored once"] += acknowledged(clients)
    outcomes[f"lives on {kind}"] += 1
    return outcomes


def _refused(clients: Sequence[Client]) -> int:
    return sum(client.refused[503] for client in clients)


def _fill(disk: Disk, platform: Platform, clients: Sequence[Client]) -> None:
    """Until clients notice: what the databases give back themselves is taken as well."""
    before = _refused(clients)

    def full() -> bool:
        disk.fill(platform)
        return _refused(clients) > before

    wait_for(full, 30, "a 503 from a full disk", every=0.1)


def _wait_for_counts(platform: Platform, before: int) -> None:
    wait_for(lambda: refused(platform, "busy") > before, 20, "the refusals to be counted")


def _start_on_a_full_disk(platform: Platform) -> str:
    """It starts and refuses, or does not start and says why."""
    said = platform.log.stat().st_size
    try:
        platform.start()
    except AssertionError:
        assert platform.process is not None
        with platform.log.open("rb") as log:
            log.seek(said)
            words = log.read().decode()
        assert platform.process.returncode == 1, words
        assert words.splitlines()[-1].startswith("Error: "), words
        assert "Traceback" not in words, words
        return "killed; did not start on the full disk, and said why"
    return "killed; started on the full disk"
