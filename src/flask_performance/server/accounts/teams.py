"""Teams and their members. Every function needs an app context.

Whatever a user may not see is None or left out, so that "not yours" and "not there" look alike.
"""

from sqlalchemy import select

from .models import Member, Role, Team, User, db
from .names import RefusedError, clean_name
from .permissions import Action, roles_for

DEFAULT_TEAM = "Personal"


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
    creators = roles_for(Action.CREATE_PROJECT)
    query = select(Team).join(Member).where(Member.user_id == user.id, Member.role.in_(creators))
    team = db.session.scalar(query.order_by(Team.id).limit(1))
    return team or create_team(user, DEFAULT_TEAM)
