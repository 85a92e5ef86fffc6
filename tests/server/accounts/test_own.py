"""The project "This server": made once, for the first administrator, and never again."""

from flask import Flask

from flask_performance.server.accounts import own, projects, teams, users
from flask_performance.server.accounts.models import Project, User, db, now
from tests.support.platform import EMAIL, PASSWORD


def ada() -> User:
    return users.user_by_email(EMAIL) or users.create_user(EMAIL, PASSWORD)


def test_without_an_account_there_is_none(app: Flask) -> None:
    with app.app_context():
        assert own.own_key() is None
        assert db.session.query(Project).count() == 0


def test_it_is_the_first_administrators_and_made_once(app: Flask) -> None:
    with app.app_context():
        user = ada()
        users.create_user("eve@example.com", PASSWORD)
        key = own.own_key()
        (project,) = projects.projects_of(user)
        assert (project.name, project.key) == ("This server", key)
        assert project.team.personal
        assert own.own_key() == key
        assert db.session.query(Project).count() == 1


def test_moved_and_renamed_it_is_the_same(app: Flask) -> None:
    with app.app_context():
        user, key = ada(), own.own_key()
        (project,) = projects.projects_of(user)
        projects.move_project(project, teams.create_team(user, "Operations"))
        project.name = "Metrics"
        db.session.commit()
        assert own.own_key() == key


def test_a_revoked_key_is_respected(app: Flask) -> None:
    with app.app_context():
        user = ada()
        own.own_key()
        (project,) = projects.projects_of(user)
        project.keys[0].revoked_at = now()
        db.session.commit()
        assert own.own_key() is None


def test_deleted_it_does_not_come_back(app: Flask) -> None:
    with app.app_context():
        user = ada()
        own.own_key()
        projects.delete_project(projects.projects_of(user)[0])
        assert own.own_key() is None
        assert projects.projects_of(user) == []


def test_a_project_of_that_name_stays_what_it_is(app: Flask) -> None:
    with app.app_context():
        user = ada()
        theirs = projects.create_project(teams.personal_team(user), "This server")
        assert own.own_key() not in (None, theirs.key)
        names = {project.name for project in projects.projects_of(user)}
        assert names == {"This server", "This server (Flask-Performance)"}
