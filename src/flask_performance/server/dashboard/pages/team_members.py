"""The people of a team: their roles, and the invitations that are open."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm  # type: ignore[import-untyped]
from werkzeug import Response
from wtforms import SelectField, StringField  # type: ignore[import-untyped]

from flask_performance.server.accounts import dsn, invitations, mail, members, models, names, teams
from flask_performance.server.accounts.members import NotAllowedError
from flask_performance.server.accounts.models import Role
from flask_performance.server.accounts.permissions import LEAST, POWER, Action, may

from .. import access
from ..fields import refuse
from ..formats import plural
from .team_frame import frame, role_choices


class InvitationForm(FlaskForm):  # type: ignore[misc]
    email = StringField("Email")
    role = SelectField("Role", default=Role.MEMBER.value)
    days = SelectField("The link works for", default=str(invitations.DEFAULT_DAYS))


def register(blueprint: Blueprint) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/teams/<public_id>/members")
    @auth_required("session")
    def team_members(public_id: str) -> str:
        return page(access.team_to(Action.SEE_DATA, public_id))

    @blueprint.post("/teams/<public_id>/members")
    @auth_required("session")
    def invite(public_id: str) -> tuple[str, int]:
        return invited(access.team_to(Action.INVITE, public_id))

    @blueprint.post("/teams/<public_id>/invitations/<invitation_id>/revoke")
    @auth_required("session")
    def revoke_invitation(public_id: str, invitation_id: str) -> Response:
        team = access.team_to(Action.INVITE, public_id)
        invitations.revoke(team, invitation_id)
        flash("The invitation is revoked: its link does not work any more.")
        return back(public_id)

    @blueprint.post("/teams/<public_id>/members/role")
    @auth_required("session")
    def change_role(public_id: str) -> Response:
        team = access.team_to(Action.MANAGE_MEMBERS, public_id)
        email, role = request.form.get("email", ""), asked_role()
        try:
            members.change_role(access.member(), team, email, role)
            flash(f"{email} is {article(role)} now.")
        except names.RefusedError as error:
            flash(str(error), "error")
        except NotAllowedError:
            abort(403)
        return back(public_id)

    @blueprint.post("/teams/<public_id>/members/remove")
    @auth_required("session")
    def remove_member(public_id: str) -> Response:
        team = access.team_to(Action.MANAGE_MEMBERS, public_id)
        email = request.form.get("email", "")
        try:
            members.remove(access.member(), team, email)
            flash(f"{email} is not in the team any more.")
        except names.RefusedError as error:
            flash(str(error), "error")
        except NotAllowedError:
            abort(403)
        return back(public_id)


def page(
    team: models.Team,
    form: InvitationForm | None = None,
    link: str | None = None,
    sent: str | None = None,
) -> str:
    """The page of people. `link` is that of the invitation made just now, `sent` what became of
    its mail."""
    role = teams.role_in(access.member(), team)
    inviting = may(role, Action.INVITE) and not team.personal
    return render_template(
        "team_members.html",
        **frame(team, "members"),
        members=members.members_of(team),
        grantable=role_choices(role),
        may_change=members.may_change,
        Role=Role,
        form=(form or new_form(role)) if inviting else None,
        invitations=invitations.open_of(team) if inviting else [],
        mails=mail.configured(),
        link=link,
        sent=sent,
        roles=list(reversed(POWER)),
        table={action.value: [may(one, action) for one in reversed(POWER)] for action in LEAST},
    )


def new_form(role: Role | None, *, filled: bool = False) -> InvitationForm:
    """The form of a new invitation; empty, or with what the person sent."""
    form = InvitationForm() if filled else InvitationForm(formdata=None)
    form.role.choices = role_choices(role)
    form.days.choices = [(str(days), plural(days, "day")) for days in invitations.DAYS]
    return form


def invited(team: models.Team) -> tuple[str, int]:
    """Answers the form itself with the link: a redirect would have to carry the secret."""
    form = new_form(teams.role_in(access.member(), team), filled=True)
    if not form.validate():
        return page(team, form), 422
    email = (form.email.data or "").strip() or None
    role, days = Role(form.role.data), int(form.days.data)
    try:
        secret = invitations.invite(access.member(), team, role, days, email)
    except names.RefusedError as error:
        refuse(form.email, error)
        return page(team, form), 422
    except NotAllowedError:
        abort(403)
    path = url_for("dashboard.invitation", secret=secret)
    sent = send(email, team, role, days, path) if email and mail.configured() else None
    return page(team, link=dsn.base_url() + path, sent=sent), 201


def send(email: str, team: models.Team, role: Role, days: int, path: str) -> str:
    """Mail the link; in words, whether it left. Its host is the server's own, not the request's."""
    inviter = access.member().email
    try:
        mail.send_now(
            email,
            f"{inviter} invites you to the team {team.name}",
            "security/email/invitation",
            link=dsn.server_url() + path,
            team=team.name,
            inviter=inviter,
            role=article(role),
            days=plural(days, "day"),
        )
    except mail.MailError as error:
        return f"The mail to {email} did not leave: {error} Pass the link on yourself."
    return f"A mail with this link is on its way to {email}."


def asked_role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        abort(400, "There is no such role.")


def article(role: Role) -> str:
    return f"{'an' if role.value[0] in 'aeiou' else 'a'} {role}"


def back(public_id: str) -> Response:
    """To the people, or to the teams for whoever just removed themselves."""
    still = teams.team_for(access.member(), public_id) is not None
    return redirect(
        url_for("dashboard.team_members", public_id=public_id) if still
        else url_for("dashboard.teams")
    )  # fmt: skip
