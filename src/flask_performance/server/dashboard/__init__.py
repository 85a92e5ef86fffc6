"""The dashboard: pages for people, and what an open page hears.

```
URL ─ state ─ scope ─ panels ─┬─ pages   (first paint, numbers in it)
              (store)         └─ live    (the same panels again, over server-sent events)
```

`init_app` joins it to the web app, `open_view` serves the live hub, `collector_page` is what a
person sees at a DSN. It reads the store and the accounts and writes nothing but teams and projects.
"""

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Flask, request
from jinja2 import ChoiceLoader, FileSystemLoader

from flask_performance.server.store.base import EventStore

from . import access, errors, formats, headers, static
from .assets import Assets, FrontEndMissingError
from .collector_page import collector_page
from .headers import SECURITY_HEADERS
from .live import EXTENSION, LiveView, open_view
from .pages import (
    account,
    files,
    instances,
    keys,
    operation,
    project,
    projects,
    requests,
    routes,
    settings,
    team_audit,
    team_invitation,
    team_members,
    team_settings,
    teams,
    tokens,
    unmatched,
)
from .render import script_json

__all__ = [
    "SECURITY_HEADERS",
    "Assets",
    "FrontEndMissingError",
    "LiveView",
    "collector_page",
    "init_app",
    "open_view",
]

TEMPLATES = Path(__file__).with_name("templates")
THEMES = frozenset({"light", "dark"})


#: Says what there is to know, a sentence each.
Notices = Callable[[], list[str]]
Deletions = Callable[[int], list[str]]


def init_app(
    app: Flask,
    store: EventStore,
    server: Notices = list,
    deletions: Deletions = lambda _project: [],
) -> None:
    """Give an app its pages. The accounts' `init_app` comes before it.

    `server`: what an administrator has to know; `deletions`: what of a project (by the
    store's id) was deleted for want of room.
    """
    app.extensions[EXTENSION] = store
    # Ours before everybody's: Flask-Security brings templates of the same names.
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(TEMPLATES), *([app.jinja_loader] if app.jinja_loader else [])]
    )
    app.jinja_env.filters["script_json"] = script_json
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    formats.register(app.jinja_env)
    errors.init_app(app)
    headers.init_app(app)
    assets = Assets()
    static.init_app(app, assets)
    blueprint = Blueprint("dashboard", __name__)
    projects.register(blueprint, store)
    project.register(blueprint, store)
    settings.register(blueprint, store)
    keys.register(blueprint, store)
    requests.register(blueprint, store)
    operation.register(blueprint, store)
    unmatched.register(blueprint, store)
    instances.register(blueprint, store)
    routes.register(blueprint, store)
    files.register(blueprint, store)
    tokens.register(blueprint)
    teams.register(blueprint)
    team_settings.register(blueprint, store)
    team_members.register(blueprint)
    team_audit.register(blueprint)
    team_invitation.register(blueprint)
    account.register(blueprint, store)
    app.register_blueprint(blueprint)
    app.context_processor(
        lambda: {
            "assets": assets, "person": access.person(), "theme": theme(),
            "server_notices": server, "deletions": deletions,
        }
    )  # fmt: skip


def theme() -> str:
    """The theme a person chose with the switch; nothing follows the system."""
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else ""
