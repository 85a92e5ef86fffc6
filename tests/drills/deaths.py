"""The end of the process under load, at any moment: by force, politely, and while it starts."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.platform import Platform, running_platform

from .play import Outcomes, acknowledged, assert_acknowledged_is_stored_once, loaded, more

#: Longer than the rollups' period: some rounds die while requests are merged (seconds).
LONG_LIFE = 10.0


def kill(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """SIGKILL under load, a fifth of them before the start is over."""

    def die(platform: Platform) -> str:
        platform.kill()
        if rng.random() < 0.2:
            platform.spawn()
            time.sleep(rng.uniform(0.0, 2.0))
            platform.kill()
            return "killed while running, and again while starting"
        return "killed while running"

    return _deaths(rng, folder, rounds, die)


def term(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """SIGTERM under load: over in 10 seconds with exit code 0."""

    def die(platform: Platform) -> str:
        assert platform.stop() == 0
        return "ended with exit code 0"

    return _deaths(rng, folder, rounds, die)


def _deaths(
    rng: random.Random, folder: Path, rounds: int, die: Callable[[Platform], str]
) -> Outcomes:
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        with loaded(project) as clients:
            for _ in range(rounds):
                more(clients)
                # The moment of death is the experiment.
                time.sleep(rng.uniform(0.0, LONG_LIFE + 2 if rng.random() < 0.03 else 1.0))
                outcomes[die(platform)] += 1
                platform.start()
        assert_acknowledged_is_stored_once(project, clients)
        outcomes["acknowledged requests, all stored once"] = acknowledged(clients)
    return outcomes
