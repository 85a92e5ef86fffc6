"""A project's settings: name, time zone, Apdex, how long data is kept, quotas, moving, deletion."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import SelectField, StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import intake, names, project_settings, projects, teams
from flask_performance.server.accounts.models import OperationApdex, Project, Team
from flask_performance.server.accounts.permissions import Action, may
from flask_performance.server.accounts.project_settings import Limits
from flask_performance.server.store.base import DAY_US, EventStore, Filter

from .. import access, rows
from ..formats import threshold
from ..scope import Scope
from ..state import State
from ..window import now_us
from .project_frame import frame

#: A threshold in milliseconds, to the microsecond.
MILLISECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)
#: A whole number as people write it; separators do not count.
NUMBER: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
#: Operations that can be given a threshold: those with requests in this time, the busiest first.
LATELY_US: Final = 30 * DAY_US
MOST_CHOICES: Final = 500

Answer = str | Response | tuple[str, int]


class GeneralForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Name")
    time_zone = StringField("Time zone")
    apdex = StringField("Apdex threshold, ms")


class OperationForm(FlaskForm):  # type: ignore[misc]
    operation = SelectField("Operation")
    operation_apdex = StringField("Threshold, ms")


class LimitsForm(FlaskForm):  # type: ignore[misc]
    keep_raw_days = StringField("Single requests, days")
    keep_minutes_days = StringField("Minutes, days")
    keep_hours_days = StringField("Hours, days")
    quota_minute = StringField("Requests a minute")
    quota_month = StringField("Requests a month")


class MoveForm(FlaskForm):  # type: ignore[misc]
    team = SelectField("To the team")


class DeleteForm(FlaskForm):  # type: ignore[misc]
    confirm = StringField("Name of the project")


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/projects/<public_id>/settings")
    @auth_required("session")
    def project_settings_page(public_id: str) -> str:
        return Page(store, access.project_to(Action.SEE_DATA, public_id)).html()

    @blueprint.post("/projects/<public_id>/settings")
    @auth_required("session")
    def change_project(public_id: str) -> Answer:
        page = Page(store, access.project_to(Action.CHANGE_PROJECT, public_id))
        return page.answer(page.general, change, "Saved.")

    @blueprint.post("/projects/<public_id>/settings/operations")
    @auth_required("session")
    def set_operation_apdex(public_id: str) -> Answer:
        page = Page(store, access.project_to(Action.CHANGE_PROJECT, public_id))
        return page.answer(page.operation, set_operation, "Saved.")

    @blueprint.post("/projects/<public_id>/settings/operations/remove")
    @auth_required("session")
    def remove_operation_apdex(public_id: str) -> Response:
        project = access.project_to(Action.CHANGE_PROJECT, public_id)
        method, _, route = request.form.get("operation", "").partition(" ")
        project_settings.remove_operation_apdex(project, method, route)
        flash("The operation has the project's threshold again.")
        return to_settings(public_id)

    @blueprint.post("/projects/<public_id>/settings/limits")
    @auth_required("session")
    def set_limits(public_id: str) -> Answer:
        page = Page(store, access.project_to(Action.SET_LIMITS, public_id))
        return page.answer(page.limits, limit, "Saved.")

    @blueprint.post("/projects/<public_id>/settings/move")
    @auth_required("session")
    def move_project(public_id: str) -> Answer:
        page = Page(store, access.project_to(Action.MOVE_PROJECT, public_id))
        return page.answer(page.move, move, "Moved.")

    @blueprint.post("/projects/<public_id>/settings/delete")
    @auth_required("session")
    def delete_project(public_id: str) -> Answer:
        project = access.project_to(Action.DELETE_PROJECT, public_id)
        page = Page(store, project)
        if (page.delete.confirm.data or "").strip() != project.name:
            page.refuse(page.delete.confirm, f"Type {project.name} to delete the project.")
            return page.html(), 422
        delete(store, project)
        return redirect(url_for("dashboard.projects"))


class Page:
    """The settings of a project, with its forms as they are, or as a person sent them."""

    def __init__(self, store: EventStore, project: Project) -> None:
        self.store = store
        self.project = project
        self.role = teams.role_in(access.member(), project.team)
        self.general = GeneralForm(data=_general(project))
        self.operation = OperationForm()
        self.limits = LimitsForm(data=_limits(project))
        self.move = MoveForm()
        self.delete = DeleteForm()
        self.operation.operation.choices = [(op, op) for op in self._operations()]
        self.move.team.choices = [(team.public_id, team.name) for team in self._teams()]

    def may(self, action: Action) -> bool:
        return may(self.role, action)

    def answer(
        self, form: FlaskForm, do: Callable[[Project, Any], None], said: str
    ) -> Response | tuple[str, int]:
        """Do what a form asks for and lead back; with the reason at its field where that fails."""
        try:
            if not form.validate():
                return self.html(), 422
            do(self.project, form)
        except FieldError as error:
            self.refuse(error.field, str(error))
            return self.html(), 422
        flash(said)
        return to_settings(self.project.public_id)

    def refuse(self, field: Any, sentence: str) -> None:
        field.errors = [*field.errors, sentence]

    def html(self) -> str:
        project = self.project
        return render_template(
            "settings.html",
            **frame(Scope(self.store, access.shown(project), State()), "settings"),
            general=self.general,
            operation=self.operation,
            limits=self.limits,
            move=self.move,
            delete=self.delete,
            own=sorted(project.operations, key=_by_route),
            zones=project_settings.time_zones(),
            kept=project_settings.kept_by(project),
            intake=intake.intake_of(project.id),
            settings=project,
            environments=self.store.last_seen_by_environment(project.id),
            role=self.role,
        )

    def _operations(self) -> list[str]:
        """As the form names them, the busiest first; those with a threshold are there too."""
        now = now_us()
        window = Filter(project_id=self.project.id, start_us=now - LATELY_US, end_us=now)
        found = self.store.operations(window)[:MOST_CHOICES]
        own = [f"{one.method} {one.route}" for one in self.project.operations]
        return list(dict.fromkeys([*(f"{one.method} {one.route}" for one in found), *own]))

    def _teams(self) -> list[Team]:
        """Where the person may move the project to."""
        user = access.member()
        return [
            team
            for team in teams.teams_of(user)
            if team.id != self.project.team_id
            and may(teams.role_in(user, team), Action.CREATE_PROJECT)
        ]


class FieldError(Exception):
    """What a person typed in a field cannot be used. The message is a sentence for the person."""

    def __init__(self, field: Any, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def change(project: Project, form: GeneralForm) -> None:
    apdex_us = microseconds(form.apdex)
    zone = (form.time_zone.data or "").strip() or None
    if zone is not None and zone not in project_settings.time_zones():
        raise FieldError(
            form.time_zone,
            f"{zone} is no time zone. Choose one like Europe/Berlin, or leave it empty.",
        )
    if not (form.name.data or "").strip():
        raise FieldError(form.name, "Give the project a name.")
    _try(form.name, project_settings.change, project, form.name.data, zone, apdex_us)


def set_operation(project: Project, form: OperationForm) -> None:
    method, _, route = form.operation.data.partition(" ")
    us = microseconds(form.operation_apdex)
    _try(form.operation, project_settings.set_operation_apdex, project, method, route, us)


def limit(project: Project, form: LimitsForm) -> None:
    fields = (
        form.keep_raw_days, form.keep_minutes_days, form.keep_hours_days,
        form.quota_minute, form.quota_month,
    )  # fmt: skip
    limits = Limits(**{field.name: number(field) for field in fields})
    _try(form.keep_raw_days, project_settings.set_limits, project, limits)


def move(project: Project, form: MoveForm) -> None:
    """The form has only teams that the person may create projects in."""
    team = teams.team_for(access.member(), form.team.data)
    if team is None:
        abort(404)
    _try(form.team, projects.move_project, project, team)


def delete(store: EventStore, project: Project) -> None:
    name = project.name
    rows.forget(store, [projects.delete_project(project)])
    flash(f"{name} is deleted, with its keys and its data.")


def microseconds(field: Any) -> int:
    """A threshold that was typed in milliseconds. Raises FieldError."""
    text = (field.data or "").strip().replace(",", "")
    if not MILLISECONDS.fullmatch(text):
        raise FieldError(field, "Write milliseconds, for example 500.")
    try:
        return project_settings.checked_apdex(int(Decimal(text) * 1000))
    except names.RefusedError as error:
        raise FieldError(field, str(error)) from error


def number(field: Any) -> int | None:
    """A whole number, or None where the field is empty. Raises FieldError."""
    text = re.sub(r"[\s,]", "", field.data or "")
    if not text:
        return None
    if not NUMBER.fullmatch(text) or int(text) == 0:
        raise FieldError(field, "Write a whole number above zero, or leave it empty.")
    return int(text)


def to_settings(public_id: str) -> Response:
    return redirect(url_for("dashboard.project_settings_page", public_id=public_id))


def _try(field: Any, do: Callable[..., None], *arguments: Any) -> None:
    try:
        do(*arguments)
    except names.RefusedError as error:
        raise FieldError(field, str(error)) from error


def _general(project: Project) -> dict[str, str]:
    return {
        "name": project.name,
        "time_zone": project.time_zone or "",
        "apdex": threshold(project.apdex_us),
    }


def _limits(project: Project) -> dict[str, str]:
    given = {name: getattr(project, name) for name in vars(Limits())}
    return {name: "" if value is None else str(value) for name, value in given.items()}


def _by_route(one: OperationApdex) -> tuple[str, str]:
    return one.route, one.method
