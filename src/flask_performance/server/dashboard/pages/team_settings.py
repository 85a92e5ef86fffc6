"""The settings of a team: its name, leaving it, deleting it."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import members, models, names, teams
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.store.base import EventStore

from .. import access, rows
from ..fields import given, refuse
from .team_frame import frame
from .teams import TeamForm

Answer = str | Response | tuple[str, int]


class DeleteForm(FlaskForm):  # type: ignore[misc]
    typed = StringField("Team name")


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/teams/<public_id>/settings")
    @auth_required("session")
    def team_settings(public_id: str) -> str:
        return settings(access.team_to(Action.SEE_DATA, public_id))

    @blueprint.post("/teams/<public_id>/settings")
    @auth_required("session")
    def rename_team(public_id: str) -> Answer:
        team = access.team_to(Action.RENAME_TEAM, public_id)
        form = TeamForm()
        if not (form.validate() and rename(team, form.name)):
            return settings(team, name_form=form), 422
        flash(f"The team is named {team.name!r} now.")
        return redirect(url_for("dashboard.team_settings", public_id=public_id))

    @blueprint.post("/teams/<public_id>/leave")
    @auth_required("session")
    def leave_team(public_id: str) -> Response:
        team = access.team_to(Action.SEE_DATA, public_id)
        name = team.name
        try:
            members.leave(access.member(), team)
        except names.RefusedError as error:
            flash(str(error), "error")
            return redirect(url_for("dashboard.team_settings", public_id=public_id))
        flash(f"You left the team {name!r}.")
        return redirect(url_for("dashboard.teams"))

    @blueprint.post("/teams/<public_id>/delete")
    @auth_required("session")
    def delete_team(public_id: str) -> Answer:
        team = access.team_to(Action.DELETE_TEAM, public_id)
        name = team.name
        form = DeleteForm()
        if not (form.validate() and delete(store, team, form.typed)):
            return settings(team, delete_form=form), 422
        flash(f"The team {name!r} is deleted, with its projects and their data.")
        return redirect(url_for("dashboard.teams"))


def settings(
    team: models.Team, name_form: TeamForm | None = None, delete_form: DeleteForm | None = None
) -> str:
    """The page of settings; a form that was refused says why."""
    return render_template(
        "team_settings.html",
        **frame(team, "settings"),
        name_form=name_form or TeamForm(formdata=None, name=team.name),
        delete_form=delete_form or DeleteForm(formdata=None),
        last_owner=members.is_last_owner(access.member(), team),
        projects=teams.project_count(team),
    )


def rename(team: models.Team, field: Any) -> bool:
    """Whether it could be; the reason is at the field otherwise."""
    try:
        teams.rename_team(access.member(), team, given(field, "team"))
    except names.RefusedError as error:
        refuse(field, error)
        return False
    return True


def delete(store: EventStore, team: models.Team, field: Any) -> bool:
    """Whether it is gone; the reason is at the field otherwise."""
    try:
        same_name(field, team)
        gone = teams.delete_team(access.member(), team)
    except names.RefusedError as error:
        refuse(field, error)
        return False
    rows.forget(store, gone)
    return True


def same_name(field: Any, team: models.Team) -> None:
    """Raises RefusedError unless the team's name was typed."""
    if " ".join((field.data or "").split()) != team.name:
        raise names.RefusedError(f"Type {team.name} to delete the team. Nothing was deleted.")
