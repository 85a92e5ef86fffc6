"""Second factors and passkeys: what Flask-Security is told about them, and what it says."""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, abort, request
from flask_security import auth_required, change_email_confirmed, tf_disabled

from flask_performance.server.settings import Settings

from . import lazily, mail
from .factors import (
    ALONE,
    RECOVERY_CODES,
    OneTimeCodes,
    Passkeys,
    RecoveryCodes,
    has_second_factor,
)
from .models import User, now
from .secret import derived

#: Deeds that change how one logs in ask for a log-in that is not older than this …
FRESH: Final = timedelta(minutes=10)
#: … or for another such deed within this time, so that nobody is stopped half-way.
GRACE: Final = timedelta(minutes=5)
#: Flask-Security asks for a fresh log-in at the first step alone, and what it signs there names no
#: account: with a stolen session the second step would take a first step made elsewhere.
SECOND_STEPS: Final = ("security.two_factor_setup_validate", "security.wan_register_response")
#: How far a phone's clock may be off (seconds, either way).
CLOCK: Final = 30


def options(settings: Settings, secret: str) -> dict[str, Any]:
    """The part of Flask-Security's configuration that is about second factors and passkeys."""
    mailing = settings.mail_server is not None
    chosen = {
        "FRESHNESS": FRESH,
        "FRESHNESS_GRACE_PERIOD": GRACE,
        "VERIFY_URL": "/verify",
        "CHANGEABLE": True,
        "CHANGE_URL": "/account/password",
        "POST_CHANGE_VIEW": "/account",
        "SEND_PASSWORD_CHANGE_EMAIL": mailing,
        "CHANGE_EMAIL": mailing,
        "CHANGE_EMAIL_URL": "/account/new-email",
        "CHANGE_EMAIL_CONFIRM_URL": "/account/new-email/confirm",
        "POST_CHANGE_EMAIL_VIEW": "/account",
        "CHANGE_EMAIL_SUBJECT": "Confirm your new address",
        # Aware, because a naive one would be taken for this machine's own time.
        "DATETIME_FACTORY": now,
        "TWO_FACTOR": True,
        "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "TWO_FACTOR_AUTHENTICATOR_VALIDITY": CLOCK,
        "TWO_FACTOR_RESCUE_EMAIL": False,
        "TWO_FACTOR_SETUP_URL": "/account/two-factor",
        "TWO_FACTOR_POST_SETUP_VIEW": "/account/security",
        "TWO_FACTOR_TOKEN_VALIDATION_URL": "/login/code",
        "TWO_FACTOR_SELECT_URL": "/login/factor",
        "TWO_FACTOR_RESCUE_URL": "/login/rescue",
        "TOTP_SECRETS": {"1": derived(secret, "totp")},
        "TOTP_ISSUER": issuer(settings),
        "MULTI_FACTOR_RECOVERY_CODES": True,
        "MULTI_FACTOR_RECOVERY_CODES_N": RECOVERY_CODES,
        "MULTI_FACTOR_RECOVERY_CODES_URL": "/account/recovery-codes",
        "MULTI_FACTOR_RECOVERY_URL": "/login/recovery",
        "WEBAUTHN": True,
        "WAN_RP_NAME": issuer(settings),
        "WAN_REGISTER_URL": "/account/passkeys",
        "WAN_POST_REGISTER_VIEW": "/account/passkeys",
        "WAN_DELETE_URL": "/account/passkeys/delete",
        "WAN_SIGNIN_URL": "/login/passkey",
        "WAN_VERIFY_URL": "/verify/passkey",
        # A passkey is found by the browser; nobody types an address for it.
        "WAN_ALLOW_USER_HINTS": False,
        # As strong as a log-in: a key that only follows a password proves nobody's presence.
        "WAN_ALLOW_AS_VERIFY": [ALONE],
        **MESSAGES,
    }
    return {f"SECURITY_{name}": value for name, value in chosen.items()}


