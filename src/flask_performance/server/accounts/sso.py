"""Single sign-on: from what the provider says to an account of this server.

```
known identity ─────────────────────────────▶ its account
address, verified ─┬─ account, address proved ▶ connected, from now on known
                   ├─ account, never proved ──▶ refused: log in with the password, connect there
                   └─ no account ─────────────▶ made, where sign-up allows it
address, unverified ────────────────────────▶ refused
```

Who could make the provider say any address must not get that address's account, and who made an
account here for somebody else's address must not get the owner into it. So both sides have to have
proved the address. The provider's second factors count; this server asks for none on top.
"""

import re
import secrets
import time
from typing import Any, Final

from flask import Blueprint, Flask, abort, flash, redirect, request, session, url_for
from flask_security import current_user, login_user
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from werkzeug import Response

from flask_performance.server.settings import Settings, SignUp

from . import dsn, invitations, oidc, signup, throttle, users
from .mfa import FRESH
from .models import User, db, now
from .names import RefusedError
from .oidc import Identity, SignOnError

#: Of the session: where the person wanted to go.
NEXT: Final = "sso_next"

blueprint = Blueprint("sso", __name__)


def init_app(app: Flask, settings: Settings) -> None:
    """Add the two addresses, and what the button is called, where there is a provider."""
    oidc.init_app(app, settings)
    app.context_processor(_shown)
    if settings.oidc_issuer:
        app.register_blueprint(blueprint)


def _shown() -> dict[str, Any]:
    provider = oidc.provider()
    return {"sso": provider.name if provider else None}


@blueprint.get("/login/sso")
def start() -> Response:
    """To the provider. Who is logged in already shows there that it is they."""
    wanted = request.args.get("next", "")
    session[NEXT] = wanted if _is_ours(wanted) else ""
    again = {"prompt": "login"} if current_user.is_authenticated else {}
    callback = dsn.base_url() + url_for("sso.callback")
    try:
        return _provider().redirect(callback, **again)
    except SignOnError as error:
        return _refused(error)


@blueprint.get("/login/sso/callback")
def callback() -> Response:
    """Back from the provider."""
    wanted = session.pop(NEXT, "")
    try:
        identity = _provider().identity()
        if current_user.is_authenticated:
            _confirm(current_user, identity)
        else:
            login_user(person(identity), remember=False, authn_via=["sso"])
    except SignOnError as error:
        return _refused(error)
    db.session.commit()
    return redirect(wanted or signup.HOME)


def person(identity: Identity) -> User:
    """Whose account it is; connected or made now if it must be. Raises SignOnError."""
    user = db.session.scalar(select(User).where(User.sso_identity == identity.key))
    if user is None:
        address = _verified(identity)
        known = users.user_by_email(address)
        user = _connect(known, identity) if known else _sign_up(address, identity)
    if not user.active:
        raise SignOnError("Your account is turned off. Ask whoever runs this server.")
    return user


def _verified(identity: Identity) -> str:
    if not identity.email:
        raise SignOnError(f"{_name()} told no email address, and accounts here have one.")
    if not identity.verified:
        raise SignOnError(
            f"{_name()} does not say that {identity.email} is verified, so it could be anybody's. "
            "Verify the address there, then log in again."
        )
    try:
        return users.clean_email(identity.email)
    except RefusedError as error:
        raise SignOnError(str(error)) from error


def _connect(user: User, identity: Identity) -> User:
    """The account of the address, if its owner proved that it is theirs here too."""
    if user.sso_identity is not None:
        raise SignOnError(
            f"The account of {user.email} is connected with another person at {_name()}. Log in "
            "with its password."
        )
    if user.confirmed_at is None:
        raise SignOnError(
            f"{user.email} has an account here whose address was never confirmed. Log in with its "
            "password, then connect it under Account, Security."
        )
    user.sso_identity = identity.key
    return user


def _sign_up(address: str, identity: Identity) -> User:
    """A new account, without a password. Raises SignOnError where sign-up does not allow it."""
    if (reason := signup.refusal()) is not None and not _is_invited(address):
        raise SignOnError(f"{reason.value.title}. {reason.value.text}")
    user = User(
        email=address,
        fs_uniquifier=secrets.token_hex(32),
        sso_identity=identity.key,
        confirmed_at=now(),
    )
    db.session.add(user)
    try:
        users.settle(user)
    except IntegrityError as error:
        db.session.rollback()
        raise SignOnError("This account was made a moment ago. Log in again.") from error
    return user


def _is_invited(address: str) -> bool:
    """By an invitation for this address, which it would be asked to open after the log-in."""
    return dsn.settings().signup is SignUp.INVITE and invitations.is_invited(address)


def _confirm(user: User, identity: Identity) -> None:
    """Somebody who is logged in: it is they, or they connect the account with themselves."""
    if user.sso_identity is None:
        _connect_own(user, identity)
    elif user.sso_identity != identity.key:
        raise SignOnError(f"At {_name()} you are somebody else than here; log in there as you.")
    if identity.auth_time is not None and time.time() - identity.auth_time > FRESH.total_seconds():
        raise SignOnError(f"{_name()} did not ask you to log in again; log out there first.")
    session["fs_paa"] = time.time()  # what Flask-Security knows a fresh log-in by


def _connect_own(user: User, identity: Identity) -> None:
    """The addresses must agree: nobody is led into connecting an account with a stranger."""
    if _verified(identity).lower() != user.email.lower():
        raise SignOnError(
            f"At {_name()} your address is {identity.email}, here it is {user.email}. "
            "Change one of them first."
        )
    taken = select(User.id).where(User.sso_identity == identity.key)
    if db.session.scalar(taken) is not None:
        raise SignOnError(f"You have another account here; log in to it by {_name()}.")
    if time.time() - session.get("fs_paa", 0) > FRESH.total_seconds():
        raise SignOnError("Your log-in is some minutes old. Log out, log in, and connect then.")
    user.sso_identity = identity.key
    user.confirmed_at = user.confirmed_at or now()
    flash(f"Your account is connected. From now on {_name()} logs you in.", "info")


def _is_ours(address: str) -> bool:
    """A path of this server, and nothing that a browser could read as another's address."""
    return bool(re.fullmatch(r"/(?!/)[!-\[\]-~]*", address))


def _provider() -> oidc.Provider:
    return oidc.provider() or abort(404)


def _name() -> str:
    return _provider().name


def _refused(error: SignOnError) -> Response:
    """Back to where the person came from, with the reason."""
    db.session.rollback()
    throttle.failed_sign_on()
    flash(str(error), "error")
    known = current_user.is_authenticated
    return redirect("/account/security" if known else url_for("security.login"))
