"""The keys of a project: each with its DSN; made, renamed, rotated, revoked."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import dsn, names, project_keys
from flask_performance.server.accounts.models import Key, Project
from flask_performance.server.accounts.permissions import Action
from flask_performance.server.store.base import EventStore

from .. import access
from ..scope import Scope
from ..state import State
from .project_frame import frame


class KeyForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Name")


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/projects/<public_id>/keys")
    @auth_required("session")
    def project_keys_page(public_id: str) -> str:
        return listed(store, access.project_to(Action.MANAGE_KEYS, public_id), KeyForm())

    @blueprint.post("/projects/<public_id>/keys")
    @auth_required("session")
    def create_key(public_id: str) -> str | Response | tuple[str, int]:
        project = access.project_to(Action.MANAGE_KEYS, public_id)
        form = KeyForm()
        try:
            key = project_keys.create_key(project, given(form))
        except names.RefusedError as error:
            form.name.errors = [str(error)]
            return listed(store, project, form), 422
        flash(f"The key “{key.name}” works now.")
        return to_keys(public_id)

    @blueprint.post("/projects/<public_id>/keys/<key_id>/rename")
    @auth_required("session")
    def rename_key(public_id: str, key_id: str) -> Response:
        key = key_to(public_id, key_id)
        try:
            project_keys.rename_key(key, given(KeyForm()))
            flash("Renamed.")
        except names.RefusedError as error:
            flash(f"Not renamed. {error}", "error")
        return to_keys(public_id)

    @blueprint.post("/projects/<public_id>/keys/<key_id>/rotate")
    @auth_required("session")
    def rotate_key(public_id: str, key_id: str) -> Response:
        key = key_to(public_id, key_id)
        try:
            project_keys.rotate_key(key)
            flash(
                f"“{key.name}” has a new key. Give it to the apps, then revoke the old one, "
                "which works until then."
            )
        except names.RefusedError as error:
            flash(str(error), "error")
        return to_keys(public_id)

    @blueprint.get("/projects/<public_id>/keys/<key_id>/revoke")
    @auth_required("session")
    def confirm_revoke(public_id: str, key_id: str) -> str:
        key = key_to(public_id, key_id)
        return render_template(
            "key_revoke.html",
            **frame(Scope(store, access.shown(key.project), State()), "keys"),
            key=key,
            last=project_keys.working(key.project) == [key],
        )

    @blueprint.post("/projects/<public_id>/keys/<key_id>/revoke")
    @auth_required("session")
    def revoke_key(public_id: str, key_id: str) -> Response:
        key = key_to(public_id, key_id)
        project_keys.revoke_key(key)
        flash(f"“{key.name}” is revoked: within a second the collector refuses it.")
        return to_keys(public_id)


def listed(store: EventStore, project: Project, form: KeyForm) -> str:
    """The page of the keys; the form is that of a new one."""
    base = dsn.base_url()
    working = project_keys.working(project)
    revoked = [key for key in project.keys if key.revoked_at is not None]
    return render_template(
        "keys.html",
        **frame(Scope(store, access.shown(project), State()), "keys"),
        form=form,
        keys=[(key, dsn.dsn(base, key.key)) for key in reversed(working)],
        revoked=sorted(revoked, key=_revoked_at, reverse=True),
    )


def key_to(public_id: str, key_id: str) -> Key:
    """A key of the person's project; 404 and 403 as `access.project_to`."""
    key = project_keys.key_of(access.project_to(Action.MANAGE_KEYS, public_id), key_id)
    if key is None:
        abort(404)
    return key


def given(form: KeyForm) -> str:
    """Raises RefusedError."""
    name = form.name.data or ""
    if not name.strip():
        raise names.RefusedError("Give the key a name, for example that of the server it is for.")
    return names.clean_name(name)


def to_keys(public_id: str) -> Response:
    return redirect(url_for("dashboard.project_keys_page", public_id=public_id))


def _revoked_at(key: Key) -> Any:
    return key.revoked_at
