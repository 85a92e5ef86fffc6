"""A person's own pages, and the end of an account."""

import time

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from flask_performance.server.accounts import projects, tokens, users
from flask_performance.server.accounts.models import (
    AuditEntry,
    Device,
    Member,
    Role,
    Team,
    Token,
    User,
    db,
)
from flask_performance.server.dashboard.live import open_view
from flask_performance.server.dashboard.pages.account import passkey_hindrance

from .conftest import Person, World, nothing_is_deleted

ADA = "ada@example.com"
GRACE = "grace@example.com"


def add_member(world: World, email: str, role: Role) -> None:
    """Somebody into Ada's team."""
    with world.app.app_context():
        team = db.session.scalars(select(Team).order_by(Team.id)).first()
        assert team is not None
        db.session.add(Member(team=team, user=users.user_by_email(email), role=role))
        db.session.commit()


def stale(person: Person) -> None:
    with person.client.session_transaction() as session:
        session["fs_paa"] = time.time() - 3600
        session.pop("fs_gexp", None)


def known(app: Flask, email: str) -> bool:
    with app.app_context():
        return users.user_by_email(email) is not None


class TestPages:
    def test_account_says_who_one_is_and_in_which_teams(self, world: World) -> None:
        page = world.person().get("/account").text
        assert ADA in page
        assert 'Team <span class="dim">owner</span>' in page

    def test_security_says_what_is_on(self, world: World) -> None:
        page = world.person().get("/account/security").text
        assert "Turn on" in page
        assert "Recovery codes" not in page, "there is nothing to recover from"

    def test_devices_lists_this_and_the_others(self, world: World) -> None:
        person, other = world.person(), world.person()
        page = person.get("/account/devices").text
        assert page.count("Sign out<span") == 1, "this device logs out by the menu"
        assert "This device" in page
        assert other.get("/projects").status_code == 200


class TestDevices:
    def device_of(self, world: World, other_than: Person) -> str:
        with world.app.app_context(), other_than.client.session_transaction() as session:
            query = select(Device.public_id).join(User).where(User.email == ADA)
            return db.session.scalars(query.where(Device.public_id != session["device"])).one()

    def sign_out(self, person: Person, public_id: str) -> TestResponse:
        token = person.csrf_token("/account/devices")
        path = f"/account/devices/{public_id}/sign-out"
        return person.client.post(path, data={"csrf_token": token})

    def test_one_is_signed_out_with_its_live_pages(self, world: World) -> None:
        person, other = world.person(), world.person()
        assert open_view(world.app, "/projects", "", other.cookies) is not None
        answer = self.sign_out(person, self.device_of(world, person))
        assert answer.location == "/account/devices"
        assert other.get("/projects").status_code == 302
        assert open_view(world.app, "/projects", "", other.cookies) is None
        assert person.get("/projects").status_code == 200

    def test_somebody_elses_is_not_there(self, world: World) -> None:
        mine, theirs = world.person(), world.person(GRACE)
        with theirs.client.session_transaction() as session:
            device = session["device"]
        assert self.sign_out(mine, device).status_code == 404
        assert theirs.get("/projects").status_code == 200

    def test_everywhere_else(self, world: World) -> None:
        person, other = world.person(), world.person()
        token = person.csrf_token("/account/devices")
        person.client.post("/account/devices/sign-out-others", data={"csrf_token": token})
        assert person.get("/projects").status_code == 200
        assert other.get("/projects").status_code == 302


class TestTokensOnThePageOfDevices:
    """They outlive a sign-out: the page says so, and ends them."""

    def test_all_that_act_as_the_person_are_revoked(self, world: World) -> None:
        person = world.person()
        world.person(GRACE)
        with world.app.app_context():
            ada, grace = users.user_by_email(ADA), users.user_by_email(GRACE)
            assert ada is not None
            assert grace is not None
            team = db.session.scalars(select(Team).order_by(Team.id)).first()
            mine = [
                tokens.create_token(ada, "Laptop"),
                tokens.create_token(ada, "Builds", team=team),
            ]
            other = tokens.create_token(grace, "Hers")
        token = person.csrf_token("/account/devices")
        page = person.get("/account/devices").text
        assert "2 tokens that you made work on" in page
        assert "Laptop" in page
        assert "for the team" in page
        assert "Hers" not in page
        person.client.post("/account/devices/sign-out-others", data={"csrf_token": token})
        with world.app.app_context():
            assert tokens.read_token(mine[0])
        person.client.post("/account/devices/revoke-tokens", data={"csrf_token": token})
        with world.app.app_context():
            for secret in mine:
                with pytest.raises(tokens.TokenError):
                    tokens.read_token(secret)
            assert tokens.read_token(other).user.email == GRACE
            said = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
            assert said is not None
            assert (said.action, said.target) == ("token.revoke", "Builds")
        page = person.get("/account/devices").text
        assert "You have made none." in page
        assert "Revoked: 2 API tokens." in page

    def test_one_token_is_one(self, world: World) -> None:
        person = world.person()
        with world.app.app_context():
            ada = users.user_by_email(ADA)
            assert ada is not None
            tokens.create_token(ada, "Laptop")
        assert "1 token that you made works on" in person.get("/account/devices").text


