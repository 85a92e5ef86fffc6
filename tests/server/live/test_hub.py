"""The live hub: one render for all who watch, new data to each, and an end to every connection."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from flask_performance.server.live import hub as module
from flask_performance.server.live.hub import LiveHub, LiveView

Event = tuple[str, str]


class Board:
    """A project's numbers and how they are shown; counts how often."""

    def __init__(self) -> None:
        self.revisions: Counter[int] = Counter()
        self.shown: dict[str, str] = {"summary": "0"}
        self.renders = 0
        self.asked = 0
        self.seconds = 0.0
        self.broken = False
        self.changes = 0
        self.behind = False

    def revision(self, project_id: int) -> int:
        self.asked += 1
        return self.revisions[project_id]

    def show(self, project_id: int = 1, **panels: str) -> None:
        self.shown = self.shown | panels
        self.revisions[project_id] += 1


class View:
    """Project 1 of a board."""

    def __init__(self, board: Board, key: Hashable = "view") -> None:
        self.board = board
        self.key = key
        self.project_ids = (1,)

    @property
    def behind(self) -> bool:
        return self.board.behind

    def events(self) -> dict[str, str]:
        assert threading.current_thread() is not threading.main_thread()
        self.board.renders += 1
        time.sleep(self.board.seconds)
        if self.board.broken:
            raise RuntimeError("no panel today")
        return dict(self.board.shown)


