"""The API tokens of a person and of a team: made, shown once, listed, revoked."""

from collections.abc import Sequence
from typing import Any, Final

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import SelectField, StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import dsn, names, tokens
from flask_performance.server.accounts.models import Team, Token
from flask_performance.server.accounts.permissions import Action, Scope

from .. import access
from .account import FRESH
from .team_frame import frame

#: What a token may do: the scopes, and how the form says it.
SCOPES: Final = {"read": "Read", "read write": "Read and change"}
#: Days that a token may live; none: for ever.
LIVES: Final = {"30": "30 days", "90": "90 days", "365": "A year", "": "For ever"}
DEFAULT_LIFE: Final = "90"


class TokenForm(FlaskForm):  # type: ignore[misc]
    name = StringField("Name")
    scope = SelectField("May")
    days = SelectField("Lives", default=DEFAULT_LIFE)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scope.choices = list(SCOPES.items())
        self.days.choices = list(LIVES.items())


def register(blueprint: Blueprint) -> None:
    """Add the routes to the dashboard's blueprint.

    A token outlives the session that makes it, so an old session has to show again who sits there.
    """

    @blueprint.route("/account/tokens", methods=["GET", "POST"])
    @auth_required("session", **FRESH)
    def account_tokens() -> str | tuple[str, int]:
        return page(None)

    @blueprint.post("/account/tokens/<token_id>/revoke")
    @auth_required("session")
    def revoke_account_token(token_id: str) -> Response:
        return revoke(mine(), token_id, url_for("dashboard.account_tokens"))

    @blueprint.route("/teams/<public_id>/tokens", methods=["GET", "POST"])
    @auth_required("session", **FRESH)
    def team_tokens(public_id: str) -> str | tuple[str, int]:
        return page(access.team_to(Action.MANAGE_TOKENS, public_id))

    @blueprint.post("/teams/<public_id>/tokens/<token_id>/revoke")
    @auth_required("session")
    def revoke_team_token(public_id: str, token_id: str) -> Response:
        team = access.team_to(Action.MANAGE_TOKENS, public_id)
        back = url_for("dashboard.team_tokens", public_id=public_id)
        return revoke(tokens.tokens_of_team(team), token_id, back)


def mine() -> Sequence[Token]:
    return tokens.tokens_of(access.member())


def page(team: Team | None) -> str | tuple[str, int]:
    """The list and the form. Answers the form itself: a redirect would have to carry the secret."""
    form = TokenForm()
    if not form.is_submitted():
        return shown(team, form)
    secret = create(team, form) if form.validate() else None
    if secret is None:
        return shown(team, form), 422
    made = form.name.data.strip()
    return shown(team, TokenForm(formdata=None), secret=secret, made=made), 201


def create(team: Team | None, form: TokenForm) -> str | None:
    """The new token's secret; None with the reason at the name."""
    listed = tokens.tokens_of_team(team) if team else mine()
    try:
        name = new_name(form.name.data or "", listed)
        days = int(form.days.data) if form.days.data else None
        scopes = [Scope(word) for word in form.scope.data.split()]
        return tokens.create_token(access.member(), name, scopes, days, team)
    except names.RefusedError as error:
        form.name.errors = [*form.name.errors, str(error)]
        return None


def new_name(given: str, listed: Sequence[Token]) -> str:
    """A name that no listed token has, so that a page sent twice makes one token. RefusedError."""
    if not given.strip():
        raise names.RefusedError("Say what the token is for.")
    name = names.clean_name(given)
    if any(token.name == name for token in listed):
        raise names.RefusedError(
            f"There is a token named {name!r} already; choose another name, or revoke it first."
        )
    return name


def shown(
    team: Team | None, form: TokenForm, secret: str | None = None, made: str | None = None
) -> str:
    """The page; `secret` is that of the token made just now."""
    listed = tokens.tokens_of_team(team) if team else mine()
    return render_template(
        "tokens_team.html" if team else "tokens_account.html",
        **(frame(team, "tokens") if team else {}),
        form=form,
        secret=secret,
        made=made,
        tokens=listed,
        dead={token.public_id: tokens.why_dead(token) for token in listed},
        api=f"{dsn.base_url()}/api/v1",
    )


def revoke(listed: Sequence[Token], token_id: str, back: str) -> Response:
    """Revoke one of the tokens listed to this person; 404 for any other."""
    token = next((token for token in listed if token.public_id == token_id), None)
    if token is None:
        abort(404)
    name = token.name
    tokens.revoke(token)
    flash(f"The token {name!r} is revoked: programs that use it are refused from now on.")
    return redirect(back)