class TestAddress:
    """Without a mail server: there is nobody to ask whether the new address is right."""

    def test_it_changes_at_once_and_is_unconfirmed(self, world: World) -> None:
        person = world.person()
        answer = person.post("/account/email", email="lovelace@example.com")
        assert answer.location == "/account"
        assert not known(world.app, ADA)
        with world.app.app_context():
            user = users.user_by_email("lovelace@example.com")
            assert user is not None
            assert user.confirmed_at is None
        world.person("lovelace@example.com")

    @pytest.mark.parametrize(
        ("email", "words"),
        [(GRACE, "has an account"), (GRACE.upper(), "has an account"), ("x", "not an email")],
    )
    def test_what_cannot_be_is_said(self, world: World, email: str, words: str) -> None:
        answer = world.person().post("/account/email", email=email)
        assert answer.status_code == 422
        assert words in answer.text
        assert known(world.app, ADA)

    def test_nobody_tries_address_after_address(self, world: World) -> None:
        person = world.person()
        token = person.csrf_token("/account/email")
        tried = [
            person.client.post("/account/email", data={"csrf_token": token, "email": GRACE})
            for _ in range(6)
        ]
        assert [answer.status_code for answer in tried] == [422] * 5 + [429]

    def test_it_needs_a_fresh_log_in(self, world: World) -> None:
        person = world.person()
        token = person.csrf_token("/account/email")
        stale(person)
        answer = person.client.post(
            "/account/email", data={"csrf_token": token, "email": "x@example.com"}
        )
        assert answer.location.startswith("/verify?next=")
        assert known(world.app, ADA)


class TestDeletion:
    def delete(self, person: Person, typed: str = ADA) -> TestResponse:
        return person.post("/account/delete", email=typed)

    def test_the_account_goes_with_what_is_its_alone(self, world: World) -> None:
        world.receive(3)
        ada, phone, grace = world.person(), world.person(), world.person(GRACE)
        with world.app.app_context():
            db.session.execute(update(User).values(administrator=False))
            user = users.user_by_email(ADA)
            assert user is not None
            tokens.create_token(user, "Script")
        page = ada.get("/account/delete").text
        assert "<b>Team</b>" in page
        assert "<b>Shop</b>" in page
        assert self.delete(ada).location == "/login"
        assert not known(world.app, ADA)
        assert ada.get("/projects").status_code == 302
        assert phone.get("/projects").status_code == 302
        assert world.store.project_ids() == set()
        with world.app.app_context():
            assert [team.members[0].user.email for team in db.session.scalars(select(Team))] == [
                GRACE
            ]
            assert db.session.scalars(select(Token)).all() == []
            assert projects.project_ids() != set(), "Grace's project is where it was"
        assert grace.get("/projects").status_code == 200

    def test_it_works_even_while_the_store_takes_nothing(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nothing_is_deleted(world, monkeypatch)
        assert self.delete(world.person(GRACE), GRACE).location == "/login"
        assert not known(world.app, GRACE)

    def test_the_address_has_to_be_typed(self, world: World) -> None:
        person = world.person(GRACE)
        answer = self.delete(person, ADA)
        assert answer.status_code == 422
        assert "Nothing was deleted" in answer.text
        assert known(world.app, GRACE)
        assert self.delete(person, f" {GRACE.upper()} ").location == "/login"

    def test_it_needs_a_fresh_log_in(self, world: World) -> None:
        person = world.person(GRACE)
        token = person.csrf_token("/account/delete")
        stale(person)
        answer = person.client.post("/account/delete", data={"csrf_token": token, "email": GRACE})
        assert answer.location.startswith("/verify?next=")
        assert known(world.app, GRACE)

    def test_the_last_owner_of_a_team_with_others_stays(self, world: World) -> None:
        add_member(world, GRACE, Role.MEMBER)
        self.make_administrator(world, GRACE)
        ada = world.person()
        page = ada.get("/account/delete").text
        assert "last owner of the team “Team”" in page
        assert "Delete the account for ever" not in page
        token = ada.csrf_token("/account")
        ada.client.post("/account/delete", data={"csrf_token": token, "email": ADA})
        assert known(world.app, ADA)

    def test_with_another_owner_the_team_stays_and_says_who_left(self, world: World) -> None:
        add_member(world, GRACE, Role.OWNER)
        self.make_administrator(world, GRACE)
        assert self.delete(world.person()).location == "/login"
        assert world.person(GRACE).get(f"/projects/{world.mine}").status_code == 200
        with world.app.app_context():
            entry = db.session.scalars(
                select(AuditEntry).where(AuditEntry.action == "member.leave")
            ).one()
            assert (entry.actor, entry.target) == (ADA, "was owner; deleted the account")

    def test_the_only_administrator_stays_while_others_are_there(self, world: World) -> None:
        page = world.person().get("/account/delete").text
        assert "only administrator" in page
        assert "flask-performance user administrator" in page
        assert self.delete(world.person(GRACE), GRACE).location == "/login"
        assert self.delete(world.person()).location == "/login", "the very last may go"

    def make_administrator(self, world: World, email: str) -> None:
        with world.app.app_context():
            db.session.execute(update(User).where(User.email == email).values(administrator=True))
            db.session.commit()


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("http://localhost:8000", None),
        ("https://metrics.example.com", None),
        ("http://127.0.0.1:8000", "http://localhost:8000"),
        ("https://192.0.2.1", "is a number"),
        ("http://[::1]:8000", "http://localhost:8000"),
        ("http://metrics.example.com", "need HTTPS"),
    ],
)
def test_where_passkeys_cannot_work_the_page_says_why(
    world: World, base: str, words: str | None
) -> None:
    with world.app.test_request_context("/", base_url=base):
        said = passkey_hindrance()
    assert said is None if words is None else words in (said or "")


def test_the_log_in_page_offers_a_passkey_where_it_can_work(world: World) -> None:
    visitor = world.app.test_client()
    assert "Use a passkey" in visitor.get("/login", base_url="http://localhost").text
    assert "Use a passkey" not in visitor.get("/login", base_url="http://127.0.0.1").text
