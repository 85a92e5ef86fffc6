"""Who may sign up, and what happens when somebody does.

```
/signup ─ first=<secret> ──────▶ first account, administrator   (a server without accounts)
        ─ invitation in session ▶ an account, then the invitation (open, invite)
        ─ neither ──────────────▶ an account (open), else a page that says what to do
```
"""

from typing import Any, Final

from flask import Flask, abort, current_app, flash, redirect, request, session, url_for
from flask_security import (
    ForgotPasswordForm,
    RegisterFormV2,
    Security,
    current_user,
    login_user,
    password_reset,
    user_not_registered,
    user_registered,
)
from flask_security.utils import hash_password
from sqlalchemy.exc import IntegrityError
from werkzeug import Response

from flask_performance.server.settings import SignUp

from . import first, invitations, mail, users
from .dsn import server_url, settings
from .models import Invitation, User, db, now
from .refusals import Refusal, SignUpRefusedError

SIGN_UP: Final = "security.register"
#: Where people land after they logged in or signed up.
HOME: Final = "/projects"
#: Of the session: the secret of the link to the first account, and that of an invitation.
FIRST: Final = "first_account"
INVITATION: Final = "invitation"


class SignUpForm(RegisterFormV2):
    """Email and password; with an invitation for one address, that address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invitation = _invitation()
        if not self.is_submitted() and self.invitation and self.invitation.email:
            self.email.data = self.invitation.email

    def validate(self, **kwargs: Any) -> bool:
        valid = super().validate(**kwargs)
        if self.invitation is None or settings().signup is SignUp.OPEN:
            return bool(valid)
        if not invitations.is_for(self.invitation, self.email.data or ""):
            wrong = f"This invitation is for {self.invitation.email}."
            self.email.errors = [*self.email.errors, wrong]
            return False
        return bool(valid)


class ResetForm(ForgotPasswordForm):
    """Also for who never confirmed the address: the mail with the reset link proves as much."""

    def validate(self, **kwargs: Any) -> bool:
        known = bool(super().validate(**kwargs)) or self.requires_confirmation
        if known:
            self.email.errors = []
            hash_password("as long as for an unknown address")  # Flask-Security does so for those
        return known


def parts() -> dict[str, Any]:
    """What Flask-Security is given for sign-up and reset."""
    return {"register_form": SignUpForm, "forgot_password_form": ResetForm}


def init_app(app: Flask, security: Security) -> None:
    first.init_app(app)
    app.before_request(_guard)
    app.after_request(_lead_to_invitation)
    user_registered.connect(_joined, app)
    user_not_registered.connect(_hint, app)
    password_reset.connect(_proved, app)
    for place in ("login", "register", "forgot_password", "send_confirmation"):
        getattr(security, f"{place}_context_processor")(_shown)
    security.mail_context_processor(lambda: {"mail_link": mail.link, "mail_home": server_url()})


def refusal() -> Refusal | None:
    """Why the visitor could not sign up now; None: the pages offer it."""
    if first.pending():
        return None if first.opens(session.get(FIRST, "")) else Refusal.EMPTY
    mode = settings().signup
    if mode is SignUp.OPEN or (mode is SignUp.INVITE and _invitation()):
        return None
    return Refusal.CLOSED if mode is SignUp.CLOSED else Refusal.INVITE


def _shown() -> dict[str, Any]:
    """What the templates of visitors know more."""
    return {
        "refusal": refusal(),
        "is_first": first.pending(),
        "mailing": mail.configured(),
        "mail_trouble": mail.trouble(),
    }


def _guard() -> Response | None:
    """Before the sign-up: keep the secret of a link, refuse who may not."""
    if request.endpoint != SIGN_UP or current_user.is_authenticated:
        return None
    if said := request.args.get(first.FIELD):
        if not first.opens(said):
            raise SignUpRefusedError(Refusal.STALE if first.pending() else Refusal.TAKEN)
        session[FIRST] = said  # and out of the address, which history and logs keep
        return redirect(request.path)
    if (reason := refusal()) is not None:
        if reason is Refusal.EMPTY:
            first.announce_new()
        raise SignUpRefusedError(reason)
    return None


def _invitation() -> Invitation | None:
    """The one whose link this browser opened, while it can be accepted."""
    secret = session.get(INVITATION)
    return invitations.valid(secret) if secret else None


def _joined(_app: Flask, user: User, **_other: object) -> None:
    """Part of the transaction that makes the user."""
    session.pop(FIRST, None)
    if _settled(user):
        first.used()
        _vouched(user)
    elif refusal() is not None:  # two with the same link, and somebody else was faster
        db.session.rollback()
        raise SignUpRefusedError(Refusal.TAKEN)


def _settled(user: User) -> bool:
    """As `users.settle`; whose address was taken a moment ago goes on as if it had long been so."""
    try:
        return users.settle(user)
    except IntegrityError:
        db.session.rollback()
        _hint(current_app)
        abort(redirect(url_for("security.login")))


def _vouched(user: User) -> None:
    """Who runs the server needs no mail to prove it: a wrong mail setting locks nobody out."""
    user.confirmed_at = now()
    if current_app.config["SECURITY_CONFIRMABLE"]:
        session.pop("_flashes", None)  # that a mail is on its way
        login_user(user, authn_via=["register"])


def _proved(_app: Flask, user: User, **_other: object) -> None:
    """The link to set a password came by mail, or from who runs the server."""
    user.confirmed_at = user.confirmed_at or now()


def _lead_to_invitation(response: Response) -> Response:
    """After a log-in that came from an invitation, on to it instead of home. Once."""
    if response.location == HOME and INVITATION in session and current_user.is_authenticated:
        response.location = f"/invitations/{session.pop(INVITATION)}"
    return response


def _hint(_app: Flask, **_other: object) -> None:
    """After a sign-up with an address that has an account: the person lands on /login.

    Where mail is sent, the mail says so, and the page must not.
    """
    if not mail.configured():
        flash("If you already have an account, log in or reset your password.", "info")
