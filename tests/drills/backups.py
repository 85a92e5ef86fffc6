"""A backup under load, then death; the backup is restored elsewhere."""

import random
import time
from collections import Counter
from pathlib import Path

from tests.support.http import Api
from tests.support.platform import Platform, Project, run_command, running_platform

from .play import Outcomes, acknowledged, loaded, more


def backup(rng: random.Random, folder: Path, rounds: int) -> Outcomes:
    """What was acknowledged before the backup began is in it, once; the collector never waits."""
    outcomes: Outcomes = Counter()
    with running_platform(folder / "data") as platform:
        project = platform.project()
        for number in range(rounds):
            with loaded(project) as clients:
                more(clients)
                time.sleep(rng.uniform(0.0, 1.0))
                before = [path for client in clients for path in client.acknowledged]
                file = folder / f"backup-{number}.tgz"
                platform.command("backup", str(file))
                during = acknowledged(clients) - len(before)
                platform.kill()
            assert all(client.failure is None for client in clients)
            assert during > 0, "the collector acknowledged nothing during the backup"
            sent = {path for client in clients for path in client.acknowledged}
            sent |= {path for client in clients for path in client.unanswered}
            outcomes["acknowledged while a backup was made"] += during
            _check(folder / f"restored-{number}", file, project, before, sent)
            outcomes["acknowledged before, all there once"] += len(before)
            platform.start()
    return outcomes


def _check(data: Path, file: Path, project: Project, before: list[str], sent: set[str]) -> None:
    done = run_command(data, "restore", str(file))
    assert done.returncode == 0, done.stderr
    restored = Platform(data)
    try:
        restored.start()
        found = restored_project(restored, project)
        rows = found.wait_for_requests(len(before), 120)
        # Earlier rounds' requests are in it, too.
        stored = Counter(row["path"] for row in rows)
        assert [path for path in before if path not in stored] == []
        assert {path: count for path, count in stored.items() if count > 1} == {}
        names = {path.split("/")[1] for path in sent}
        mine = {path for path in stored if path.split("/")[1] in names}
        assert mine <= sent
        ledger = found.get("ledger")
        assert (ledger["stored"], ledger["lost"]) == (len(stored), 0), ledger
        assert found.get("summary")["requests"] == len(stored)
    finally:
        restored.end()


def restored_project(platform: Platform, project: Project) -> Project:
    """The same project, with the same token, on another platform."""
    api = Api(platform.url, project.api.headers["Authorization"].removeprefix("Bearer "))
    return Project(project.id, project.name, project.dsn, api)
