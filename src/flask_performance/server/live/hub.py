"""Live pages: server-sent events, fed by one poll per view however many people watch it.

A page listens to its own address with `/live` behind it. Its view says which projects it shows and
renders its events; while any of these projects changes, the view is rendered again, at most every
`PACE` seconds, and each watcher gets the events whose data is new. An event is the whole state of a
panel, so a connection that was lost continues without a gap or a repeat.

The format is that of the HTML standard, section 9.2 ("Server-sent events").
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from functools import partial
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

log = logging.getLogger(__name__)

#: A view is rendered at most this often (seconds) …
PACE: Final = 0.25
#: … and at least this often, because "the last 15 minutes" move on without requests.
IDLE: Final = 5.0
#: A view that takes long to render may use at most this share of the time.
DUTY: Final = 0.25
#: A comment line keeps proxies from closing a quiet connection (seconds).
KEEP_ALIVE: Final = 15.0
#: A connection ends after this time; the browser comes back at once (seconds).
LIFE: Final = 300.0
#: After a change of the accounts, who watches is asked for anew within this time (seconds):
#: whoever was removed from the team, or logged out, hears nothing from then on …
CHECK: Final = 2.0
#: … but not so often that asking takes more than this share of the time.
CHECK_DUTY: Final = 0.01
#: Without a change that this process knows of, so seldom: a command may have made one (seconds).
CHECK_ANYWAY: Final = 30.0


class LiveView(Protocol):
    """What a page shows, as events. Views with equal keys show the same."""

    @property
    def key(self) -> Hashable: ...

    @property
    def project_ids(self) -> tuple[int, ...]: ...

    @property
    def behind(self) -> bool:
        """Whether the last events left something out that is news: ask again soon."""

    def events(self) -> dict[str, str]:
        """Event name to data. Called in a worker thread."""


#: Path, query string and cookie header of a page to its view; None: this person may not see it.
OpenView = Callable[[str, str, str], LiveView | None]
Revision = Callable[[int], int]


class _Channel:
    """One view and everybody who watches it."""

    def __init__(self, view: LiveView) -> None:
        self.view = view
        self.watchers = 0
        self.events: dict[str, str] = {}
        self.version = 0
        #: What the newest version has that the one before had not, made once for all who listen.
        self.news = b""
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def publish(self, events: dict[str, str]) -> None:
        if events != self.events:
            self.version += 1
            self.news = _news(events, self.events, self.version)
            self.events = events
            self.changed.set()
            self.changed = asyncio.Event()


class _Permit:
    """What allows a connection to go on: whoever opened it may see the same view still.

    When the view has become another one (a renamed project, a revoked key) the connection ends as
    well: the browser comes back at once and gets the new one.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[LiveView | None]], changes: Callable[[], int]
    ) -> None:
        self._ask = ask
        self._changes = changes
        self._key: Hashable = None
        self._asked = time.monotonic()
        #: What `changes` was before the last answer; None: there was none.
        self._seen: int | None = changes()
        self.until = self._asked + CHECK

    async def view(self) -> LiveView | None:
        """The view that it is about; None: this person may not see it."""
        view = await self._ask()
        self._key = view.key if view is not None else None
        return view

    async def holds(self) -> bool:
        """Asks only when it is time; while the accounts cannot be read, the last answer holds."""
        began = time.monotonic()
        if began < self.until:
            return True
        changes = self._changes()
        if changes == self._seen and began - self._asked < CHECK_ANYWAY:
            self.until = began + CHECK
            return True
        return await self._asks(began, changes)

    async def _asks(self, began: float, changes: int) -> bool:
        self._asked, self._seen = began, changes
        try:
            view = await self._ask()
        except Exception:
            log.warning("It is not known whether a live page may go on", exc_info=True)
            self._seen = None
            return True
        finally:
            took = time.monotonic() - began
            self.until = time.monotonic() + max(CHECK, took / CHECK_DUTY)
        return view is not None and view.key == self._key


