"""The browsers in which a person is signed in, and how each of them can be signed out.

A log-in makes a row, the session carries its `public_id`, and every request asks whether the row is
still there. So whoever takes the row away ends the session, whatever cookie the browser holds; that
is why "stay logged in" is a session that outlives the browser's window, and no cookie of its own.
"""

import logging
from datetime import timedelta
from typing import Final

from flask import Flask, after_this_request, request, session
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out  # type: ignore[import-untyped]
from flask_security import Security, password_changed, password_reset, user_authenticated
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from .models import Device, User, db, now
from .user_agents import words

log = logging.getLogger(__name__)

#: Where a session keeps the `public_id` of its device.
SESSION: Final = "device"
#: How long a person stays logged in without coming back, in a browser that may remember.
KEEP: Final = timedelta(days=30)
#: "Last seen" is kept this exactly: reading must not mean writing.
SEEN_STEP: Final = timedelta(minutes=5)


def init_app(app: Flask, security: Security) -> None:
    """Tie sessions to devices. Comes after Flask-Security's own set-up."""
    app.config["PERMANENT_SESSION_LIFETIME"] = KEEP
    load = security.login_manager._user_callback  # noqa: SLF001

    def signed_in(user_id: str) -> User | None:
        user: User | None = load(user_id)
        return user if user is not None and _known(user) else None

    security.login_manager.user_loader(signed_in)
    user_authenticated.connect(_signed_in, app)
    user_logged_out.connect(_signed_out, app)
    password_changed.connect(_end_others, app)
    password_reset.connect(_end_others, app)


def devices_of(user: User) -> list[Device]:
    """The devices that are signed in, last seen first."""
    query = select(Device).where(Device.user_id == user.id, Device.seen_at > now() - KEEP)
    return list(db.session.scalars(query.order_by(Device.seen_at.desc(), Device.id.desc())))


def current() -> str | None:
    """The `public_id` of the device that asks."""
    return session.get(SESSION)


def sign_out(user: User, public_id: str) -> bool:
    """End a device's session with its next request. False: the user has no such device."""
    device = db.session.scalar(
        select(Device).where(Device.user_id == user.id, Device.public_id == public_id)
    )
    if device is None:
        return False
    db.session.delete(device)
    db.session.commit()
    return True


def sign_out_others(user: User, security: Security) -> None:
    """End every session but the one that asks, and every log-in that is half done."""
    _forget(user, kept=current())
    security.datastore.set_uniquifier(user)
    session["_user_id"] = user.get_id()  # what Flask-Login knows this session by
    db.session.commit()


def _known(user: User) -> bool:
    """Whether this session's device is signed in still."""
    device = db.session.scalar(
        select(Device).where(Device.public_id == current(), Device.user_id == user.id)
    )
    if device is None or now() - device.seen_at > KEEP:
        return False
    if now() - device.seen_at > SEEN_STEP:
        _see(device)
    return True


def _see(device: Device) -> None:
    """Note the visit. A database that cannot be written to is no reason to refuse a page."""
    device.seen_at = now()
    device.address = request.remote_addr or device.address
    try:
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        log.warning("It cannot be noted that a device was seen", exc_info=True)


def _signed_in(_app: Flask, user: User, **_other: object) -> None:
    """Whoever just logged in gets a row, or keeps the one of this browser.

    Part of the log-in's transaction; committed at its end.
    """
    if session.pop("_remember", None) == "set":
        session.permanent = True
    session.pop("_remember_seconds", None)
    db.session.flush()
    if not (current() and _known(user)):
        device = Device(user=user, name=words(request.user_agent.string), address=_address())
        db.session.add(device)
        db.session.flush()
        session[SESSION] = device.public_id
    db.session.execute(
        delete(Device).where(Device.user_id == user.id, Device.seen_at < now() - KEEP)
    )
    after_this_request(_commit)


def _signed_out(_app: Flask, **_other: object) -> None:
    """The row goes with the session, and nothing remembers the browser."""
    public_id = session.pop(SESSION, None)
    session.permanent = False
    if public_id is not None:
        db.session.execute(delete(Device).where(Device.public_id == public_id))
        after_this_request(_commit)


def _end_others(_app: Flask, user: User, **_other: object) -> None:
    """A new password ends the sessions of the old one; their rows go with them."""
    _forget(user, kept=current())


def _forget(user: User, kept: str | None) -> None:
    db.session.execute(delete(Device).where(Device.user_id == user.id, Device.public_id != kept))


def _commit(response: ResponseReturnValue) -> ResponseReturnValue:
    db.session.commit()
    return response


def _address() -> str:
    return request.remote_addr or ""