#: What Flask-Security says in these matters, in our words.
MESSAGES: Final = {
    "MSG_CHANGE_EMAIL_SENT": (
        "A mail with a link is on its way to %(email)s. The address changes when you open it.",
        "info",
    ),
    "MSG_CHANGE_EMAIL_CONFIRMED": ("The address is changed. Log in with it from now on.", "info"),
    "MSG_CHANGE_EMAIL_EXPIRED": (
        "This link worked for %(within)s. Ask for a new one.", "error",
    ),
    "MSG_REAUTHENTICATION_REQUIRED": (
        "Your log-in is some minutes old. Show that it is you.", "info",
    ),
    "MSG_REAUTHENTICATION_SUCCESSFUL": ("Thank you. Go on where you were.", "info"),
    "MSG_PASSWORD_CHANGE": (
        "The password is changed. Every other device was signed out.", "info",
    ),
    "MSG_TWO_FACTOR_CHANGE_METHOD_SUCCESSFUL": (
        "Two-factor log-in is on. Keep recovery codes for the day your phone is gone.", "info",
    ),
    "MSG_TWO_FACTOR_LOGIN_SUCCESSFUL": ("You are logged in.", "info"),
    "MSG_TWO_FACTOR_DISABLED": ("Two-factor log-in is off.", "info"),
    "MSG_TWO_FACTOR_INVALID_TOKEN": (
        "This code does not fit. Type the one that the app shows now; a code works once.", "error",
    ),
    "MSG_TWO_FACTOR_PERMISSION_DENIED": (
        "This log-in was not finished in time, or in another window. Start again.", "error",
    ),
    "MSG_TWO_FACTOR_SETUP_EXPIRED": ("That took longer than %(within)s. Start again.", "error"),
    "MSG_INVALID_RECOVERY_CODE": (
        "This recovery code does not fit, or was used before. Try another one.", "error",
    ),
    "MSG_WEBAUTHN_EXPIRED": ("That took longer than %(within)s. Start again.", "error"),
    "MSG_WEBAUTHN_NAME_REQUIRED": ("Give the passkey a name.", "error"),
    "MSG_WEBAUTHN_NAME_INUSE": (
        "You have a passkey named %(name)s already; choose another name.", "error",
    ),
    "MSG_WEBAUTHN_CREDENTIAL_DELETED": ("The passkey %(name)s is deleted.", "info"),
    "MSG_WEBAUTHN_REGISTER_SUCCESSFUL": ("The passkey %(name)s is ready.", "info"),
    "MSG_WEBAUTHN_CREDENTIAL_ID_INUSE": ("This passkey is registered already.", "error"),
    "MSG_WEBAUTHN_UNKNOWN_CREDENTIAL_ID": (
        "This server does not know that passkey. Use another one, or the password.", "error",
    ),
    "MSG_WEBAUTHN_NO_VERIFY": (
        "The passkey could not be checked (%(cause)s). Try again, or use the password.", "error",
    ),
    "MSG_WEBAUTHN_CREDENTIAL_WRONG_USAGE": (
        "This passkey is for after the password. Log in with the password first.", "error",
    ),
    "MSG_WEBAUTHN_MISMATCH_USER_HANDLE": ("This passkey belongs to another account.", "error"),
}  # fmt: skip


def issuer(settings: Settings) -> str:
    """How authenticator apps and passkey managers name this server."""
    host = urlsplit(settings.url).hostname if settings.url else None
    return f"Flask-Performance {host}" if host else "Flask-Performance"


def parts() -> dict[str, Any]:
    """The classes that Flask-Security works with instead of its own."""
    return {
        "totp_cls": OneTimeCodes,
        "mf_recovery_codes_util_cls": RecoveryCodes,
        "webauthn_util_cls": Passkeys,
    }


def init_app(app: Flask) -> None:
    """Without a second factor there is nothing to recover from, and rescue is by codes alone."""
    tf_disabled.connect(_forget_codes, app)
    change_email_confirmed.connect(_tell_old_address, app)
    app.view_functions["security.two_factor_rescue"] = lambda: abort(404)
    app.before_request(_with_passkeys)
    for endpoint in SECOND_STEPS:
        guard = auth_required("session", within=lambda: FRESH, grace=lambda: GRACE)
        app.view_functions[endpoint] = guard(app.view_functions[endpoint])


def _tell_old_address(_app: Flask, user: User, old_email: str, **_other: object) -> None:
    """Whoever took an account over must not take its owner's last word along."""
    subject = "The address of your account was changed"
    mail.send(old_email, subject, "security/email/address_notice", user=user, old_email=old_email)


def _with_passkeys() -> None:
    if (request.endpoint or "").startswith("security.wan_"):
        lazily.passkeys()


def _forget_codes(_app: Flask, user: User, **_other: object) -> None:
    user.totp_counter = None
    if not has_second_factor(user):
        user.mf_recovery_codes = None
