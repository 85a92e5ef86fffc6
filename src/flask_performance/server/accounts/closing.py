"""The end of an account: what stands in its way, and what goes with it."""

import logging

from sqlalchemy import func, select

from . import audit
from .members import is_last_owner
from .models import Member, Team, User, db
from .names import RefusedError
from .orm import take_turns
from .teams import hold, role_in, teams_of

log = logging.getLogger(__name__)


def is_address(user: User, said: str) -> bool:
    """Whether somebody typed the account's address, to show that it is meant."""
    return said.strip().lower() == user.email.lower()


def hindrances(user: User) -> list[str]:
    """Why the account cannot be deleted now, and what to do about each; empty: it can."""
    found = [
        f"You are the last owner of the team “{team.name}”, which others are in. Make one of them "
        "an owner, or delete the team."
        for team in teams_of(user)
        if is_last_owner(user, team) and _people(team) > 1
    ]
    if _is_last_administrator(user):
        found.append(
            "You are this server's only administrator. Make somebody else one first: "
            "flask-performance user administrator ADDRESS"
        )
    return found


def teams_of_one(user: User) -> list[Team]:
    """The teams that nobody else is in: they go with the account."""
    return [team for team in teams_of(user) if _people(team) == 1]


def close(user: User) -> list[int]:
    """The account is gone; the store's ids of the projects that went with it.

    All or nothing, whatever other people change in the user's teams at the same time. Raises
    RefusedError when there are hindrances.
    """
    try:
        take_turns("closing an account")
        for team in sorted(teams_of(user), key=lambda team: team.id):
            hold(team)
        _refuse(user)
        ids = _take_teams(user)
        log.warning(
            "%(person)s deleted the account and %(projects)d projects with it",
            {"person": user.email, "projects": len(ids)},
        )
        db.session.delete(user)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    return ids


def _refuse(user: User) -> None:
    if hindrances(user):
        raise RefusedError("The account cannot be deleted yet.")


def _take_teams(user: User) -> list[int]:
    ids: list[int] = []
    alone = teams_of_one(user)
    for team in teams_of(user):
        if team in alone:
            ids += [project.id for project in team.projects]
            db.session.delete(team)
        else:
            audit.record(team, "member.leave", f"was {role_in(user, team)}; deleted the account")
    return ids


def _people(team: Team) -> int:
    return db.session.scalar(select(func.count()).where(Member.team_id == team.id)) or 0


def _is_last_administrator(user: User) -> bool:
    """The very last account may go all the same: then the server begins anew."""
    others = select(func.count()).where(User.id != user.id, User.active)
    administrators = others.where(User.administrator)
    return (
        user.administrator and bool(db.session.scalar(others))
        and not db.session.scalar(administrators)
    )  # fmt: skip
