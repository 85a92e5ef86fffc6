"""The list of projects, and the form that makes one."""

from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import SelectField, StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import models, names, teams
from flask_performance.server.accounts import projects as accounts_projects
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.store.base import EventStore

from .. import access
from ..downloads import download, file_name
from ..fields import given, refuse
from ..panels import projects as panel
from ..render import panel_html
from ..scope import ProjectsScope

#: The choices in the form of a project that make a team with it: one to share, and the person's
#: own.
NEW_TEAM = "new"
PERSONAL = "personal"


class ProjectForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Project name")
    team = SelectField("Team")
    new_team = StringField("Name of the new team")


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/")
    def home() -> Response:
        known = access.person() is not None
        return redirect(url_for("dashboard.projects" if known else "security.login"))

    @blueprint.get("/projects")
    @auth_required("session")
    def projects() -> str:
        scope = ProjectsScope(store, access.projects())
        panels = {"projects": panel_html(current_app, panel.PANEL, scope)}
        return render_template("projects.html", scope=scope, panels=panels)

    @blueprint.get("/projects.<any(csv, json):kind>")
    @auth_required("session")
    def projects_file(kind: str) -> Response:
        scope = ProjectsScope(store, access.projects())
        table = panel.table(scope)
        return download(kind, table, file_name("all", "projects", scope.window))

    @blueprint.route("/projects/new", methods=["GET", "POST"])
    @auth_required("session")
    def new_project() -> str | Response | tuple[str, int]:
        form = project_form()
        if not form.is_submitted():
            return render_template("new_project.html", form=form)
        if form.validate() and (made := create_project(form)):
            return redirect(url_for("dashboard.project", public_id=made.public_id))
        return render_template("new_project.html", form=form), 422


def project_form() -> ProjectForm:
    """The form of a new project, with the teams that the person may add one to."""
    form = ProjectForm()
    mine = teams.teams_where(access.member(), Action.CREATE_PROJECT)
    form.team.choices = [(team.public_id, team.name) for team in mine]
    if not any(team.personal for team in mine):
        form.team.choices.append((PERSONAL, f"{teams.DEFAULT_TEAM} (only you)"))
    form.team.choices.append((NEW_TEAM, "New team…"))
    if not form.is_submitted():
        form.team.data = asked_team(form.team.choices)
    return form


def asked_team(choices: list[tuple[str, str]]) -> str:
    """The team that the URL asks for, else the first."""
    asked = request.args.get("team", "")
    return asked if asked in dict(choices) else choices[0][0]


def create_project(form: ProjectForm) -> models.Project | None:
    """The new project; None with the reason at its field."""
    try:  # before a team is made for a project that cannot be
        given(form.name, "project")
    except names.RefusedError as error:
        refuse(form.name, error)
        return None
    team = new_team(form.new_team) if form.team.data == NEW_TEAM else chosen_team(form)
    if team is None:
        return None
    form.team.data = team.public_id
    try:
        return accounts_projects.create_project(team, form.name.data or "")
    except names.RefusedError as error:
        refuse(form.name, error)
        return None


def new_team(field: Any) -> models.Team | None:
    """The new team of that name; None with the reason at the field."""
    try:
        return teams.create_team(access.member(), given(field, "team"))
    except names.RefusedError as error:
        refuse(field, error)
        return None


def chosen_team(form: ProjectForm) -> models.Team | None:
    user = access.member()
    if form.team.data == PERSONAL:
        return teams.personal_team(user)
    mine = teams.teams_where(user, Action.CREATE_PROJECT)
    return next((team for team in mine if team.public_id == form.team.data), None)
