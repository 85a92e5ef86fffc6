"""Batches of 1,000 requests, from the socket to the queryable, rolled-up row.

    python -m benchmarks.batches [--seconds 60] [--connections 16] [--rate REQUESTS_A_SECOND]

The generator is a process of its own on the same machine; it asks again as soon as it is answered,
and waits where it is told to (503 with Retry-After). With a rate it sends so many and no more, as
apps do: without one the collector takes on more than can be stored meanwhile. Its bodies are packed
before, all but their ends: number and ledger of a batch stand last in its JSON, in a stored block
of the gzip stream, so that a body costs it some microseconds. It sends what `steps.document` calls
typical.

A probe posts one request every half second to another project and asks the API for it, until it is
there: that is the lag from a 202 to a queryable request, including the question.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import struct
import threading
import time
import zlib
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import uvloop

from tests.support.http import fetch
from tests.support.platform import Project
from tests.support.waiting import wait_for

from .collector import body
from .report import keep, machine, quantile
from .steps import REQUESTS, document
from .under_load import MB, Usage, loaded, size_of, stored, watched

#: Bodies that differ in more than their numbers, sent in turn.
TEMPLATES: Final = 40
WAIT_STORED: Final = 600.0
#: Connections that wait look this often whether a batch is due (seconds).
TICK: Final = 0.001


class Template:
    """A batch of one instance, packed up to its numbers."""

    def __init__(self, seed: int, requests: int) -> None:
        self._requests = requests
        whole = document(seed, random.Random(seed), requests)
        whole["instance"]["id"] = f"{seed:032x}"
        for name in ("batch", "ledger"):
            del whole[name]
        self._text = json.dumps(whole, separators=(",", ":")).encode()[:-1]
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        self._packed = packer.compress(self._text) + packer.flush(zlib.Z_FULL_FLUSH)
        self._crc = zlib.crc32(self._text)
        self._number = 0

    def next(self) -> bytes:
        """The next batch as gzip."""
        self._number += 1
        total = self._number * self._requests
        end = b',"batch":%d,"ledger":{"seen":%d,"sent":%d}}' % (self._number, total, total)
        stored = b"\x01" + struct.pack("<HH", len(end), len(end) ^ 0xFFFF) + end
        trailer = struct.pack("<II", zlib.crc32(end, self._crc), len(self._text) + len(end))
        head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        return b"".join((head, self._packed, stored, trailer))


class _Sender(asyncio.Protocol):
    """One connection: a batch at a time, until the end."""

    def __init__(self, load: "Load") -> None:
        self._load, self._said = load, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop has a class of its own
        self.go_on()

    def _send(self, content: bytes) -> None:
        self._sent = content
        self._transport.writelines((self._load.head % len(content), content))

    def data_received(self, data: bytes) -> None:
        self._said += data
        if not self._said.endswith(b"}"):
            return
        status, self._said = int(self._said[9:12]), b""
        if status == 503:
            self._load.told_to_wait += 1
            self._load.loop.call_later(1.0, self._send, self._sent)
            return
        assert status == 202, status
        self._load.acknowledged += 1
        self.go_on()

    def go_on(self) -> None:
        """With the next batch, if one is due; later; or never."""
        if self._load.loop.time() >= self._load.ends:
            self._load.open.discard(self)
            self._transport.close()
        elif self._load.is_due():
            self._send(self._load.next())
        else:
            self._load.free.append(self)


class Load:
    """All connections of the generator."""

    def __init__(
        self,
        dsn: str,
        seconds: float,
        connections: int,
        requests: int = REQUESTS,
        rate: int | None = None,
    ) -> None:
        parts = urlsplit(dsn)
        #: Batches a second; None: as many as go.
        self._rate = None if rate is None else rate / requests
        #: Connections that wait until a batch is due.
        self.free: list[_Sender] = []
        self._where = parts.hostname or "", parts.port or 80
        self.head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Encoding: gzip\r\n"
            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        ).encode()
        self._seconds, self._connections = seconds, connections
        # A seed is an instance, too, and another size must not repeat its batches.
        first = requests * TEMPLATES
        self._templates = [Template(first + place, requests) for place in range(TEMPLATES)]
        self._turn = 0
        self.acknowledged = self.told_to_wait = 0
        self.open: set[_Sender] = set()

    def is_due(self) -> bool:
        return self._rate is None or self._turn < (self.loop.time() - self._began) * self._rate

    def next(self) -> bytes:
        self._turn += 1
        return self._templates[self._turn % TEMPLATES].next()

    async def run(self) -> float:
        """Until every batch that was sent is acknowledged; so many seconds."""
        self.loop = asyncio.get_running_loop()
        self._began = self.loop.time()
        self.ends = self._began + self._seconds
        for _ in range(self._connections):
            _, sender = await self.loop.create_connection(lambda: _Sender(self), *self._where)
            self.open.add(sender)
        while self.open:
            await asyncio.sleep(TICK)
            free, self.free = self.free, []
            for sender in free:
                sender.go_on()
        return self.loop.time() - self._began


def generate(
    dsn: str,
    seconds: float,
    connections: int,
    result: Any,
    requests: int = REQUESTS,
    rate: int | None = None,
) -> None:
    load = Load(dsn, seconds, connections, requests, rate)
    before = time.process_time()  # the making of the templates is not part of it
    took = uvloop.run(load.run())
    result.put({"took": took, "acknowledged": load.acknowledged * requests,
                "told to wait": load.told_to_wait,
                "cores": (time.process_time() - before) / took})  # fmt: skip


class Probe:
    """The lag of one request after another."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.lags: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        sent = 0
        while not self._ended.wait(0.5):
            answer = fetch(self._project.dsn, "POST", body(), {"Content-Type": "application/json"},
                           timeout=60)  # fmt: skip
            if answer.status != 202:
                continue
            sent, acknowledged = sent + 1, time.monotonic()
            while stored(self._project) < sent:
                time.sleep(0.02)
            self.lags.append(time.monotonic() - acknowledged)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=int, help="requests a second; without: as many as go")
    given = parser.parse_args()
    on = machine()
    with loaded() as (platform, project):
        dsn = platform.create_project("Probe")
        listed = next(one for one in project.api.items("/projects") if one["dsn"] == dsn)
        probed = Project(listed["id"], "Probe", dsn, project.api)
        context = multiprocessing.get_context("spawn")
        result = context.Queue()
        generator = context.Process(
            target=generate,
            args=(project.dsn, given.seconds, given.connections, result),
            kwargs={"rate": given.rate},
        )
        with (
            watched(platform, project) as watcher,
            Usage(platform) as usage,
            Probe(probed) as probe,
        ):
            began = time.monotonic()
            generator.start()
            made = result.get()
            generator.join()
            ended = time.monotonic()
            wait_for(lambda: stored(project) >= made["acknowledged"], WAIT_STORED, "all rows")
            behind = time.monotonic() - ended
        lags = sorted(probe.lags)
        rows = stored(project)
        figures = {
            "sent at most, a second": given.rate,
            "acknowledged requests a second": round(made["acknowledged"] / made["took"]),
            "stored requests a second, until all were": round(rows / (made["took"] + behind)),
            "acknowledged": made["acknowledged"],
            "stored": rows,
            "answers 503 with Retry-After": made["told to wait"],
            "all stored after the last 202 (s)": round(behind, 2),
            "lag of the probe (s)": {
                "p50": round(quantile(lags, 0.5), 2), "most": round(lags[-1], 2),
            },
            "events of the open page meanwhile": watcher.events,
            "cores of the platform, mean": round(usage.cores, 2),
            "cores of the generator, mean": round(made["cores"], 2),
            "memory of the platform, most (MB)": round(usage.most_memory / MB),
            "data folder, bytes a request": round(size_of(platform.data) / rows, 1),
            "seconds": round(ended - began, 1),
        }  # fmt: skip
        assert rows == made["acknowledged"]
    keep("batches", on, figures)


if __name__ == "__main__":
    main()
