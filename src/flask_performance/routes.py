"""The routes that the app declares: told in the first batch of an instance, and when they changed.

The platform can then say which of them nobody ever calls. Read on the sender's thread.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from .texts import sendable
from .wire import MAX_RULES, Routes, Rule

if TYPE_CHECKING:
    import weakref

    from flask import Flask

logger = logging.getLogger("flask_performance")

#: Looked at again after so many seconds. Flask takes no routes after the first request, but
#: nothing keeps an app from adding to its `url_map`.
EVERY: Final = 60.0
#: What all rules and endpoints may take (characters): a batch must stay small.
MOST_TEXT: Final = 256 * 1024


class Declared:
    """The routes of one app.

    :param app: weak, for an app that is gone must not be kept by us; None: there is none to ask.
    """

    def __init__(self, app: "weakref.ref[Flask] | None" = None) -> None:
        self._app = app
        self._look_at = 0.0
        self._told = -1  # how many rules there were when they were told last; none is ever removed
        self._complained = False

    def news(self) -> Routes | None:
        """What is to be told in the batch that is being cut."""
        if time.monotonic() < self._look_at:
            return None
        self._look_at = time.monotonic() + EVERY
        app = self._app() if self._app is not None else None
        if app is None:
            return None
        try:
            return self._changed(app)
        except Exception as error:  # an app may put anything into its url_map
            self._complain("cannot list the app's routes", error)
            return None

    def _changed(self, app: "Flask") -> Routes | None:
        found = list(app.url_map.iter_rules())
        if len(found) == self._told:
            return None
        self._told = len(found)
        declared = [rule for rule in found if not rule.build_only]
        rules = list(bounded(declared))
        if len(rules) < len(declared):
            self._complain(f"lists {len(rules)} of the app's {len(declared)} routes", None)
        return {"app": sendable(app.name[:200]), "rules": rules}

    def _complain(self, what: str, error: Exception | None) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("Flask-Performance %s; requests are not affected.", what, exc_info=error)


def bounded(rules: Iterable[Any]) -> Iterator[Rule]:
    """Werkzeug's rules as the wire has them, the first ones if they are too many."""
    left = MOST_TEXT
    for number, rule in enumerate(rules):
        member = _rule(rule)
        left -= len(member["rule"]) + len(member["endpoint"])
        if left < 0 or number == MAX_RULES:
            return
        yield member


def _rule(rule: Any) -> Rule:
    return {
        "rule": sendable(rule.rule),
        "methods": _methods(rule),
        "endpoint": sendable(str(rule.endpoint)),
    }


def _methods(rule: Any) -> list[str]:
    """Those that the app's author asked for: HEAD comes with GET, OPTIONS with everything."""
    if getattr(rule, "websocket", False):
        return ["GET"]
    methods = set(rule.methods or ())
    if "GET" in methods:
        methods.discard("HEAD")
    if len(methods) > 1 and getattr(rule, "provide_automatic_options", True):
        methods.discard("OPTIONS")
    return sorted(methods)