class Watcher:
    """A browser with an open page."""

    def __init__(self, application: Starlette, path: str = "/projects/1/live") -> None:
        self.status = 0
        self.text = ""
        self.left = asyncio.Event()
        self.started = False
        scope = {
            "type": "http", "http_version": "1.1", "scheme": "http", "method": "GET",
            "path": path, "raw_path": path.encode(), "query_string": b"range=15m",
            "headers": [(b"cookie", b"session=ada")], "server": ("x", 80), "client": ("x", 1),
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }  # fmt: skip
        self.task = asyncio.create_task(application(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self.started:
            self.started = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        self.text += message.get("body", b"").decode()

    @property
    def events(self) -> list[Event]:
        """Name and data of what came, parsed as a browser does."""
        found = []
        for part in self.text.split("\n\n"):
            fields = [line.split(": ", 1) for line in part.split("\n") if ": " in line]
            data = "\n".join(value for name, value in fields if name == "data")
            found += [(value, data) for name, value in fields if name == "event"]
        return found

    async def leave(self) -> None:
        self.left.set()
        await asyncio.wait_for(self.task, 5)


async def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, f"waited 5 s for {what}"
        await asyncio.sleep(0.005)


class Room:
    """A hub in its application, and everybody who watches."""

    def __init__(self, views: Callable[[str, str, str], LiveView | None], board: Board) -> None:
        self.hub = LiveHub(views, board.revision, lambda: board.changes)
        self.application = Starlette(routes=[Route("/projects/{id}/live", self.hub.endpoint)])
        self.watchers: list[Watcher] = []

    def watch(self, path: str = "/projects/1/live") -> Watcher:
        self.watchers.append(Watcher(self.application, path))
        return self.watchers[-1]


@contextlib.asynccontextmanager
async def room(
    board: Board, views: Callable[[str, str, str], LiveView | None] | None = None
) -> AsyncIterator[Room]:
    room = Room(views or (lambda *_: View(board)), board)
    yield room
    for watcher in room.watchers:
        await watcher.leave()
    assert room.hub._channels == {}
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def run(test: Any) -> None:
    asyncio.run(test)


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.setattr(module, "PACE", 0.02)
    return Board()


def test_a_watcher_hears_the_whole_state_and_then_what_changed(board: Board) -> None:
    async def test() -> None:
        board.shown = {"summary": "1", "chart": "two\nlines"}
        async with room(board) as here:
            ada = here.watch()
            await until(lambda: len(ada.events) == 2, "the whole state")
            assert ada.events == [("summary", "1"), ("chart", "two\nlines")]
            board.show(summary="2")
            await until(lambda: len(ada.events) == 3, "what changed")
            assert ada.events[2] == ("summary", "2")
            bob = here.watch()
            await until(lambda: len(bob.events) == 2, "the whole state for the late one")
            assert bob.events == [("summary", "2"), ("chart", "two\nlines")]
            assert ada.status == 200
            assert ada.headers["content-type"].startswith("text/event-stream")
            assert ada.headers["cache-control"] == "no-store"
            assert ada.text.startswith("retry: 1000\n\n")

    run(test())


def test_a_view_is_rendered_once_however_many_watch(board: Board) -> None:
    async def test() -> None:
        async with room(board) as here:
            watchers = [here.watch() for _ in range(50)]
            await until(lambda: all(len(one.events) == 1 for one in watchers), "the first state")
            assert board.renders == 1
            board.show(summary="1")
            await until(lambda: all(len(one.events) == 2 for one in watchers), "the change")
            assert board.renders == 2

    run(test())


def test_different_views_are_rendered_apart(board: Board) -> None:
    async def test() -> None:
        async with room(board, lambda path, *_: View(board, path)) as here:
            watchers = [here.watch(f"/projects/{id}/live") for id in (1, 2, 1)]
            await until(lambda: all(len(one.events) == 1 for one in watchers), "the first state")
            assert board.renders == 2

    run(test())


def test_nothing_is_rendered_or_sent_without_a_change(board: Board) -> None:
    async def test() -> None:
        async with room(board) as here:
            ada = here.watch()
            await until(lambda: len(ada.events) == 1, "the first state")
            board.show(project_id=2, summary="of another project")
            asked = board.asked
            await until(lambda: board.asked > asked + 10, "ten looks at the revision")
            assert board.renders == 1
            board.shown = {"summary": "0"}
            board.show()  # new revision, same panels
            await until(lambda: board.renders == 2, "a render")
            asked = board.asked
            await until(lambda: board.asked > asked + 3, "three more looks")
            assert len(ada.events) == 1

    run(test())


def test_time_alone_renders_too(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(module, "IDLE", 0.1)
        async with room(board) as here:
            ada = here.watch()
            await until(lambda: len(ada.events) == 1, "the first state")
            board.shown = {"summary": "an old request left the window"}
            await until(lambda: len(ada.events) == 2, "the window to move on")

    run(test())


def test_a_view_that_is_behind_is_asked_again_soon(board: Board) -> None:
    async def test() -> None:
        async with room(board) as here:
            ada = here.watch()
            board.behind = True
            await until(lambda: board.renders > 3, "renders without any change")
            board.behind, board.shown = False, {"summary": "what it had left out"}
            board.show(other="news")
            await until(lambda: len(ada.events) == 3, "the rest")

    run(test())


def test_constant_change_is_rendered_at_the_pace(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr(module, "PACE", 0.1)
        async with room(board) as here:
            here.watch()
            ends = time.monotonic() + 0.75
            while time.monotonic() < ends:
                board.show(summary=str(time.monotonic()))
                await asyncio.sleep(0.001)
            assert 3 <= board.renders <= 9

    run(test())


def test_a_view_that_takes_long_gets_its_share_and_no_more(board: Board) -> None:
    async def test() -> None:
        board.seconds = 0.1
        async with room(board) as here:
            here.watch()
            ends = time.monotonic() + 1.3
            while time.monotonic() < ends:
                board.show(summary=str(time.monotonic()))
                await asyncio.sleep(0.001)
            assert 2 <= board.renders <= 4  # a quarter of the time, 0.1 s each

    run(test())


def test_a_failed_render_is_over_with_the_next(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        board.broken = True
        async with room(board) as here:
            ada = here.watch()
            await until(lambda: board.renders == 1, "the failure")
            board.broken = False
            board.show(summary="well again")
            await until(lambda: len(ada.events) == 1, "the next render")
            assert ada.events == [("summary", "well again")]

    run(test())
    assert "could not be rendered" in caplog.text


def test_the_hub_knows_how_many_watch(board: Board) -> None:
    async def test() -> None:
        hub = LiveHub(lambda path, *_: View(board, path), board.revision, lambda: board.changes)
        application = Starlette(routes=[Route("/projects/{project}/live", hub.endpoint)])
        paths = ("/projects/1/live", "/projects/1/live", "/projects/2/live")
        watchers = [Watcher(application, path) for path in paths]
        async with asyncio.timeout(10):
            while hub.watched != (3, 2):
                await asyncio.sleep(0.01)
        for watcher in watchers:
            watcher.left.set()
        await asyncio.gather(*(watcher.task for watcher in watchers))
        assert hub.watched == (0, 0)

    asyncio.run(test())


def test_nobody_watching_costs_nothing(board: Board) -> None:
    async def test() -> None:
        async with room(board) as here:
            watchers = [here.watch(), here.watch()]
            await until(lambda: all(one.events for one in watchers), "the first state")
            await watchers[0].leave()
            board.show(summary="1")
            await until(lambda: len(watchers[1].events) == 2, "an event for the one who stayed")
            await watchers[1].leave()
            asked, renders = board.asked, board.renders
            board.show(summary="2")
            await asyncio.sleep(0.2)  # ten times the pace
            assert (board.asked, board.renders) == (asked, renders)
            assert len(watchers[0].events) == 1

    run(test())


def test_closing_ends_every_connection_and_every_new_one(board: Board) -> None:
    async def test() -> None:
        async with room(board) as here:
            watchers = [here.watch() for _ in range(3)]
            await until(lambda: all(one.events for one in watchers), "the first state")
            here.hub.close()
            await asyncio.wait_for(asyncio.gather(*(one.task for one in watchers)), 1)
            late = here.watch()
            await asyncio.wait_for(late.task, 1)
            assert late.status == 200

    run(test())


def test_a_connection_lives_for_a_while_and_is_kept_open_meanwhile(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr(module, "KEEP_ALIVE", 0.05)
        monkeypatch.setattr(module, "LIFE", 0.3)
        async with room(board) as here:
            ada = here.watch()
            await asyncio.wait_for(ada.task, 5)
            assert ada.text.count(": still here\n\n") >= 2

    run(test())


def test_who_may_not_see_it_is_told(board: Board) -> None:
    asked: list[tuple[str, str, str]] = []

    def nobody(*said: str) -> None:
        asked.append((said[0], said[1], said[2]))

    async def test() -> None:
        async with room(board, nobody) as here:
            eve = here.watch()
            await asyncio.wait_for(eve.task, 5)
            assert eve.status == 403
            assert "not logged in" in eve.text
            assert board.renders == 0

    run(test())
    assert asked == [("/projects/1", "range=15m", "session=ada")]


def test_who_may_not_see_a_page_any_more_hears_nothing_more(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"ada", "bob"}

    def views(path: str, query: str, cookie: str) -> LiveView | None:
        return View(board) if path.rpartition("/")[2] in members else None

    async def test() -> None:
        monkeypatch.setattr(module, "CHECK", 0.05)
        async with room(board, views) as here:
            ada, bob = here.watch("/projects/ada/live"), here.watch("/projects/bob/live")
            await until(lambda: bool(ada.events and bob.events), "the first state")
            members.remove("bob")
            board.changes += 1
            await asyncio.wait_for(bob.task, 5)
            board.show(summary="after bob")
            await until(lambda: ("summary", "after bob") in ada.events, "the news for ada")
            assert ("summary", "after bob") not in bob.events

    run(test())


def test_a_view_that_became_another_one_is_opened_anew(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Shop"]

    async def test() -> None:
        monkeypatch.setattr(module, "CHECK", 0.05)
        async with room(board, lambda *_: View(board, names[-1])) as here:
            ada = here.watch()
            await until(lambda: bool(ada.events), "the first state")
            names.append("Book shop")
            board.changes += 1
            await asyncio.wait_for(ada.task, 5)

    run(test())


def test_nobody_is_asked_for_while_the_accounts_do_not_change(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def views(path: str, query: str, cookie: str) -> LiveView | None:
        asked.append(path)
        return View(board)

    async def test() -> None:
        monkeypatch.setattr(module, "CHECK", 0.01)
        monkeypatch.setattr(module, "CHECK_DUTY", 1.0)
        async with room(board, views) as here:
            here.watch()
            await until(lambda: len(asked) == 1, "the page to open")
            await asyncio.sleep(0.2)  # twenty times the pace
            assert len(asked) == 1
            board.changes += 1
            await until(lambda: len(asked) == 2, "the check after a change")

    run(test())


def test_a_change_by_another_process_is_found_too(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"ada"}

    def views(path: str, query: str, cookie: str) -> LiveView | None:
        return View(board) if members else None

    async def test() -> None:
        monkeypatch.setattr(module, "CHECK", 0.01)
        monkeypatch.setattr(module, "CHECK_ANYWAY", 0.1)
        async with room(board, views) as here:
            ada = here.watch()
            await until(lambda: bool(ada.events), "the first state")
            members.clear()
            await asyncio.wait_for(ada.task, 5)

    run(test())


def test_a_page_stays_open_while_the_accounts_cannot_be_read(
    board: Board, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def views(path: str, query: str, cookie: str) -> LiveView | None:
        asked.append(path)
        if len(asked) > 1:
            raise OSError("the disk is away")
        return View(board)

    async def test() -> None:
        monkeypatch.setattr(module, "CHECK", 0.05)
        async with room(board, views) as here:
            ada = here.watch()
            await until(lambda: len(asked) > 0, "the page to open")
            board.changes += 1
            await until(lambda: len(asked) > 2, "two checks that fail")
            board.show(summary="still here")
            await until(lambda: ("summary", "still here") in ada.events, "the news")

    run(test())
    assert "may go on" in caplog.text
