"""Mail leaves by a thread of its own: no page waits for a mail server, none waits for ever.

```
page ─ put ─▶ queue (bounded) ─▶ thread ─ SMTP ─▶ mail server
  └──────── outcome, for those who can wait a moment ◀┘
```
"""

import logging
import queue
import smtplib
import ssl
import threading
from concurrent.futures import Future
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Final

from flask_performance.server.settings import MailServer

log = logging.getLogger(__name__)

#: How long the mail server may take for each step of the conversation (seconds).
STEP_SECONDS: Final = 5.0
#: Mails that wait at most; more means that the server has been away for long.
WAITING: Final = 100


class MailError(Exception):
    """A mail did not go out. The message is a sentence for a person and holds no secret."""


class Outbox:
    """Sends one mail after the other. What fails is logged, and said in `trouble` until one works.

    A mail that failed is not sent again by itself: whoever asked for it can ask again, and the
    link in it would be older every time.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._waiting: queue.Queue[tuple[EmailMessage, Future[None]] | None]
        self._waiting = queue.Queue(WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        #: Whether the last mail failed.
        self.trouble = False

    def put(self, message: EmailMessage) -> "Future[None]":
        """Returns at once. The future ends when the mail is gone, or with a MailError."""
        outcome: Future[None] = Future()
        self._start()
        try:
            self._waiting.put_nowait((message, outcome))
        except queue.Full:
            self._fail(message, outcome, f"{WAITING} mails wait already")
        return outcome

    def close(self, seconds: float) -> None:
        """Give what waits this long to leave."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._waiting.put(None, timeout=seconds)
            except queue.Full:
                return
            thread.join(seconds)

    def _start(self) -> None:
        """With the first mail: many servers never send one."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mail", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            self._send(*waiting)

    def _send(self, message: EmailMessage, outcome: "Future[None]") -> None:
        try:
            deliver(self._server, message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._fail(message, outcome, _reason(error))
        else:
            self.trouble = False
            log.info("Sent %(subject)r to %(person)s", _named(message))
            outcome.set_result(None)

    def _fail(self, message: EmailMessage, outcome: "Future[None]", reason: str) -> None:
        self.trouble = True
        server = f"{self._server.host}:{self._server.port}"
        log.error(
            "The mail %(subject)r to %(person)s did not leave by %(server)s: %(reason)s. Check "
            "FLASK_PERFORMANCE_SMTP_URL and that server.",
            {**_named(message), "server": server, "reason": reason},
        )
        outcome.set_exception(MailError("The mail could not be sent."))


def _named(message: EmailMessage) -> dict[str, str]:
    """For the log."""
    return {"subject": str(message["Subject"]), "person": str(message["To"])}


def deliver(server: MailServer, message: EmailMessage) -> None:
    """One conversation. Raises OSError, SMTPException or ValueError (an impossible address)."""
    with _connected(server) as smtp:
        if server.user is not None:
            smtp.login(server.user, server.password or "")
        smtp.send_message(message)


def _connected(server: MailServer) -> smtplib.SMTP:
    """Encrypted where the mail server can, and always before a password crosses a network."""
    context = ssl.create_default_context()
    if server.tls:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=STEP_SECONDS, context=context)
    smtp = smtplib.SMTP(server.host, server.port, timeout=STEP_SECONDS)
    if _on_this_machine(server.host):
        return smtp
    try:
        _encrypt(smtp, context, needed=server.user is not None)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _encrypt(smtp: smtplib.SMTP, context: ssl.SSLContext, *, needed: bool) -> None:
    smtp.ehlo_or_helo_if_needed()
    if smtp.has_extn("starttls"):
        smtp.starttls(context=context)
    elif needed:
        raise smtplib.SMTPNotSupportedError("it offers no encryption: the password was not sent")


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: Exception) -> str:
    """What the mail server or the network said, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
