"""Why somebody may not sign up, in words: what happened, and what to do next."""

import enum
from typing import NamedTuple

from werkzeug.exceptions import Forbidden


class Words(NamedTuple):
    """A page's title and text, and a sentence beside a log-in."""

    title: str
    text: str
    hint: str


class Refusal(enum.Enum):
    EMPTY = Words(
        title="The first account is made by a link",
        text="This server has no account yet. The link that makes the first one is where "
        "“flask-performance serve” was started, in its terminal or log. Open it there; every "
        "start of the server prints a new one.",
        hint="This server has no account yet. The link that makes the first one is in the "
        "terminal or log of “flask-performance serve”.",
    )
    STALE = Words(
        title="This link does not work any more",
        text="The server was started again since it was printed. The newest link is at the end "
        "of the log of “flask-performance serve”.",
        hint="",
    )
    TAKEN = Words(
        title="The first account was made already",
        text="Log in if it is yours. Otherwise ask who runs this server for an account, or a "
        "member of a team for an invitation.",
        hint="",
    )
    INVITE = Words(
        title="You need an invitation",
        text="On this server people sign up with an invitation to a team. Ask a member of the "
        "team for one; if you have one, open its link again.",
        hint="New here? Ask a member of your team for an invitation.",
    )
    CLOSED = Words(
        title="Nobody can sign up here",
        text="Accounts of this server are made by who runs it: ask there for one. An invitation "
        "to a team works as soon as you can log in.",
        hint="New here? Ask who runs this server for an account.",
    )


class SignUpRefusedError(Forbidden):
    """Somebody may not sign up. The dashboard makes a page of its words."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value.text)
        self.words = refusal.value
        #: Nobody can log in yet.
        self.is_first = refusal in {Refusal.EMPTY, Refusal.STALE}
