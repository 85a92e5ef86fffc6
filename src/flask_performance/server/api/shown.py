"""From rows of the store and the accounts to what the API answers: units, rates and shares."""

from collections.abc import Sequence
from datetime import datetime

from flask_performance.server import hints
from flask_performance.server.accounts import dsn as accounts_dsn
from flask_performance.server.accounts import models
from flask_performance.server.store.base import (
    SECOND_US,
    Filter,
    LedgerTotals,
    OperationStats,
    Point,
    Release,
    RequestRow,
    Spread,
    Stats,
    UnmatchedPath,
)
from flask_performance.server.store.declared import Route
from flask_performance.server.store.living import State
from flask_performance.server.store.processes import InstanceRow

from . import shapes
from .times import from_us


def milliseconds(us: float | None) -> float | None:
    """Milliseconds to the microsecond."""
    return None if us is None else round(us / 1000, 3)


def team(team: models.Team, role: models.Role | None) -> shapes.Team:
    return shapes.Team(team.public_id, team.name, role or models.Role.VIEWER)


def project(project: models.Project, *, dsn: bool) -> shapes.Project:
    """`dsn`: whether this reader may have it."""
    return shapes.Project(
        id=project.public_id,
        name=project.name,
        dsn=_dsn(project.key) if dsn and project.key else None,
        team=shapes.TeamName(project.team.public_id, project.team.name),
        created=_time(project.created_at),
    )


def key(key: models.Key) -> shapes.Key:
    return shapes.Key(
        id=key.public_id,
        name=key.name,
        dsn=_dsn(key.key),
        created=_time(key.created_at),
        last_used=_time(key.last_used_at) if key.last_used_at else None,
        requests=key.used,
        revoked=_time(key.revoked_at) if key.revoked_at else None,
    )


def _dsn(key: str) -> str:
    return accounts_dsn.dsn(accounts_dsn.base_url(), key)


def _time(moment: datetime) -> str:
    return from_us(int(moment.timestamp() * SECOND_US))


def _numbers(stats: Stats, seconds: float) -> dict[str, float | None]:
    some = stats.requests > 0
    return {
        "requests": stats.requests,
        "errors": stats.errors,
        "error_rate": stats.errors / stats.requests if some else 0.0,
        "per_second": stats.requests / seconds,
        "mean": milliseconds(stats.duration_us / stats.requests) if some else None,
        "p50": milliseconds(stats.p50_us),
        "p95": milliseconds(stats.p95_us),
        "p99": milliseconds(stats.p99_us),
        "apdex": stats.apdex,
    }


def summary(stats: Stats, filter: Filter, seconds: float) -> shapes.Summary:
    """`seconds`: how long the app was watched in the window."""
    return shapes.Summary(
        start=from_us(filter.start_us),
        end=from_us(filter.end_us),
        **_numbers(stats, seconds),  # type: ignore[arg-type]
    )


def operations(rows: Sequence[OperationStats], seconds: float) -> list[shapes.Operation]:
    """Shares are of the time of all rows; `seconds` as in `summary`."""
    total_us = sum(row.duration_us for row in rows)
    return [
        shapes.Operation(
            method=row.method,
            route=row.route,
            endpoint=row.endpoint,
            share=row.duration_us / total_us if total_us else 0.0,
            **_numbers(row, seconds),  # type: ignore[arg-type]
        )
        for row in rows
    ]


def step(point: Point, filter: Filter, seconds: int) -> shapes.Step:
    """The first and the last step may reach out of the window: their rate is of what is inside."""
    start_us = max(point.start_us, filter.start_us)
    end_us = min(point.start_us + seconds * SECOND_US, filter.end_us)
    return shapes.Step(
        start=from_us(point.start_us),
        requests=point.requests,
        errors=point.errors,
        error_rate=point.errors / point.requests if point.requests else None,
        per_second=point.requests * SECOND_US / (end_us - start_us),
        informational=point.informational,
        success=point.success,
        redirect=point.redirect,
        client_error=point.client_error,
        server_error=point.server_error,
        disconnected=point.disconnected,
        satisfied=point.satisfied or 0,
        tolerated=point.tolerated or 0,
        apdex=point.apdex,
        p50=milliseconds(point.p50_us),
        p95=milliseconds(point.p95_us),
        p99=milliseconds(point.p99_us),
    )


def release(one: Release) -> shapes.Release:
    return shapes.Release(name=one.name, first_heard=from_us(one.first_us))


def request(row: RequestRow) -> shapes.Request:
    return shapes.Request(
        id=row.id,
        start=from_us(row.start_us),
        duration=row.duration_us / 1000,
        method=row.method,
        route=row.route,
        endpoint=row.endpoint,
        path=row.path,
        status=row.status,
        outcome=row.outcome,
        first_byte=milliseconds(row.first_byte_us),
        request_bytes=row.request_bytes,
        response_bytes=row.response_bytes,
        cpu=milliseconds(row.cpu_us),
        queue=milliseconds(row.queue_us),
        exception=row.exception,
        trace_id=row.trace_id,
        consumer=row.consumer,
        instance=row.instance,
        host=row.host,
        environment=row.environment,
        release=row.release,
    )


def unmatched(rows: Sequence[UnmatchedPath], routes: hints.Routes) -> list[shapes.Unmatched]:
    """`routes`: what the app serves."""
    found = []
    for row in rows:
        probe = hints.probe(row.path, routes)
        hint = None if probe else hints.hint(row.path, row.status, routes)
        found.append(
            shapes.Unmatched(
                method=row.method,
                path=row.path,
                status=row.status,
                requests=row.requests,
                last=from_us(row.last_us),
                consumer=row.consumer,
                probe=probe,
                hint=hint.words if hint else None,
                route=hint.route if hint else None,
            )
        )
    return found


def ledger(totals: LedgerTotals) -> shapes.Ledger:
    return shapes.Ledger(
        seen=totals.seen,
        stored=totals.stored,
        waiting=totals.waiting,
        lost=totals.lost,
        dropped=totals.dropped,
        silent=totals.silent,
    )


def instance(
    row: InstanceRow, state: State, queue: Spread | None, filter: Filter
) -> shapes.Instance:
    usage = row.usage
    return shapes.Instance(
        id=row.instance,
        host=row.host,
        pid=row.pid,
        environment=row.environment,
        release=row.release,
        client=row.client,
        python=row.python,
        flask=row.flask,
        state=state,
        started=_time_of(row.started_us),
        last_seen=from_us(row.last_seen_us),
        requests=row.requests,
        per_second=row.requests / row.seconds(filter.start_us, filter.end_us),
        busy=usage.busy if usage else None,
        cpu=usage.cpu if usage else None,
        memory=usage.memory_bytes if usage else None,
        peak_memory=usage.peak_bytes if usage else None,
        threads=usage.threads if usage else None,
        concurrent=usage.concurrent if usage else None,
        queue_p95=milliseconds(queue.p95) if queue else None,
        overhead=usage.request_ns / 1e6 if usage and usage.request_ns is not None else None,
    )


def route(one: Route) -> shapes.Route:
    return shapes.Route(
        method=one.method,
        route=one.route,
        endpoint=one.endpoint,
        declared=one.declared,
        static=one.static,
        environments=[name for name in one.environments if name],
        apps=[name for name in one.apps if name],
        release=one.release,
        first_declared=_time_of(one.first_us),
        last_declared=_time_of(one.last_us),
        called=one.called,
        last_called=_time_of(one.called_us),
        requests=one.requests,
    )


def _time_of(us: int | None) -> str | None:
    return None if us is None else from_us(us)
