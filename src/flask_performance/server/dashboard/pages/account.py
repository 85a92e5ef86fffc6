"""A person's own pages: address, security, devices, and the end of the account."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask_security import auth_required, logout_user
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import (
    closing,
    devices,
    dsn,
    factors,
    mail,
    mfa,
    names,
    teams,
    tokens,
    users,
)
from flask_performance.server.store.base import EventStore

from .. import access, rows
from ..formats import plural

#: How a page that changes how one logs in is guarded.
FRESH: Final = {"within": lambda: mfa.FRESH, "grace": lambda: mfa.GRACE}
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class AddressForm(FlaskForm):  # type: ignore[misc]
    email = StringField("New address")


class DeletionForm(FlaskForm):  # type: ignore[misc]
    email = StringField("Your address")


def register(blueprint: Blueprint, store: EventStore) -> None:
    """Add the routes to the dashboard's blueprint."""
    _pages(blueprint)
    _devices(blueprint)
    _address(blueprint)
    _deletion(blueprint, store)
    # For templates of Flask-Security's pages as well.
    blueprint.app_context_processor(lambda: {"passkey_hindrance": passkey_hindrance})


def _pages(blueprint: Blueprint) -> None:
    @blueprint.get("/account")
    @auth_required("session")
    def account() -> str:
        user = access.member()
        mine = [(team, teams.role_in(user, team)) for team in teams.teams_of(user)]
        return render_template("account.html", teams=mine)

    @blueprint.get("/account/security")
    @auth_required("session")
    def account_security() -> str:
        user = access.member()
        return render_template(
            "account_security.html",
            second_factor=factors.has_second_factor(user),
            passkeys_after=any(key.usage == factors.AFTER_PASSWORD for key in user.webauthn),
        )


def _devices(blueprint: Blueprint) -> None:
    @blueprint.get("/account/devices")
    @auth_required("session")
    def account_devices() -> str:
        found = devices.devices_of(access.member())
        made = tokens.made_by(access.member())
        return render_template(
            "account_devices.html", devices=found, current=devices.current(), tokens=made
        )

    @blueprint.post("/account/devices/<public_id>/sign-out")
    @auth_required("session")
    def sign_out_device(public_id: str) -> Response:
        if not devices.sign_out(access.member(), public_id):
            abort(404)
        flash("The device is signed out.", "info")
        return redirect(url_for("dashboard.account_devices"))

    @blueprint.post("/account/devices/sign-out-others")
    @auth_required("session")
    def sign_out_others() -> Response:
        devices.sign_out_others(access.member(), current_app.extensions["security"])
        flash("Every other device is signed out.", "info")
        return redirect(url_for("dashboard.account_devices"))

    @blueprint.post("/account/devices/revoke-tokens")
    @auth_required("session")
    def revoke_my_tokens() -> Response:
        revoked = tokens.revoke_all(access.member())
        flash(f"Revoked: {plural(revoked, 'API token')}. None of yours works any more.", "info")
        return redirect(url_for("dashboard.account_devices"))


def _address(blueprint: Blueprint) -> None:
    """Where mail is sent, Flask-Security asks the new address; here it is changed at once."""

    @blueprint.route("/account/email", methods=["GET", "POST"])
    @auth_required("session", **FRESH)
    def change_address() -> str | Response | tuple[str, int]:
        if mail.configured():
            return redirect(url_for("security.change_email"))
        form = AddressForm()
        if not form.validate_on_submit():
            return render_template("account_email.html", form=form)
        try:
            users.change_email(access.member(), form.email.data or "")
        except names.RefusedError as error:
            form.email.errors = [str(error)]
            return render_template("account_email.html", form=form), 422
        flash("The address is changed. Log in with it from now on.", "info")
        return redirect(url_for("dashboard.account"))


def _deletion(blueprint: Blueprint, store: EventStore) -> None:
    @blueprint.route("/account/delete", methods=["GET", "POST"])
    @auth_required("session", **FRESH)
    def delete_account() -> str | Response | tuple[str, int]:
        user = access.member()
        form = DeletionForm()
        if form.validate_on_submit():
            if closing.is_address(user, form.email.data or ""):
                return _close(store)
            form.email.errors = [f"This is not {user.email}. Nothing was deleted."]
        page = render_template(
            "account_delete.html",
            form=form,
            hindrances=closing.hindrances(user),
            lost=closing.teams_of_one(user),
        )
        return (page, 422) if form.errors else page


def _close(store: EventStore) -> Response:
    user = access.member()
    try:
        ids = closing.close(user)
    except names.RefusedError:  # somebody left a team in this moment: the page says what is left
        return redirect(url_for("dashboard.delete_account"))
    logout_user()
    rows.forget(store, ids)
    flash("Your account is deleted.", "info")
    return redirect(url_for("security.login"))


def passkey_hindrance() -> str | None:
    """Why passkeys cannot work at the address that the browser uses; None: they can."""
    parts = urlsplit(dsn.base_url())
    host = parts.hostname or ""
    if _is_number(host):
        port = f":{parts.port}" if parts.port else ""
        named = f" On this machine that is http://localhost{port}." if host in LOOPBACK else ""
        return (
            f"Passkeys need a name, and {host} is a number: open this server under its name.{named}"
        )
    if parts.scheme != "https" and host != "localhost" and not host.endswith(".localhost"):
        return "Passkeys need HTTPS: open this server by https://."
    return None


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
