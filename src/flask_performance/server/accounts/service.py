"""What pages, API and commands ask of the accounts. Every function needs an app context.

Whatever a user may not see is None or left out, so that "not yours" and "not there" look alike.
"""

import hashlib
import secrets
from datetime import timedelta

from flask import current_app
from flask_security import Security
from flask_security.utils import hash_password
from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import contains_eager, selectinload

from .models import NAME_LENGTH, Key, Member, Project, Role, Team, Token, User, db, now

DEFAULT_TEAM = "Personal"
TOKEN_PREFIX = "fp_"  # noqa: S105
#: A token's last use is kept to the minute: reading must not mean writing.
TOKEN_USE_STEP = timedelta(minutes=1)
#: Those who may create projects in their team.
CREATORS = frozenset({Role.OWNER, Role.ADMIN, Role.MEMBER})


class RefusedError(ValueError):
    """A name, address or password that cannot be used. The message is a sentence for the person."""


# --- users ---------------------------------------------------------------------------------


def create_user(email: str, password: str) -> User:
    """Raises RefusedError: no address, password too weak, or the address has an account."""
    security = _security()
    try:
        email = security._mail_util.validate(email.strip())  # noqa: SLF001
    except ValueError as error:
        raise RefusedError(f"{email!r} is not an email address.") from error
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
    adopt_teams(user)
    db.session.commit()
    return user


def user_by_email(email: str) -> User | None:
    return db.session.scalar(select(User).where(func.lower(User.email) == email.strip().lower()))


def first_user() -> User | None:
    """The oldest account: the server's administrator."""
    return db.session.scalar(select(User).order_by(User.id).limit(1))


def adopt_teams(user: User) -> None:
    """Teams that the command line made before anybody had an account belong to the first user.

    Part of the transaction that makes the user; the caller commits.
    """
    db.session.flush()
    if first_user() is not user:
        return
    for team in db.session.scalars(select(Team).where(~exists().where(Member.team_id == Team.id))):
        db.session.add(Member(team=team, user=user, role=Role.OWNER))


# --- teams ---------------------------------------------------------------------------------


def teams_of(user: User) -> list[Team]:
    """By name."""
    query = select(Team).join(Member).where(Member.user_id == user.id)
    return list(db.session.scalars(query.order_by(Team.name, Team.id)))


def team_for(user: User, public_id: str) -> Team | None:
    query = select(Team).join(Member).where(Member.user_id == user.id, Team.public_id == public_id)
    return db.session.scalar(query)


def role_in(user: User, team: Team) -> Role | None:
    member = db.session.get(Member, (team.id, user.id))
    return Role(member.role) if member else None


def create_team(user: User | None, name: str) -> Team:
    """A team with the user as its owner. Raises RefusedError.

    Without a user: a team that the first user will adopt.
    """
    team = Team(name=clean_name(name))
    if user is not None:
        if any(other.name == team.name for other in teams_of(user)):
            raise RefusedError(f"You already have a team named {team.name!r}; choose another name.")
        team.members.append(Member(user=user, role=Role.OWNER))
    db.session.add(team)
    db.session.commit()
    return team


def default_team(user: User) -> Team:
    """Where a project goes when its creator names no team; made on first use.

    The oldest team that the user may create projects in.
    """
    query = select(Team).join(Member).where(Member.user_id == user.id, Member.role.in_(CREATORS))
    team = db.session.scalar(query.order_by(Team.id).limit(1))
    return team or create_team(user, DEFAULT_TEAM)


# --- projects ------------------------------------------------------------------------------


def projects_of(user: User) -> list[Project]:
    """All projects of all teams of the user, by team and name, with their teams and keys."""
    query = (
        select(Project)
        .join(Project.team)
        .join(Member, Member.team_id == Team.id)
        .where(Member.user_id == user.id)
        .options(contains_eager(Project.team), selectinload(Project.keys))
        .order_by(Team.name, Team.id, Project.name)
    )
    return list(db.session.scalars(query))


def project_for(user: User, public_id: str) -> Project | None:
    """None unless the user is a member of the project's team."""
    query = (
        select(Project)
        .join(Project.team)
        .join(Member, Member.team_id == Team.id)
        .where(Member.user_id == user.id, Project.public_id == public_id)
        .options(contains_eager(Project.team))
    )
    return db.session.scalar(query)


def create_project(team: Team, name: str) -> Project:
    """A project with its first key. Raises RefusedError."""
    name = clean_name(name)
    taken = f"The team {team.name!r} already has a project named {name!r}; choose another name."
    if db.session.scalar(select(exists().where(Project.team_id == team.id, Project.name == name))):
        raise RefusedError(taken)
    project = Project(team=team, name=name, keys=[Key()])
    db.session.add(project)
    try:
        db.session.commit()
    except IntegrityError as error:  # somebody else was faster
        db.session.rollback()
        raise RefusedError(taken) from error
    return project


def revoke_key(key: Key) -> None:
    """From now on the collector refuses it, within a second."""
    key.revoked_at = now()
    db.session.commit()


def clean_name(name: str) -> str:
    """The name without space around it. Raises RefusedError unless 1 to 80 characters remain."""
    name = " ".join(name.split())
    if not name.isprintable():
        raise RefusedError("A name cannot contain control characters; leave them out.")
    if not 1 <= len(name) <= NAME_LENGTH:
        found = f"has {len(name)}" if name else "is empty"
        raise RefusedError(f"A name has 1 to {NAME_LENGTH} characters, but this one {found}.")
    return name


# --- tokens --------------------------------------------------------------------------------


def create_token(user: User, name: str) -> str:
    """The secret of a new token. It is shown once: the database keeps only its hash."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    db.session.add(Token(user=user, name=clean_name(name), secret_sha256=_sha256(secret)))
    db.session.commit()
    return secret


def user_by_token(secret: str) -> User | None:
    """The token's owner; None for an unknown token and for a deactivated user."""
    token = db.session.scalar(select(Token).where(Token.secret_sha256 == _sha256(secret)))
    if token is None or not token.user.active:
        return None
    if token.last_used_at is None or now() - token.last_used_at > TOKEN_USE_STEP:
        token.last_used_at = now()
        db.session.commit()
    return token.user


def _sha256(secret: str) -> str:
    """A plain hash is enough: the secret has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _security() -> Security:
    security = current_app.extensions["security"]
    assert isinstance(security, Security)  # noqa: S101
    return security
