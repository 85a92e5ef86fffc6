"""Teams: the list of them, a new one, and each one's projects."""

from flask import Blueprint, redirect, render_template, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import models, teams
from flask_performance.server.accounts.permissions import Action

from .. import access
from .projects import new_team as create_team
from .team_frame import frame

Answer = str | Response | tuple[str, int]


class TeamForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Team name")


def register(blueprint: Blueprint) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/teams", endpoint="teams")
    @auth_required("session")
    def list_of_teams() -> str:
        return render_template("teams.html", rows=teams.rows_of(access.member()))

    @blueprint.route("/teams/new", methods=["GET", "POST"])
    @auth_required("session")
    def new_team() -> Answer:
        form = TeamForm()
        if not form.is_submitted():
            return render_template("new_team.html", form=form)
        team = create_team(form.name) if form.validate() else None
        if team is None:
            return render_template("new_team.html", form=form), 422
        return redirect(url_for("dashboard.team", public_id=team.public_id))

    @blueprint.get("/teams/<public_id>", endpoint="team")
    @auth_required("session")
    def one_team(public_id: str) -> str:
        team = access.team_to(Action.SEE_DATA, public_id)
        found = [one for one in access.projects() if one.public_id in ids_of(team)]
        return render_template("team.html", **frame(team, "projects"), projects=found)


def ids_of(team: models.Team) -> set[str]:
    return {project.public_id for project in team.projects}
