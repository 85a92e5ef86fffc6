"""People with an account. Every function needs an app context."""

import secrets

from flask import current_app
from flask_security import Security
from flask_security.recoverable import generate_reset_password_token
from flask_security.utils import hash_password
from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError

from . import mail
from .models import Member, Role, Team, User, db, now
from .names import RefusedError
from .orm import take_turns


def create_user(email: str, password: str) -> User:
    """Raises RefusedError: no address, password too weak, or the address has an account."""
    security = _security()
    email = clean_email(email)
    faults, password = security._password_util.validate(password, True)  # noqa: SLF001
    if faults:
        raise RefusedError(" ".join(str(fault) for fault in faults))
    if user_by_email(email) is not None:
        raise RefusedError(f"{email} already has an account.")
    user = User(
        email=email,
        password=hash_password(password),
        active=True,
        fs_uniquifier=secrets.token_hex(32),
    )
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as error:
        db.session.rollback()
        raise RefusedError(f"{email} already has an account.") from error
    settle(user)
    user.confirmed_at = now()  # who runs the server vouches for the address
    db.session.commit()
    return user


def clean_email(email: str) -> str:
    """The address as accounts keep it. Raises RefusedError."""
    try:
        return str(_security()._mail_util.validate(email.strip()))  # noqa: SLF001
    except ValueError as error:
        raise RefusedError(f"{email!r} is not an email address.") from error


def change_email(user: User, email: str) -> None:
    """At once, and unconfirmed. Raises RefusedError: no address, or it has an account."""
    email = clean_email(email)
    other = user_by_email(email)
    if other is not None and other is not user:
        raise RefusedError(f"{email} has an account already; choose another address.")
    user.email = email
    user.confirmed_at = None
    try:
        db.session.commit()
    except IntegrityError as error:  # somebody else was faster
        db.session.rollback()
        raise RefusedError(f"{email} has an account already; choose another address.") from error


def user_by_email(email: str) -> User | None:
    return db.session.scalar(select(User).where(func.lower(User.email) == email.strip().lower()))


def first_user() -> User | None:
    """The oldest account: the server's administrator."""
    return db.session.scalar(select(User).order_by(User.id).limit(1))


def reset_link(user: User) -> str:
    """Where this person sets a new password; whoever has the link can."""
    token = generate_reset_password_token(user)  # type: ignore[no-untyped-call]
    return mail.link("security.reset_password", token=token)


def settle(user: User) -> bool:
    """Make the first user of a server its administrator; whether this is the one.

    Teams that the command line made before anybody had an account belong to this user.
    Part of the transaction that makes the user; the caller commits.
    """
    db.session.flush()
    take_turns("the first account")
    if db.session.scalar(select(exists().where(User.id != user.id))):
        return False
    user.administrator = True
    for team in db.session.scalars(select(Team).where(~exists().where(Member.team_id == Team.id))):
        db.session.add(Member(team=team, user=user, role=Role.OWNER))
    return True


def _security() -> Security:
    security = current_app.extensions["security"]
    assert isinstance(security, Security)  # noqa: S101
    return security