class LiveHub:
    """The ASGI endpoint of all `…/live` addresses."""

    def __init__(self, open_view: OpenView, revision: Revision, changes: Callable[[], int]) -> None:
        """`changes` is another number after every change of who may see what."""
        self._open_view = open_view
        self._revision = revision
        self._changes = changes
        self._channels: dict[Hashable, _Channel] = {}
        self._closing = asyncio.Event()

    async def endpoint(self, request: Request) -> Response:
        path = request.url.path.removesuffix("/live")
        cookie = request.headers.get("cookie", "")
        asking = partial(asyncio.to_thread, self._open_view, path, request.url.query, cookie)
        permit = _Permit(asking, self._changes)
        view = await permit.view()
        if view is None:
            return PlainTextResponse(
                "You are not logged in, or this project is not one of yours.", 403
            )
        return StreamingResponse(
            self._watch(view, permit),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    @property
    def watched(self) -> tuple[int, int]:
        """How many watch, and how many different views."""
        channels = list(self._channels.values())
        return sum(channel.watchers for channel in channels), len(channels)

    def close(self) -> None:
        """End every connection; browsers come back to the next server by themselves."""
        self._closing.set()
        for channel in self._channels.values():
            channel.changed.set()

    async def _watch(self, view: LiveView, permit: "_Permit") -> AsyncIterator[bytes]:
        channel = self._join(view)
        sent: dict[str, str] = {}
        version = 0
        ends = time.monotonic() + LIFE
        quiet = time.monotonic() + KEEP_ALIVE
        try:
            yield b"retry: 1000\n\n"
            while not self._closing.is_set() and time.monotonic() < ends:
                if not await permit.holds():
                    return
                if time.monotonic() >= quiet:
                    quiet = time.monotonic() + KEEP_ALIVE
                    yield b": still here\n\n"
                changed = channel.changed
                if channel.version == version:
                    wake = min(quiet, permit.until) - time.monotonic()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wake):  # `wait_for` makes a task each time
                            await changed.wait()
                    continue
                quiet = time.monotonic() + KEEP_ALIVE
                before, version, events = version, channel.version, channel.events
                # Who could not keep up gets what is new to them, not each version in turn.
                late = before != version - 1
                news = _news(events, sent, version) if late else channel.news
                sent = events
                if news:
                    yield news
        finally:
            self._leave(channel)

    def _join(self, view: LiveView) -> _Channel:
        channel = self._channels.get(view.key)
        if channel is None:
            channel = self._channels[view.key] = _Channel(view)
            channel.task = asyncio.create_task(self._feed(channel))
        channel.watchers += 1
        return channel

    def _leave(self, channel: _Channel) -> None:
        channel.watchers -= 1
        if not channel.watchers:
            del self._channels[channel.view.key]
            if channel.task is not None:
                channel.task.cancel()

    async def _feed(self, channel: _Channel) -> None:
        """Render the view whenever its projects change, with a breath between."""
        view = channel.view
        seen: tuple[int, ...] | None = None
        rendered = 0.0
        while True:
            revisions = tuple(self._revision(project_id) for project_id in view.project_ids)
            rested = time.monotonic() - rendered
            if revisions == seen and not view.behind and rested < IDLE:
                await asyncio.sleep(PACE / 2)
                continue
            seen, rendered = revisions, time.monotonic()
            try:
                channel.publish(await asyncio.to_thread(view.events))
            except Exception:
                log.exception("A live view could not be rendered: %(view)r", {"view": view.key})
            took = time.monotonic() - rendered
            await asyncio.sleep(max(PACE, took / DUTY) - took)


def _news(events: Mapping[str, str], before: Mapping[str, str], version: int) -> bytes:
    """The events that are not as they were before."""
    return "".join(
        _event(name, data, version) for name, data in events.items() if before.get(name) != data
    ).encode()


def _event(name: str, data: str, version: int) -> str:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"id: {version}\nevent: {name}\n{lines}\n"
