"""Joins accounts to a Flask app: database, sign-up, log-in, log-out and password reset."""

from typing import Any, Final

import email_validator
from flask import Flask
from flask_security import Security, SQLAlchemyUserDatastore
from flask_security.core import RoleMixin
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]

from flask_performance.server.settings import Settings

from . import database, devices, mail, mfa, sessions, signup, sso, throttle
from .dsn import EXTENSION
from .models import User, WebAuthn, db
from .secret import secret_key

#: Protects every form of the app; the REST API, which knows no cookie, exempts itself.
csrf = CSRFProtect()

#: No form and no API body is larger (bytes).
MAX_BODY = 64 * 1024

#: The same for every address, with or without an account.
RESET_ASKED = (
    "If this address has an account, a link to set a new password is in the server's log now: "
    "ask the person who runs this server for it."
)
RESET_MAILED = (
    "If this address has an account, a mail with a link to set a new password is on its way. "
    "The link works for a day."
)
CONFIRMATION_MAILED = (
    "If %(email)s waits for its confirmation, a mail with the link is on its way. Open the link to "
    "log in; it works for two days."
)

#: OWASP's least for interactive log-in (Password Storage Cheat Sheet): 19 MiB, so that a log-in
#: fits a small machine's memory.
ARGON2: Final = {"memory_cost": 19 * 1024, "time_cost": 2, "parallelism": 1}

PRIVATE_DOMAINS = frozenset({"local", "localhost", "test"})


def init_app(app: Flask, settings: Settings) -> None:
    """Give an app users. Call `upgrade(app)` before it serves. Raises SettingsError."""
    app.extensions[EXTENSION] = settings
    _accept_addresses_of_private_networks()
    app.config.update(_flask(settings), **_security(settings))
    mail.init_app(app)
    app.config.update(mfa.options(settings, app.config["SECRET_KEY"]))
    db.init_app(app)
    with app.app_context():
        database.prepare(db.engine)
    csrf.init_app(app)
    datastore = SQLAlchemyUserDatastore(db, User, RoleMixin, WebAuthn)
    security = Security(app, datastore, mail_util_cls=mail.Mail, **signup.parts(), **mfa.parts())
    security.want_json(lambda _request: False)
    # Only a session logs in to pages: no look at headers, and none into a body of JSON.
    security.login_manager.request_loader(lambda _request: None)
    devices.init_app(app, security)
    mfa.init_app(app)
    sessions.init_app(app)
    throttle.init_app(app)
    signup.init_app(app, security)
    sso.init_app(app, settings)


def _accept_addresses_of_private_networks() -> None:
    """A company's own mail may live under such names; email-validator's way is to edit its list."""
    refused = email_validator.SPECIAL_USE_DOMAIN_NAMES
    refused[:] = [name for name in refused if name not in PRIVATE_DOMAINS]


def _flask(settings: Settings) -> dict[str, Any]:
    secure, address = settings.secure, database.url(settings)
    return {
        "SECRET_KEY": secret_key(settings),
        "SQLALCHEMY_DATABASE_URI": address,
        "SQLALCHEMY_ENGINE_OPTIONS": database.engine_options(address),
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": secure,
        # A page stays open for days; its forms are good as long as its session.
        "WTF_CSRF_TIME_LIMIT": None,
    }


def _security(settings: Settings) -> dict[str, Any]:
    mailing = settings.mail_server is not None
    asked = RESET_MAILED if mailing else RESET_ASKED
    options = {
        "REGISTERABLE": True,
        "REGISTER_URL": "/signup",
        "POST_REGISTER_VIEW": "/login" if mailing else signup.HOME,
        "PASSWORD_CONFIRM_REQUIRED": False,
        "LOGIN_URL": "/login",
        "POST_LOGIN_VIEW": signup.HOME,
        "LOGOUT_URL": "/logout",
        "POST_LOGOUT_VIEW": "/login",
        "RECOVERABLE": True,
        "RESET_URL": "/reset",
        "POST_RESET_VIEW": "/login",
        # Nobody learns from an answer whether an address has an account.
        "RETURN_GENERIC_RESPONSES": True,
        # No DNS question on sign-up, and a host of a company's own network needs no dot.
        "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "globally_deliverable": False},
        # With a mail server an address is used only once its owner has opened the mail's link.
        "CONFIRMABLE": mailing,
        "CONFIRM_URL": "/confirm",
        "POST_CONFIRM_VIEW": "/login",
        "SEND_REGISTER_EMAIL": mailing,
        "SEND_PASSWORD_RESET_NOTICE_EMAIL": mailing,
        "EMAIL_HTML": mailing,
        **_subjects(),
        "MSG_PASSWORD_RESET_REQUEST": (asked, "info"),
        "MSG_GENERIC_RECOVERY": (asked, "info"),
        "MSG_CONFIRM_REGISTRATION": (CONFIRMATION_MAILED, "info"),
        "MSG_CONFIRMATION_REQUEST": (CONFIRMATION_MAILED, "info"),
        **_messages(),
        # Argon2 needs no second hash.
        "PASSWORD_HASH": "argon2",
        "PASSWORD_SINGLE_HASH": {"argon2"},
        "PASSWORD_SCHEMES": ["argon2"],
        "PASSWORD_HASH_PASSLIB_OPTIONS": {f"argon2__{name}": n for name, n in ARGON2.items()},
        # Of the hash of the password and of the address, in signed links: nothing to guess there,
        # and a slow hash would tell by its time which addresses have an account.
        "HASHING_SCHEMES": ["hex_sha256"],
        "JOIN_USER_ROLES": False,
        # As directives without values; the default writes `no-store=True`, which is none.
        "CACHE_CONTROL": {"no-store": None},
        "API_ENABLED_METHODS": ["session"],
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
    }
    return {f"SECURITY_{name}": value for name, value in options.items()}


def _subjects() -> dict[str, str]:
    """What mails are about."""
    return {
        "EMAIL_SUBJECT_REGISTER": "Confirm your address",
        "EMAIL_SUBJECT_CONFIRM": "Confirm your address",
        "EMAIL_SUBJECT_PASSWORD_RESET": "Set a new password",
        "EMAIL_SUBJECT_PASSWORD_NOTICE": "Your password was changed",
        "EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": "Your password was changed",
    }


def _messages() -> dict[str, tuple[str, str]]:
    """What Flask-Security says, in our words: what happened, what to do next."""
    return {
        "MSG_UNAUTHENTICATED": ("Log in to see this page.", "info"),
        "MSG_EMAIL_CONFIRMED": ("Your address is confirmed. Log in.", "info"),
        "MSG_ALREADY_CONFIRMED": ("Your address is confirmed already. Log in.", "info"),
        "MSG_INVALID_CONFIRMATION_TOKEN": (
            "This link does not confirm an address. Ask for a new one.", "error",
        ),
        "MSG_CONFIRMATION_EXPIRED": (
            "This link is older than %(within)s. Ask for a new one.", "error",
        ),
        "MSG_INVALID_RESET_PASSWORD_TOKEN": (
            "This link does not work any more. Ask for a new one.", "error",
        ),
        "MSG_PASSWORD_RESET_EXPIRED": (
            "This link is older than %(within)s. Ask for a new one.", "error",
        ),
        "MSG_PASSWORD_RESET_NO_LOGIN": (
            "The new password is set, and every device was signed out. Log in with it.", "info",
        ),
    }  # fmt: skip
