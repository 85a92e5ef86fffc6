"""`flask performance doctor`: is everything as it should be, in words a newcomer understands."""

import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo

from .config import ConfigError, Options
from .encoder import NOTHING_RARE, Rows, encode
from .extension import EXTENSION, Installation
from .identity import identify
from .proxies import proxy_for
from .rules import EditedRule
from .spool import Spool
from .threads import shares_threads
from .transport import Answer, HttpTransport, TransportError
from .version import CLIENT

if TYPE_CHECKING:
    from .buffer import Record

Verdict = Literal["ok", "note", "wrong"]

#: The path of the request that the doctor sends.
PROBE: Final = "/flask-performance-doctor"
#: Clocks further apart than this (seconds) put requests into the wrong place of a chart.
MOST_CLOCK_DIFFERENCE: Final = 2.0
#: The doctor has more time than a request's sender.
PATIENCE: Final = 5.0

ADVICE: Final = {
    400: "Client and platform do not understand each other: update both.",
    401: "No project has this key. Copy the DSN from the project's set-up page again.",
    404: "Something else answers at this address. Compare the DSN with the project's page.",
    429: "The project is over its quota; requests wait until it is not.",
}

cli = AppGroup("performance", help="Flask-Performance in this app.")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    words: str


@cli.command("doctor")
@click.pass_obj
def doctor(info: ScriptInfo) -> None:
    """Check the set-up, and send one request to the platform."""
    wrong = False
    for finding in examine(info.load_app()):
        wrong = wrong or finding.verdict == "wrong"
        colour = {"ok": "green", "note": "yellow", "wrong": "red"}[finding.verdict]
        click.secho(f"{finding.verdict:>5}  ", fg=colour, nl=False)
        click.echo(finding.words)
    if wrong:
        raise SystemExit(1)


def examine(app: Flask) -> Iterator[Finding]:
    """Look at one thing after the other, the ground before what stands on it."""
    try:
        options = Options.read(app.config)
    except ConfigError as error:
        yield Finding("wrong", str(error))
        return
    installation: Installation | None = app.extensions.get(EXTENSION)
    if options.dsn is None:
        yield Finding("wrong", "METRIC_DSN is not set. The project's page shows it.")
        return
    if not options.enabled:
        yield Finding("wrong", "METRIC_ENABLED is false: nothing is recorded.")
        return
    yield from check_dsn(options.dsn)
    yield from check_identity(app, options)
    yield from check_order(app, installation)
    yield from check_process()
    yield from check_spool(options)
    yield from check_platform(app, options, options.dsn)


def check_dsn(dsn: str) -> Iterator[Finding]:
    url = urlsplit(dsn)
    yield Finding("ok", f"METRIC_DSN sends to {url.scheme}://{url.netloc}.")
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost", "::1"):
        yield Finding("note", "It is not encrypted: anybody on the way can read paths and the key.")


def check_identity(app: Flask, options: Options) -> Iterator[Finding]:
    said = identify(options, app.root_path, debug=app.debug)
    release = said.get("release")
    shown = f"release {release}" if release else "no release (set METRIC_RELEASE to compare them)"
    yield Finding("ok", f"This is {said['environment']} on {said['host']}, {shown}.")


def check_order(app: Flask, installation: Installation | None) -> Iterator[Finding]:
    if installation is None or app.wsgi_app is installation.wsgi_app:
        yield Finding("ok", "The recorder is outermost: it sees all the time that the app takes.")
    else:
        yield Finding(
            "note",
            "Other middleware was put around the app after the extension; the time it takes is not "
            "recorded. Call init_app last to have it in.",
        )
    yield Finding(
        "note",
        "Time in front of the app is shown where the proxy says when a request came, for example "
        'nginx: proxy_set_header X-Request-Start "t=${msec}";',
    )


def check_process() -> Iterator[Finding]:
    if shares_threads():
        yield Finding("ok", "gevent has patched this process: the sender is a greenlet.")
    yield Finding(
        "ok",
        "Forks are safe: each process starts its own sender with its first request (gunicorn with "
        "and without --preload; uWSGI needs enable-threads).",
    )


def check_spool(options: Options) -> Iterator[Finding]:
    if options.spool is None:
        return
    try:
        spool = Spool(options.spool, options.spool_size)
    except OSError as error:
        yield Finding("wrong", f"METRIC_SPOOL cannot be used: {error}.")
        return
    waiting = spool.waiting()
    yield Finding("ok", f"METRIC_SPOOL holds {waiting} batches in {options.spool}.")


def check_platform(app: Flask, options: Options, dsn: str) -> Iterator[Finding]:
    """The way, connection, clock, and one request there and back."""
    way = list(check_way(dsn))
    yield from way
    if any(finding.verdict == "wrong" for finding in way):
        return
    transport = HttpTransport(dsn, PATIENCE, CLIENT)
    began = time.monotonic()
    try:
        answer = transport.send(probe(app, options))
    except TransportError as error:
        words = transport.name[0].upper() + transport.name[1:]
        yield Finding("wrong", f"{words} gives no answer: {error}.")
        return
    finally:
        transport.close()
    yield from check_answer(answer, time.monotonic() - began, options.timeout)
    yield from check_clock(answer)


def check_way(dsn: str) -> Iterator[Finding]:
    """Through a proxy, which knows the platform's name itself, or direct."""
    url = urlsplit(dsn)
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    try:
        proxy = proxy_for(url.scheme, host, port)
        if proxy is not None:
            host, port = proxy.host, proxy.port
            yield Finding("ok", f"The way leads through the proxy at {proxy.name}.")
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:
        yield Finding("wrong", f"{error}.")
    except OSError as error:
        yield Finding("wrong", f"The name {host} cannot be resolved: {error}.")


def check_answer(answer: Answer, seconds: float, timeout: float) -> Iterator[Finding]:
    if answer.status != 202:
        advice = ADVICE.get(answer.status, "Look at the platform's log.")
        yield Finding(
            "wrong", f"The platform answered {answer.status}. {advice} {answer.sentence}".rstrip()
        )
        return
    yield Finding(
        "ok", f"One request sent as {PROBE}; it arrived, answered in {seconds * 1000:.0f} ms."
    )
    if seconds > timeout:
        yield Finding(
            "note",
            f"That is longer than METRIC_TIMEOUT ({timeout:g} s): batches would be sent again.",
        )


def check_clock(answer: Answer) -> Iterator[Finding]:
    if answer.date is None:
        return
    try:
        there = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return
    # The header has whole seconds, cut.
    difference = time.time() - there - 0.5
    if abs(difference) <= MOST_CLOCK_DIFFERENCE:
        yield Finding("ok", "This machine's clock agrees with the platform's.")
    else:
        way = "ahead of" if difference > 0 else "behind"
        yield Finding(
            "wrong",
            f"This machine's clock is {abs(difference):.0f} s {way} the platform's: requests "
            "appear at the wrong time. Set it by NTP.",
        )


def probe(app: Flask, options: Options) -> bytes:
    """A batch of one request, of an instance of its own."""
    now = time.perf_counter_ns()
    trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    rule = EditedRule(PROBE, "doctor")
    rare = (*NOTHING_RARE[:2], trace, *NOTHING_RARE[3:])
    record: Record = (now - 1_000_000, now, "200 OK", rule, 0, "GET", PROBE, rare)
    rows = Rows()
    rows.add([record], time.time_ns() - now)
    instance = identify(options, app.root_path, debug=app.debug)
    return encode(instance, 1, {"seen": 1, "sent": 1, "dropped": {}}, rows, final=True)
