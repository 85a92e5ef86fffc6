"""Mail to people. Without an SMTP server, the link goes to the log, where the operator finds it."""

import logging
from typing import Any

from flask import url_for
from flask_security import MailUtil

from .dsn import server_url

log = logging.getLogger(__name__)


class LogMail(MailUtil):
    """Writes password reset links to the log instead of sending them.

    The link's host is the server's own address, never the request's: whoever asks for somebody
    else's reset could otherwise choose where the link leads.
    """

    def send_mail(
        self,
        template: str,  # noqa: ARG002
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],  # noqa: ARG002
        body: str | None,  # noqa: ARG002
        html: str | None,  # noqa: ARG002
        **context: Any,
    ) -> None:
        token = context.get("reset_token")
        if token is None:
            return
        log.warning(
            "%s for %s: no mail server is configured, so hand this link to its owner: %s%s",
            subject,
            recipient,
            server_url(),
            url_for("security.reset_password", token=token),
        )
