"""A mail server in a thread: real SMTP, and a look into everybody's letter box."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from .waiting import free_port, wait_for

USER, PASSWORD = "metrics", "p/w:1"
SENDER = "metrics@example.com"


class LetterBox:
    """What aiosmtpd gives mails to."""

    def __init__(self, refuses: str = "") -> None:
        self.mails: list[EmailMessage] = []
        #: The answer to each mail, such as "550 no such person"; empty: every mail is taken.
        self.refuses = refuses
        self.port = 0
        self.logins: list[LoginPassword] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, _server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuses:
            return self.refuses
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.encrypted.append(session.ssl is not None)
        self.mails.append(mail)
        return "250 OK"

    def authenticate(self, *known: Any) -> AuthResult:
        login = known[-1]
        self.logins.append(login)
        right = (USER.encode(), PASSWORD.encode())
        return AuthResult(success=(login.login, login.password) == right, handled=True)

    def wait(self, count: int = 1) -> list[EmailMessage]:
        """The first mails, as soon as there are so many."""
        wait_for(lambda: len(self.mails) >= count, 20, f"{count} mails")
        return self.mails[:count]


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[LetterBox, int]]:
    """A mail server on 127.0.0.1, and its port. The options are aiosmtpd's."""
    box = LetterBox()
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), authenticator=box.authenticate, **options
    )
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


def text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())
