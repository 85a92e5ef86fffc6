"""Keys to the REST API, of a person or of a team. Every function needs an app context.

A token never may more than its owner, who is asked for at every use: whoever leaves a team takes
their tokens' sight of it along.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from . import audit, permissions, projects, teams
from .models import Project, Role, Team, Token, User, db, now
from .names import RefusedError, clean_name
from .permissions import Action, Scope

TOKEN_PREFIX: Final = "fp_"  # noqa: S105
#: A token's last use is kept to the minute: reading must not mean writing.
TOKEN_USE_STEP: Final = timedelta(minutes=1)
#: The longest life that can be asked for (days), other than for ever.
LONGEST_DAYS: Final = 3650


class TokenError(Exception):
    """A token that opens nothing. The message is a sentence for who sent it."""


@dataclass(frozen=True)
class Access:
    """What a token opens: what its owner sees, within its team, and does, within its scopes."""

    user: User
    scopes: frozenset[Scope]
    #: None: all teams of the owner.
    team: Team | None = None

    def teams(self) -> list[Team]:
        """By name."""
        return [team for team in teams.teams_of(self.user) if self._reaches(team)]

    def projects(self) -> list[Project]:
        """By team and name."""
        return [one for one in projects.projects_of(self.user) if self._reaches(one.team)]

    def team_for(self, public_id: str) -> Team | None:
        team = teams.team_for(self.user, public_id)
        return team if team is not None and self._reaches(team) else None

    def project_for(self, public_id: str) -> Project | None:
        project = projects.project_for(self.user, public_id)
        return project if project is not None and self._reaches(project.team) else None

    def default_team(self) -> Team:
        """Where a project goes when its creator names no team."""
        return self.team or teams.default_team(self.user)

    def role_in(self, team: Team) -> Role | None:
        """The owner's role."""
        return teams.role_in(self.user, team)

    def may(self, team: Team, action: Action) -> bool:
        """Whether both the owner's role and the token's scopes allow it."""
        return (
            permissions.scope_of(action) in self.scopes
            and self._reaches(team)
            and permissions.may(self.role_in(team), action)
        )

    def _reaches(self, team: Team) -> bool:
        return self.team is None or self.team.id == team.id


def create_token(
    user: User,
    name: str,
    scopes: Iterable[Scope] = tuple(Scope),
    days: int | None = None,
    team: Team | None = None,
) -> str:
    """The secret of a new token. It is shown once: the database keeps only its hash.

    `days` is how long it lives, None for ever; `team` limits it to that team, whose other
    managers see and revoke it. Raises RefusedError.
    """
    if team is not None and not _manages(user, team):
        raise RefusedError(f"{user.email} may not make tokens of the team {team.name!r}.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        user=user,
        team=team,
        name=clean_name(name),
        secret_sha256=_sha256(secret),
        scopes=_words(scopes),
        expires_at=_expiry(days),
    )
    db.session.add(token)
    if team is not None:
        audit.record(team, "token.create", token.name)
    db.session.commit()
    return secret


def tokens_of(user: User) -> list[Token]:
    """A person's own tokens, newest first."""
    mine = select(Token).where(Token.user_id == user.id, Token.team_id.is_(None))
    return list(db.session.scalars(mine.order_by(Token.id.desc())))


def tokens_of_team(team: Team) -> list[Token]:
    """Newest first."""
    query = select(Token).where(Token.team_id == team.id).order_by(Token.id.desc())
    return list(db.session.scalars(query))


def made_by(user: User) -> list[Token]:
    """All that act as this person, their own and those for teams, by name."""
    query = select(Token).where(Token.user_id == user.id).order_by(Token.name, Token.id)
    return list(db.session.scalars(query))


def revoke_all(user: User) -> int:
    """Every token that acts as this person; how many there were."""
    found = made_by(user)
    for token in found:
        revoke(token)
    return len(found)


def revoke(token: Token) -> None:
    """From now on the API refuses it, and nothing of it is kept."""
    if token.team is not None:
        audit.record(token.team, "token.revoke", token.name)
    db.session.delete(token)
    db.session.commit()


def why_dead(token: Token) -> str | None:
    """Why the token opens nothing, as the end of a sentence; None while it lives."""
    if not token.user.active:
        return "its owner's account is closed"
    if token.expires_at is not None and token.expires_at <= now():
        return f"it expired on {token.expires_at:%Y-%m-%d}"
    if token.team is not None and not _manages(token.user, token.team):
        return "who made it may not manage the team's tokens any more"
    return None


def scopes_of(token: Token) -> frozenset[Scope]:
    return frozenset(scope for scope in Scope if scope in token.scopes.split())


def read_token(secret: str) -> Access:
    """What the token with this secret opens. Raises TokenError."""
    token = db.session.scalar(select(Token).where(Token.secret_sha256 == _sha256(secret)))
    if token is None:
        raise TokenError("No such token; it was revoked, or a part of it is missing.")
    if dead := why_dead(token):
        raise TokenError(f"This token opens nothing: {dead}.")
    access = Access(token.user, scopes_of(token), token.team)
    audit.act_as(f"{token.user.email} (token {token.name})")
    _note_use(token)
    return access


def _note_use(token: Token) -> None:
    """By a statement of its own: the token may be revoked at this very moment."""
    if token.last_used_at is None or now() - token.last_used_at > TOKEN_USE_STEP:
        db.session.execute(update(Token).where(Token.id == token.id).values(last_used_at=now()))
        db.session.commit()


def _manages(user: User, team: Team) -> bool:
    return permissions.may(teams.role_in(user, team), Action.MANAGE_TOKENS)


def _words(scopes: Iterable[Scope]) -> str:
    wanted = set(scopes)
    if not wanted:
        raise RefusedError("Choose what the token may do.")
    return " ".join(scope for scope in Scope if scope in wanted)


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= LONGEST_DAYS:
        raise RefusedError(f"A token lives 1 to {LONGEST_DAYS} days, or for ever.")
    return now() + timedelta(days=days)


def _sha256(secret: str) -> str:
    """A plain hash is enough: the secret has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()
