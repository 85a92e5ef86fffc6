"""`check` and `migrate` on three real servers, and the dead letters of a broker."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest

from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.letters import Letters
from flask_performance.server.queue.base import Envelope
from flask_performance.server.queue.celery import CeleryQueue
from flask_performance.server.settings import Settings
from flask_performance.server.store.clickhouse import ClickHouseStore
from flask_performance.server.tasks import TIMED, make_app
from tests.server.batches import batch, body
from tests.server.vitals.test_metrics import read
from tests.support.brokers import RabbitMQ
from tests.support.platform import COMMAND, environment, run_command
from tests.support.scaled import Scaled, servers
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world() -> Iterator[Scaled]:
    with servers(RabbitMQ) as world:
        yield world


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def run(world: Scaled, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_command(world.folder / "here", *arguments, **(world.settings | settings))


def test_what_is_missing_is_said_and_made_by_two_at_once(world: Scaled) -> None:
    before = run(world, "check")
    assert before.returncode == 1, before.stderr
    assert "accounts: PostgreSQL 1" in before.stdout
    assert "queue: RabbitMQ 3" in before.stdout
    assert "event store: ClickHouse 18" in before.stdout
    assert before.stdout.count("`flask-performance migrate` makes them") == 2
    assert "no worker answers" in before.stdout
    environ = environment(FLASK_PERFORMANCE_DATA=str(world.folder / "here"), **world.settings)
    both = [
        subprocess.Popen([*COMMAND, "migrate"], env=environ, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert "The event store has its tables." in said[0]
    other = {"FLASK_PERFORMANCE_QUEUE_URL": world.broker.url + "?queue=quorum"}
    for command in ("check", "migrate"):
        done = run(world, command, **other)
        assert done.returncode == 1
        assert "the queues are not of the kind" in done.stdout + done.stderr
    worker = world.worker("one")
    try:
        worker.wait()
        after = run(world, "check")
        assert (after.returncode, after.stderr) == (0, ""), after.stdout
        assert "1 workers, 0 messages" in after.stdout
    finally:
        worker.kill()


def test_what_does_not_answer_is_said_without_passwords(world: Scaled) -> None:
    done = run(
        world, "check",
        FLASK_PERFORMANCE_DATABASE_URL="postgresql://ada:hunter2@127.0.0.1:1/metrics",
        FLASK_PERFORMANCE_QUEUE_URL="amqp://ada:hunter2@127.0.0.1:1//",
        FLASK_PERFORMANCE_STORE_URL="clickhouse://ada:hunter2@127.0.0.1:1/default",
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.count("missing:") == 3, done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_the_embedded_homes_are_files(tmp_path: Path) -> None:
    assert run_command(tmp_path / "data", "check").returncode == 1
    for _ in range(2):
        assert run_command(tmp_path / "data", "migrate").returncode == 0
    done = run_command(tmp_path / "data", "check")
    assert (done.returncode, done.stdout.count(str(tmp_path))) == (0, 3), done.stdout


def test_dead_letters_of_all_workers(world: Scaled, stack: ExitStack) -> None:
    assert run(world, "migrate").returncode == 0
    engine = open_engine(Settings.read("here", world.settings))
    stack.callback(engine.dispose)
    letters = Letters(engine)
    letters.bury("ab" * 16, 0, (1, 1_763_726_400_000_000, False, body(batch())), "choked", 3)
    [listed] = run(world, "dead-letter", "list").stdout.splitlines()
    assert listed.endswith("3 requests  choked")
    id = listed.split()[0]
    assert json.loads(run(world, "dead-letter", "show", id).stdout)["batch"] == 1
    again = run(world, "dead-letter", "replay", id)
    assert again.stderr == "1 in the queue again.\n"
    assert letters.count() == 0
    assert "1 messages" in run(world, "check").stdout
    letters.bury("cd" * 16, 0, (1, 1_763_726_400_000_000, False, b"{"), "choked", 0)
    assert run(world, "dead-letter", "delete", "--all").stderr == "1 deleted.\n"


def test_a_worker_keeps_its_message_whatever_is_in_the_way(world: Scaled, stack: ExitStack) -> None:
    world.web.create_project("Kept")
    queue = CeleryQueue(world.settings["FLASK_PERFORMANCE_QUEUE_URL"])
    stack.callback(queue.close)
    store = ClickHouseStore.open(world.settings["FLASK_PERFORMANCE_STORE_URL"])
    stack.callback(store.close)

    def post(number: int) -> None:
        envelope = Envelope(1, time.time_ns() // 1000, False, body(batch(number=number)))
        queue.publish(uuid.uuid4().hex, [envelope])

    def wait_for_batches(numbers: set[int]) -> None:
        known = partial(store.has_batch, 1, batch()["instance"]["id"])
        wait_for(lambda: all(map(known, numbers)), 60, f"the batches {numbers}")

    world.store.kill()
    worker = world.worker("keeps")
    stack.callback(worker.kill)
    worker.wait()
    post(1)
    worker.wait_to_say("A message waits at the broker: ")
    world.store.start()
    wait_for_batches({1})
    with psycopg.connect(world.address, autocommit=True) as accounts:
        accounts.execute("alter table claims rename to away")
        post(2)
        worker.wait_to_say("it cannot even be set aside")
        accounts.execute("alter table away rename to claims")
    wait_for_batches({1, 2})
    workers = make_app(Settings.read("here", world.settings))
    words = "forget which batches were claimed long ago"
    workers.tasks["flask_performance.timed"].apply_async((words,), queue=TIMED)
    stack.callback(world.web.end)
    world.web.spawn("--only", "web").wait_until_ready()

    def told() -> bool:
        numbers = read(world.web)
        return numbers.has("job_runs_total", job=words) and (
            numbers("worker_messages_total", event="stored") >= 2
        )

    wait_for(told, 60, "what the worker did in the metrics")
    numbers = read(world.web)
    for event in ("given back", "came again"):
        assert numbers("worker_messages_total", event=event) >= 1
    assert numbers("stored_requests_total") >= 2 * len(batch()["requests"]["start_us"])
    assert time.time() - numbers("stored_last_timestamp_seconds") < 600
    assert numbers("job_failures_total", job=words) == 0
    assert numbers("queue_oldest_age_seconds") == 0


def test_what_only_one_folder_has_says_so(world: Scaled, tmp_path: Path) -> None:
    done = run(world, "backup", str(tmp_path / "copy.tar.gz"))
    assert done.returncode == 1
    assert "use pg_dump for the accounts, and clickhouse-backup" in done.stderr


def test_a_worker_without_a_broker_says_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "flask_performance.server.tasks", "worker"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "FLASK_PERFORMANCE_QUEUE_URL is not set" in done.stderr + done.stdout
