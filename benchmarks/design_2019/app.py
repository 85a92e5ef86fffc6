"""The platform of 2019 in small: a view that queues, a worker that inserts a row a request.

Addresses come from the environment: `BROKER` (Redis) and `DATABASE` (PostgreSQL).
"""

import os

import psycopg
from celery import Celery
from flask import Flask, request

celery = Celery("design_2019", broker=os.environ["BROKER"])
celery.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64)
app = Flask(__name__)
_connections: dict[int, psycopg.Connection] = {}


def _connection() -> psycopg.Connection:
    """One a process: the worker forks."""
    pid = os.getpid()
    if pid not in _connections:
        _connections[pid] = psycopg.connect(os.environ["DATABASE"], autocommit=True)
    return _connections[pid]


@celery.task
def save(key: str, metric: dict[str, object]) -> None:
    _connection().execute(
        "insert into request (key, time_used, created_at, path, status_code, method, endpoint) "
        "values (%s, %s, %s, %s, %s, %s, %s)",
        (key, *(metric[name] for name in (
            "time_used", "created_at", "path", "status_code", "method", "endpoint"))),
    )  # fmt: skip


@app.post("/v1/collector/<key>")
def collect(key: str) -> tuple[dict[str, int], int]:
    save.delay(key, request.get_json())
    return {"accepted": 1}, 202
