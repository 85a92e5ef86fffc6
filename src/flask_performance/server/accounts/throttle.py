"""Guessing takes too long: wrong passwords and codes, and asking for mails, are limited.

| what is counted | for whom | limit |
|---|---|---|
| wrong passwords | account and address together | `WRONG` |
| wrong passwords, wrong codes | address | `WRONG_ADDRESS` |
| wrong passwords | account, from addresses where it never logged in | `WRONG_ACCOUNT` |
| wrong codes of the second factor | account | `WRONG_CODE` |
| sign-ups, resets, confirmations asked for | email typed | `ASKED` |
| the same | address | `ASKED_ADDRESS` |
| invitations, which are mails to strangers | account | `INVITED` |
| the same | account and email typed together | `INVITED_ONE` |

So a stranger who guesses an account's password keeps its owner out only from places where the
owner has not logged in within 30 days, and only while the guessing goes on. An email counts as it
was typed, with or without an account: the answer tells nobody which.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from flask import Flask, Response, current_app, request, session
from flask_security import current_user
from werkzeug.exceptions import TooManyRequests

from .database import shared
from .dsn import settings
from .happenings import Happenings
from .recent import Limit, Recent

EXTENSION: Final = "flask_performance_throttle"
MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
#: How long an account's address counts as one of its own after a log-in (seconds).
KNOWN_SECONDS: Final = 30 * DAY
ONCE: Final = Limit(1, KNOWN_SECONDS)


class Policy(NamedTuple):
    """The limits; offices share an address, so those by address are wide."""

    wrong: Limit = Limit(10, 15 * MINUTE)
    wrong_address: Limit = Limit(100, 15 * MINUTE)
    wrong_account: Limit = Limit(50, 15 * MINUTE)
    wrong_code: Limit = Limit(20, HOUR)
    asked: Limit = Limit(5, HOUR)
    asked_address: Limit = Limit(60, HOUR)
    invited: Limit = Limit(100, HOUR)
    invited_one: Limit = Limit(5, HOUR)


#: Endpoints where a password is proved, a code is proved, something is asked for, people invited.
PASSWORD: Final = frozenset({"security.login", "security.verify", "security.change_password"})
CODE: Final = frozenset({"security.two_factor_token_validation", "security.mf_recovery"})
ASKING: Final = frozenset(
    {
        "security.register",
        "security.forgot_password",
        "security.send_confirmation",
        "security.change_email",
        "dashboard.change_address",
    }
)
INVITING: Final = frozenset({"dashboard.invite"})


class Throttle:
    """The counts of one server, or of several that share their accounts."""

    def __init__(self, policy: Policy, recent: Recent | Happenings) -> None:
        self.policy = policy
        self.recent = recent
        #: Since the start: failed sign-ins by kind, and what was refused because of a limit.
        self.failures = Counter(dict.fromkeys(("password", "code", "single_sign_on"), 0))
        self.refused = 0

    def limits(self) -> Iterator[tuple[Hashable, Limit]]:
        """What the request at hand counts against."""
        account, address, policy = _account(), _address(), self.policy
        if request.endpoint in ASKING:
            yield ("asked", account), policy.asked
            yield ("asked", address), policy.asked_address
            return
        if request.endpoint in INVITING:
            yield ("invited", account), policy.invited
            if email := _typed():
                yield ("invited", account, email), policy.invited_one
            return
        yield ("wrong", address), policy.wrong_address
        yield ("wrong", account, address), policy.wrong
        if request.endpoint in CODE:
            yield ("code", account), policy.wrong_code
        elif not self.recent.happened(("known", account, address), KNOWN_SECONDS):
            yield ("wrong", account), policy.wrong_account

    def refuse(self) -> None:
        """Raises TooManyRequests where a limit is reached."""
        wait = max(self.recent.wait(key, limit) for key, limit in self.limits())
        if wait > 0:
            self.refused += 1
            raise TooManyRequests(_words(wait), retry_after=math.ceil(wait))

    def count(self, response: Response) -> None:
        asked = request.endpoint in ASKING | INVITING
        if asked or response.status_code < 300 or response.status_code == 422:
            if not asked:
                self.failures["code" if request.endpoint in CODE else "password"] += 1
            for key, limit in self.limits():
                self.recent.add(key, limit)
        elif current_user.is_authenticated:
            account, address = current_user.email.lower(), _address()
            self.recent.add(("known", account, address), ONCE)
            self.recent.forget(("wrong", account, address))


def sign_ins(app: Flask) -> tuple[Mapping[str, int], int]:
    """Those that failed since the start, by kind; and how many were refused by a limit."""
    throttle = app.extensions[EXTENSION]
    assert isinstance(throttle, Throttle)  # noqa: S101
    return throttle.failures, throttle.refused


def failed_sign_on() -> None:
    """The provider, or we, refused a single sign-on. Needs an app context."""
    _throttle().failures["single_sign_on"] += 1


def init_app(app: Flask, policy: Policy | None = None) -> None:
    recent = Happenings() if shared(settings(app)) else Recent()
    app.extensions[EXTENSION] = Throttle(policy or Policy(), recent)
    app.before_request(_before)
    app.after_request(_after)


def _before() -> None:
    if _guarded():
        _throttle().refuse()


def _after(response: Response) -> Response:
    if _guarded() and response.status_code != TooManyRequests.code:
        _throttle().count(response)
    return response


def _guarded() -> bool:
    return request.method == "POST" and request.endpoint in PASSWORD | CODE | ASKING | INVITING


def _throttle() -> Throttle:
    throttle = current_app.extensions[EXTENSION]
    assert isinstance(throttle, Throttle)  # noqa: S101
    return throttle


def _account() -> str:
    """The account that is tried: as typed, or whose password was right already."""
    if request.endpoint in CODE:
        return str(session.get("tf_user_id", ""))
    if current_user.is_authenticated:
        return str(current_user.email).lower()
    return _typed()


def _typed() -> str:
    return request.form.get("email", "").strip().lower()[:255]


def _address() -> str:
    """Of IPv6 the network that a provider gives to one customer."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return request.remote_addr or ""
    return str(ip_network((address, 64 if address.version == 6 else 32), strict=False))


def _words(wait: float) -> str:
    minutes = math.ceil(wait / MINUTE)
    when = "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"Nothing is locked for good: try again in {when}."
