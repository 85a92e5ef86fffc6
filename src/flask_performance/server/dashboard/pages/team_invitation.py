"""The page of an invitation's link: who invites, into what; and the button that accepts."""

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask_security import auth_required
from werkzeug import Response

from flask_performance.server.accounts import invitations, names, signup, teams

from .. import access

Answer = str | Response | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    """Add the routes to the dashboard's blueprint."""

    @blueprint.get("/invitations/<secret>")
    def invitation(secret: str) -> Answer:
        return opened(secret)

    @blueprint.post("/invitations/<secret>")
    @auth_required("session")
    def accept_invitation(secret: str) -> Answer:
        if invitations.valid(secret) is None:
            return dead(secret)
        try:
            team = invitations.accept(access.member(), secret)
        except names.RefusedError as error:
            flash(str(error), "error")
            return redirect(url_for("dashboard.invitation", secret=secret))
        session.pop(signup.INVITATION, None)
        flash(f"Welcome to the team {team.name!r}.")
        return redirect(url_for("dashboard.team", public_id=team.public_id))


def opened(secret: str) -> Answer:
    """The page for whoever opens the link: a visitor, its addressee, or somebody else."""
    found = invitations.valid(secret)
    if found is None:
        return dead(secret)
    person = access.person()
    if person is None:
        session[signup.INVITATION] = secret  # and back here after the log-in or sign-up
    elif teams.role_in(person, found.team) is not None:
        flash(f"You are in the team {found.team.name!r} already.")
        return redirect(url_for("dashboard.team", public_id=found.team.public_id))
    return render_template(
        "invitation.html",
        invitation=found,
        mine=person is not None and invitations.is_for(found, person.email),
        sign_up=person is None and signup.refusal() is None,
    )


def dead(secret: str) -> tuple[str, int]:
    """Says nothing of the team, whatever became of the link."""
    if session.get(signup.INVITATION) == secret:  # it may hold another one that works
        session.pop(signup.INVITATION)
    known = invitations.find(secret) is not None
    return render_template("invitation_gone.html"), 410 if known else 404
