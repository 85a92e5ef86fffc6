"""The end of workers, their children and the broker under load, where the platform is scaled."""

import random
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from flask_performance.server.queue.celery import VISIBLE
from tests.support.brokers import Broker, RabbitMQ
from tests.support.platform import Project
from tests.support.scaled import Process, Scaled, scaled

from .play import Outcomes, acknowledged, assert_acknowledged_is_stored_once, loaded, more

WORKERS = ("one", "two")


def workers(
    rng: random.Random, folder: Path, rounds: int, kind: type[Broker] = RabbitMQ
) -> Outcomes:
    """A worker killed a round: the whole of it, or the child that stores; at the end the
    broker, and PostgreSQL restarts. Beat has requests merged into rollups all the time."""
    outcomes: Outcomes = Counter()
    with scaled(kind) as world, ExitStack() as stack:
        project = project_of(world)
        running = {name: started(world, name, stack) for name in WORKERS}
        beat = world.beat()
        stack.callback(beat.kill)
        beat.wait()
        with loaded(project) as clients:
            for _ in range(rounds):
                more(clients)
                # The moment of death is the experiment.
                time.sleep(rng.uniform(0.0, 2.0))
                name = rng.choice(WORKERS)
                if rng.random() < 0.3 and running[name].kill_child():
                    outcomes["a worker's child was killed"] += 1
                    continue
                running[name].kill()
                outcomes["a worker was killed"] += 1
                running[name] = started(world, name, stack)
            world.broker.kill()
            world.broker.start()
            outcomes["the broker was killed"] += 1
            more(clients)
            world.database.stop()
            more(clients)
            world.database.start()
            outcomes["PostgreSQL was restarted"] += 1
            more(clients)
        # What a killed worker had of Redis comes again after that time, and not before.
        assert_acknowledged_is_stored_once(project, clients, 120 + 2 * VISIBLE)
        outcomes["acknowledged requests, all stored once"] = acknowledged(clients)
    return outcomes


def started(world: Scaled, name: str, stack: ExitStack) -> Process:
    worker = world.worker(name)
    stack.callback(worker.kill)
    worker.wait()
    return worker


def project_of(world: Scaled) -> Project:
    """Its apps post to the collector, its owner asks the web process."""
    made = world.web.project()
    dsn = made.dsn.replace(world.web.url, world.collector.url)
    return Project(made.id, made.name, dsn, made.api)
