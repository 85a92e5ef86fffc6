"""Mail to people. Without a mail server, the links go to the log, where the operator finds them.

The host of a link is the server's own address, never the request's: whoever asks for somebody
else's reset could otherwise choose where the link leads.
"""

import logging
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooSlowError
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final

from flask import Flask, current_app, g
from flask_security import MailUtil
from flask_security.utils import send_mail

from flask_performance.server.logs import FOR_THE_OPERATOR

from .dsn import server_url, settings
from .outbox import MailError, Outbox

__all__ = ["MailError", "configured", "init_app", "link", "send", "send_now", "trouble"]

log = logging.getLogger(__name__)

EXTENSION: Final = "flask_performance_outbox"
#: The mail to who signed up, with the link that confirms the address.
WELCOME: Final = "security/email/welcome"
#: How long a page waits to learn whether its mail left (seconds).
PATIENCE: Final = 5.0
TROUBLE: Final = (
    "Mail does not leave this server at the moment. Try again later, or ask who runs it: the "
    "reason is in its log."
)


def init_app(app: Flask) -> None:
    server = settings(app).mail_server
    if server is not None:
        app.extensions[EXTENSION] = Outbox(server)


def configured() -> bool:
    """Whether this server sends mail."""
    return _outbox() is not None


def trouble() -> str | None:
    """What to tell everybody who asks for a mail while mail does not leave.

    To all alike: an error for the one mail alone would say that the address has an account.
    """
    outbox = _outbox()
    return TROUBLE if outbox and outbox.trouble else None


def send(recipient: str, subject: str, template: str, **context: Any) -> None:
    """Mail `<template>.txt` and `.html` soon. The page does not wait."""
    send_mail(subject, recipient, template, **context)


def send_now(recipient: str, subject: str, template: str, **context: Any) -> None:
    """`send`, and know whether it left. Raises MailError with a sentence for the person."""
    send(recipient, subject, template, **context)
    try:
        outcome: Future[None] = g.pop("mail_outcome")
        outcome.result(PATIENCE)
    except KeyError as error:
        raise MailError("This server sends no mail.") from error
    except TooSlowError as error:
        raise MailError(
            "The mail server does not answer. The mail leaves as soon as it does."
        ) from error


def link(endpoint: str, **values: Any) -> str:
    """The address of a page, for a mail or the log."""
    # Not `url_for`: a command has no request to ask.
    return server_url() + current_app.url_map.bind("").build(endpoint, values)


def close(app: Flask, seconds: float) -> None:
    """At the end of the server."""
    outbox = app.extensions.get(EXTENSION)
    if isinstance(outbox, Outbox):
        outbox.close(seconds)


def _outbox() -> Outbox | None:
    outbox = current_app.extensions.get(EXTENSION)
    return outbox if isinstance(outbox, Outbox) else None


class Mail(MailUtil):
    """What Flask-Security sends mail with, and we by `send`."""

    def send_mail(
        self,
        template: str,
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],  # noqa: ARG002
        body: str | None,
        html: str | None,
        **context: Any,
    ) -> None:
        if template == WELCOME and context["user"].confirmed_at is not None:
            return  # there is nothing to confirm
        outbox, server = _outbox(), settings().mail_server
        if outbox is None or server is None:
            _log(subject, recipient, context.get("reset_token"))
            return
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, server.sender, str(recipient)
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain=server.sender.rpartition("@")[2].rstrip(">"))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content((body or "").strip() + "\n")
        if html:
            message.add_alternative(html, subtype="html")
        g.mail_outcome = outbox.put(message)


def _log(subject: str, recipient: str | tuple[str, str], reset_token: str | None) -> None:
    """The other mails say nothing that a log should."""
    if reset_token is not None:
        log.warning(
            "%(subject)s for %(person)s: no mail server is configured, so hand this link to its "
            "owner: %(link)s",
            {
                "subject": subject,
                "person": recipient,
                "link": link("security.reset_password", token=reset_token),
            },
            extra=FOR_THE_OPERATOR,
        )
