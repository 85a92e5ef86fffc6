"""Another program, a database shell or a backup, holds a file of the running server."""

import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.support.platform import running_platform

from .play import Outcomes, assert_acknowledged_is_stored_once, loaded, more

FILES: Final = ("journal.sqlite3", "accounts.sqlite3")
#: Clients hang up after 5 s, and the server's own patience is 10 s.
LONGEST: Final = 12.0


def locked(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """A lock on one file a round; the server waits or refuses with 503, and goes on afterwards."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        with loaded(project) as clients:
            for _ in range(rounds):
                more(clients)
                name = rng.choice(FILES)
                seconds = LONGEST if rng.random() < 0.1 else rng.uniform(0, 2)
                with closing(sqlite3.connect(platform.data / name, timeout=30)) as other:
                    other.execute("begin exclusive")
                    time.sleep(seconds)  # how long it is held is the experiment
                    other.rollback()
                outcomes[f"{name} was held"] += 1
                more(clients)
        assert_acknowledged_is_stored_once(project, clients)
        outcomes["batches refused with 503"] = sum(one.refused[503] for one in clients)
        assert platform.stop() == 0
    return outcomes
