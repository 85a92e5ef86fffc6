"""What a page that is open hears: the whole state of each of its panels, whenever it is asked.

The live hub opens a view for every connection, keeps one for all that have the same `key`, and
sends the events whose data changed. Because an event carries its panel's whole state, a reader
that lost the connection has neither a gap nor a repeat after it.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Hashable
from contextlib import suppress
from typing import Final

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from flask_performance.server.store.base import EventStore, Pulse, StoreUnavailableError

from . import access
from .pages import instances, operation, project, routes, unmatched
from .pages import requests as requests_page
from .panels import projects, requests, throughput
from .panels.base import Panel
from .render import panel_event
from .scope import (
    INSTANCES_PAGE,
    OPERATION_PAGE,
    REQUESTS_PAGE,
    ROUTES_PAGE,
    UNMATCHED_PAGE,
    Project,
    ProjectsScope,
    Scope,
)
from .state import State, StateError

#: Panels that are asked for every time: they are cheap, whatever the range.
ALWAYS: Final = frozenset({requests.PANEL.name})
#: The others move once in so many seconds, which is as fast as people read numbers; in ranges from
#: `LONG_FROM` seconds on, where a second's news changes nothing that can be seen, even more slowly.
PACE: Final = 1.0
LONG_FROM: Final = 6 * 3_600
LONG_PACE: Final = 5.0
#: So long the list of projects keeps what is usual (seconds).
USUAL_FOR: Final = 60.0
#: The live pages of a project by their endpoint: what stands behind its path, and their panels.
PAGES: Final[dict[str, tuple[str, tuple[Panel[Scope], ...]]]] = {
    "dashboard.project": ("", project.PANELS),
    "dashboard.project_operation": (OPERATION_PAGE, operation.PANELS),
    "dashboard.project_requests": (REQUESTS_PAGE, requests_page.PANELS),
    "dashboard.project_unmatched": (UNMATCHED_PAGE, unmatched.PANELS),
    "dashboard.project_instances": (INSTANCES_PAGE, instances.PANELS),
    "dashboard.project_routes": (ROUTES_PAGE, routes.PANELS),
}
EXTENSION: Final = "flask_performance_dashboard"


class LiveView(ABC):
    """One page as one group of people watches it."""

    #: The store's ids of the projects whose news matter.
    project_ids: tuple[int, ...]
    #: Equal for views that show the same to everybody who may see them.
    key: Hashable

    #: Whether the last events left something out that is news by now.
    behind: bool = False

    @abstractmethod
    def events(self) -> dict[str, str]:
        """Event name to data: JSON for "pulse" and charts, a panel's HTML for the rest."""


class ProjectView(LiveView):
    """A page of a project. Before the project's first request there is only a pulse."""

    def __init__(
        self, app: Flask, store: EventStore, endpoint: str, project: Project, state: State
    ) -> None:
        self.project_ids = (project.id,)
        self.key = (endpoint, project, state)
        self._page, self._panels = PAGES[endpoint]
        self._app, self._store, self._project, self._state = app, store, project, state
        self._texts: dict[str, str] = {}
        self._next = 0.0
        self._filling = False

    def events(self) -> dict[str, str]:
        with self._app.app_context():
            scope = Scope(self._store, self._project, self._state, page=self._page)
            now = time.monotonic()
            due = now >= self._next
            if scope.seen:
                if due:
                    self._next = now + (PACE if scope.window.seconds < LONG_FROM else LONG_PACE)
                self._render(scope, due=due)
            if due:
                for panel in project.SETUP_PANELS:
                    self._texts[panel.name] = panel_event(self._app, panel, scope)
            return {"pulse": pulse(scope.now_us, scope.newest_us), **self._texts}

    def _render(self, scope: Scope, *, due: bool) -> None:
        for panel in self._panels:
            if due or panel.name in ALWAYS:
                with suppress(StoreUnavailableError):  # a chart keeps what it shows
                    self._texts[panel.name] = panel_event(self._app, panel, scope)
        if due:  # a bar that waits for its step is news without a new request
            self._filling = throughput.filling(scope)
        self.behind = not due or self._filling


class ProjectsView(LiveView):
    """The list of projects."""

    def __init__(self, app: Flask, store: EventStore, found: list[Project]) -> None:
        self.project_ids = tuple(project.id for project in found)
        self.key = ("projects", *found)
        self._app, self._store, self._projects = app, store, found
        self._usual: dict[int, Pulse] | None = None
        self._until = 0.0

    def events(self) -> dict[str, str]:
        with self._app.app_context():
            if time.monotonic() >= self._until:  # a day's numbers do not move in a minute
                self._usual, self._until = None, time.monotonic() + USUAL_FOR
            scope = ProjectsScope(self._store, self._projects, usual=self._usual)
            self._usual = scope.usual
            return {
                "pulse": pulse(scope.now_us, scope.newest_us),
                projects.PANEL.name: panel_event(self._app, projects.PANEL, scope),
            }


def open_view(app: Flask, path: str, query_string: str, cookie_header: str) -> LiveView | None:
    """The view of a page (`path` without "/live") for the person whose cookies these are.

    None: nobody is logged in, the page is not theirs, or it has nothing live.
    """
    store: EventStore = app.extensions[EXTENSION]
    headers = {"Cookie": cookie_header} if cookie_header else {}
    with app.test_request_context(path, query_string=query_string, headers=headers):
        if access.person() is None:
            return None
        try:
            return _view(app, store)
        except (HTTPException, StateError):
            return None


def _view(app: Flask, store: EventStore) -> LiveView | None:
    if request.endpoint == "dashboard.projects":
        return ProjectsView(app, store, access.projects())
    endpoint = request.endpoint or ""
    if endpoint in PAGES and request.view_args:
        shown = access.project(request.view_args["public_id"])
        return ProjectView(app, store, endpoint, shown, State.read(request.args))
    return None


def pulse(now_us: int, newest_us: int | None) -> str:
    """The age of the newest data, by the platform's clock, so that the reader's may be wrong."""
    return json.dumps({"now_us": now_us, "newest_us": newest_us})
