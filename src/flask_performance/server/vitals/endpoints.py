"""`/health`, `/health/live`, `/health/ready` and `/metrics`: plain ASGI, beside Flask's threads.

So they answer while every thread of the pages is busy. Health says to anybody which part fails and
since when; metrics are for this machine, or for whoever has the token.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from flask_performance.server.counts import Failing

from .health import Health
from .metrics import Metrics

Answer = Callable[[Request], Awaitable[Response]]

NO_STORE: Final = {"Cache-Control": "no-store"}
#: What a proxy adds. A request that has one did not begin on this machine.
FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


def routes(health: Health, metrics: Metrics, token: str | None, proxies: int) -> list[BaseRoute]:
    """The addresses. `token` opens the metrics from anywhere; without one they are local."""

    async def all_of_it(_request: Request) -> Response:
        return _json(await _health(health))

    async def live(_request: Request) -> Response:
        return _json({"status": "live"})

    async def ready(_request: Request) -> Response:
        return await _ready(health)

    async def measured(request: Request) -> Response:
        return _refusal(request, token, proxies) or await _metrics(request, health, metrics)

    answers: Mapping[str, Answer] = {
        "/health": all_of_it, "/health/live": live, "/health/ready": ready, "/metrics": measured,
    }  # fmt: skip
    return [Route(path, _Reading(answer)) for path, answer in answers.items()]


class _Reading:
    """An answer to GET and HEAD alone, as an ASGI application."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method in ("GET", "HEAD"):
            response = await self._answer(request)
        else:
            response = _json({"error": "This address is for reading."}, 405)
            response.headers["Allow"] = "GET, HEAD"
        await response(scope, receive, send)


async def _health(health: Health) -> dict[str, Any]:
    parts, jobs = await health.parts(), health.jobs()
    failing = any(parts.values()) or bool(jobs)
    status = "stopping" if health.stopping_since else "failing" if failing else "ok"
    return {
        "status": status,
        "version": version("flask-performance"),
        "parts": {name: _said(part) if part else {"status": "ok"} for name, part in parts.items()},
        "jobs": {words: _said(job) for words, job in jobs.items()},
    }


async def _ready(health: Health) -> Response:
    if health.stopping_since is not None:
        return _json({"status": "stopping", "since": _iso(health.stopping_since)}, 503)
    failing = {name: part for name, part in (await health.parts()).items() if part is not None}
    if not failing:
        return _json({"status": "ready"})
    since = min(part.since for part in failing.values())
    parts = {name: _said(part) for name, part in failing.items()}
    return _json({"status": "failing", "since": _iso(since), "failing": parts}, 503)


async def _metrics(request: Request, health: Health, metrics: Metrics) -> Response:
    began = time.perf_counter()
    parts = await health.parts()
    accepted = request.headers.get("accept", "")
    body, kind = await asyncio.to_thread(metrics.text, parts, accepted, began)
    return Response(body, headers={**NO_STORE, "Content-Type": kind})


def _refusal(request: Request, token: str | None, proxies: int) -> Response | None:
    """None: this reader may see the metrics."""
    if token is not None:
        said = request.headers.get("authorization", "")
        if hmac.compare_digest(said.encode(), f"Bearer {token}".encode()):
            return None
        words = "Send the token of FLASK_PERFORMANCE_METRICS_TOKEN as a bearer token."
        refused = _json({"error": words}, 401)
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    if _is_local(request, proxies):
        return None
    words = (
        "Metrics are for this machine alone, unless FLASK_PERFORMANCE_METRICS_TOKEN is set; then "
        "for whoever has that token."
    )
    return _json({"error": words}, 403)


def _is_local(request: Request, proxies: int) -> bool:
    """With trusted proxies the address is the one that the outermost saw (`proxies.py`)."""
    if not proxies and any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def _said(failing: Failing) -> dict[str, str]:
    return {"status": "failing", "what": failing.what, "since": _iso(failing.since)}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _json(content: Mapping[str, Any], status: int = 200) -> JSONResponse:
    return JSONResponse(content, status, headers=NO_STORE)
