"""A team with people in every role, for tests of its pages."""

import re
from dataclasses import dataclass

from werkzeug.test import TestResponse

from flask_performance.server.accounts import teams, users
from flask_performance.server.accounts.models import Member, Role, Team, User, db

from .conftest import PASSWORD, Person, World

ADA, GRACE = "ada@example.com", "grace@example.com"


@dataclass
class Company:
    """Ada's team "Team" in the world, with ways to look at it and to fill it."""

    world: World
    path: str

    def user(self, email: str) -> User:
        found = users.user_by_email(email)
        assert found is not None
        return found

    def team(self) -> Team:
        team = teams.team_for(self.user(ADA), self.path.removeprefix("/teams/"))
        assert team is not None
        return team

    def join(self, role: Role, email: str = "bob@example.com") -> Person:
        """A new account in the team, logged in."""
        with self.world.app.app_context():
            user = users.create_user(email, PASSWORD)
            db.session.add(Member(team=self.team(), user=user, role=role))
            db.session.commit()
        return self.world.person(email)

    def role(self, email: str) -> Role | None:
        with self.world.app.app_context():
            return teams.role_in(self.user(email), self.team())

    def audit(self) -> list[str]:
        page = self.world.person().get(f"{self.path}/audit").text
        return re.findall(r'<span class="target">([^<]*)', page)


def company_of(world: World) -> Company:
    """Ada's team, which she alone is in."""
    with world.app.app_context():
        ada = users.user_by_email(ADA)
        assert ada is not None
        return Company(world, f"/teams/{teams.teams_of(ada)[0].public_id}")


def send(person: Person, form_at: str, path: str, **fields: str) -> TestResponse:
    """Post fields to a path with the CSRF token of the page at another."""
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', person.get(form_at).text)
    assert match
    return person.client.post(path, data={"csrf_token": match[1], **fields})
