"""The pages of teams over HTTP: what each role sees and does, and the way of an invitation."""

import re

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_performance.server.accounts import teams, users
from flask_performance.server.accounts.models import Invitation, Role, db, now
from flask_performance.server.accounts.permissions import Action, may
from flask_performance.server.accounts.recent import Limit
from flask_performance.server.accounts.throttle import EXTENSION, Policy
from flask_performance.server.dashboard import open_view
from flask_performance.server.store.base import Filter

from .company import ADA, GRACE, Company, company_of, send
from .conftest import PASSWORD, Person, World, nothing_is_deleted

OWNER, ADMIN, MEMBER, VIEWER = Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER


@pytest.fixture
def company(world: World) -> Company:
    return company_of(world)


def link_on(answer: TestResponse) -> str:
    """The path of the invitation's link that is shown."""
    match = re.search(
        r'id="invitation-link">http://localhost(/invitations/[\w-]{43})<', answer.text
    )
    assert match, answer.text
    return match[1]


def invite(person: Person, company: Company, **fields: str) -> str:
    form = {"email": "", "role": "member", "days": "7", **fields}
    answer = person.post(f"{company.path}/members", **form)
    assert answer.status_code == 201
    return link_on(answer)


class TestTheList:
    def test_has_every_team_with_role_and_sizes(self, company: Company) -> None:
        company.join(VIEWER)
        ada = company.world.person()
        ada.post("/teams/new", name="Second")
        rows = re.findall(
            r'row-link" href="(/teams/[0-9a-f]{16})">(\w+)</a>', ada.get("/teams").text
        )
        assert [name for _, name in rows] == ["Second", "Team"]
        text = re.sub(r"<[^>]+>|\s+", " ", ada.get("/teams").text)
        assert re.search(r"Team +Owner +2 +1 ", text)

    def test_of_nobody_says_what_a_team_is(self, company: Company) -> None:
        with company.world.app.app_context():
            users.create_user("new@example.com", PASSWORD)
        assert "Make the first team" in company.world.person("new@example.com").get("/teams").text

    def test_a_new_team_leads_to_its_page(self, company: Company) -> None:
        ada = company.world.person()
        answer = ada.post("/teams/new", name=" Book  shops ")
        assert re.fullmatch(r"/teams/[0-9a-f]{16}", answer.location)
        page = ada.get(answer.location).text
        assert "Book shops" in page
        assert "Invite people" in page
        again = ada.post("/teams/new", name="Book shops")
        assert again.status_code == 422
        assert "already have a team named" in again.text


PAGES = ["", "/members", "/settings", "/audit", "/audit.csv"]


@pytest.mark.parametrize("page", PAGES)
def test_another_team_looks_like_none(company: Company, page: str) -> None:
    grace = company.world.person(GRACE)
    theirs, none = grace.get(company.path + page), grace.get(f"/teams/{'0' * 16}{page}")
    assert theirs.status_code == none.status_code == 404
    strip = re.compile(r'value="[^"]+"')
    assert strip.sub("", theirs.text) == strip.sub("", none.text)


#: Address, fields, and what the role must allow. What is refused changes nothing.
DEEDS: list[tuple[str, dict[str, str], Action]] = [
    ("/members", {"email": "", "role": "viewer", "days": "7"}, Action.INVITE),
    ("/members/role", {"email": "carl@example.com", "role": "member"}, Action.MANAGE_MEMBERS),
    ("/members/remove", {"email": "carl@example.com"}, Action.MANAGE_MEMBERS),
    ("/settings", {"name": "Renamed"}, Action.RENAME_TEAM),
    (f"/invitations/{'0' * 16}/revoke", {}, Action.INVITE),
    ("/delete", {"typed": "Team"}, Action.DELETE_TEAM),
]


@pytest.mark.parametrize("role", list(Role))
def test_a_role_does_what_the_table_says(company: Company, role: Role) -> None:
    company.join(VIEWER, "carl@example.com")
    person = company.join(role)
    for path, fields, action in DEEDS:
        allowed = may(role, action)
        answer = send(person, "/teams/new", company.path + path, **fields)
        assert answer.status_code in ({200, 201, 302} if allowed else {403}), path
        if action is Action.RENAME_TEAM and allowed:
            send(person, "/teams/new", company.path + path, name="Team")
    if not may(role, Action.MANAGE_MEMBERS):
        assert company.role("carl@example.com") is VIEWER


@pytest.mark.parametrize("role", list(Role))
def test_no_button_for_what_a_role_may_not_do(company: Company, role: Role) -> None:
    person = company.join(role)
    pages = {page: person.get(company.path + page).text for page in ("", "/members", "/settings")}
    assert f"<strong>{role}</strong> here" in pages["/members"]
    assert ("Make the link" in pages["/members"]) is may(role, Action.INVITE)
    assert ("members/remove" in pages["/members"]) is (role is OWNER)  # of Ada, an owner
    assert ("Rename the team" in pages["/settings"]) is may(role, Action.RENAME_TEAM)
    assert ('name="typed"' in pages["/settings"]) is may(role, Action.DELETE_TEAM)
    assert ("/projects/new?team=" in pages[""]) is may(role, Action.CREATE_PROJECT)
    assert (f"{company.path}/audit" in pages[""]) is may(role, Action.SEE_AUDIT)


class TestPeople:
    def test_a_role_is_changed_and_a_member_removed(self, company: Company) -> None:
        company.join(VIEWER)
        ada, people = company.world.person(), f"{company.path}/members"
        answer = send(ada, people, f"{people}/role", email="bob@example.com", role="admin")
        assert answer.location == people
        assert "bob@example.com is an admin now." in ada.get(people).text
        assert company.role("bob@example.com") is ADMIN
        send(ada, people, f"{people}/remove", email="bob@example.com")
        assert company.role("bob@example.com") is None
        gone = send(ada, people, f"{people}/remove", email="bob@example.com")
        assert gone.location == people
        assert "bob@example.com is not in this team any more." in ada.get(people).text

    def test_a_removed_member_sees_nothing_at_the_next_request(self, company: Company) -> None:
        bob, ada = company.join(MEMBER), company.world.person()
        project = f"/projects/{company.world.mine}"
        assert bob.get(project).status_code == 200
        assert open_view(company.world.app, project, "", bob.cookies) is not None
        people = f"{company.path}/members"
        send(ada, people, f"{people}/remove", email="bob@example.com")
        assert bob.get(project).status_code == bob.get(company.path).status_code == 404
        assert open_view(company.world.app, project, "", bob.cookies) is None
        assert "Shop" not in bob.get("/projects").text

    def test_an_admin_neither_makes_nor_touches_an_owner(self, company: Company) -> None:
        bob, people = company.join(ADMIN), f"{company.path}/members"
        for path, fields in (
            ("role", {"email": ADA, "role": "viewer"}),
            ("role", {"email": "bob@example.com", "role": "owner"}),
            ("remove", {"email": ADA}),
        ):
            answer = send(bob, people, f"{people}/{path}", **fields)
            assert answer.status_code == 403
        assert (company.role(ADA), company.role("bob@example.com")) == (OWNER, ADMIN)

    def test_an_admin_who_demotes_or_removes_themselves_goes_on(self, company: Company) -> None:
        bob, people = company.join(ADMIN), f"{company.path}/members"
        answer = send(bob, people, f"{people}/remove", email="bob@example.com")
        assert answer.location == "/teams"
        assert bob.get("/teams").status_code == 200

    @pytest.mark.parametrize("path", ["/leave", "/members/remove", "/members/role"])
    def test_the_last_owner_stays_and_is_told_why(self, company: Company, path: str) -> None:
        company.join(ADMIN)
        ada = company.world.person()
        answer = send(ada, company.path + "/members", company.path + path, email=ADA, role="admin")
        assert "A team needs an owner, and this is its last one" in ada.get(answer.location).text
        assert company.role(ADA) is OWNER

    def test_leaving(self, company: Company) -> None:
        bob = company.join(MEMBER)
        answer = send(bob, f"{company.path}/settings", f"{company.path}/leave")
        assert "You left the team &#39;Team&#39;." in bob.get(answer.location).text
        assert company.role("bob@example.com") is None

    def test_a_role_that_is_none_is_refused(self, company: Company) -> None:
        people = f"{company.path}/members"
        answer = send(company.world.person(), people, f"{people}/role", email=ADA, role="king")
        assert answer.status_code == 400
        assert "There is no such role." in answer.text


class TestInvitations:
    def test_nobody_is_flooded_with_them(self, company: Company) -> None:
        ada, people = company.world.person(), f"{company.path}/members"
        few = Limit(2, 3_600)
        throttle = company.world.app.extensions[EXTENSION]
        throttle.policy = Policy(invited=Limit(4, 3_600), invited_one=few)

        def statuses(*emails: str) -> list[int]:
            rest = {"role": "viewer", "days": "1"}
            return [send(ada, people, people, email=one, **rest).status_code for one in emails]

        zed = "zed@example.com"
        assert statuses(zed, zed.upper(), zed, GRACE, "", "") == [201, 201, 429, 201, 201, 429]

    def test_a_visitor_logs_in_joins_and_is_in_the_team(self, company: Company) -> None:
        path = invite(company.world.person(), company)
        visitor = company.world.app.test_client()
        page = visitor.get(path).text
        assert "ada@example.com</strong> invites you to the team <strong>Team" in page
        grace = company.world.person(GRACE)
        assert "Join Team" in grace.get(path).text
        answer = grace.post(path)
        assert answer.location == company.path
        assert "Welcome to the team" in grace.get(company.path).text
        assert company.role(GRACE) is MEMBER
        assert company.audit()[:2] == [
            "as member, by ada@example.com", "whoever has the link as member",
        ]  # fmt: skip

    def test_a_visitor_is_led_back_after_the_log_in(self, company: Company) -> None:
        path = invite(company.world.person(), company)
        visitor = company.world.app.test_client()
        visitor.get(path)
        visitor.get(f"/invitations/{'x' * 43}")  # a link that works is not forgotten for it
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get("/login").text)
        assert match
        form = {"csrf_token": match[1], "email": GRACE, "password": PASSWORD}
        assert visitor.post("/login", data=form).location == path
        assert "Join Team" in visitor.get(path).text

    def test_accepting_takes_a_form_and_a_login(self, company: Company) -> None:
        path = invite(company.world.person(), company)
        grace = company.world.person(GRACE)
        assert grace.client.post(path).status_code == 400
        assert company.role(GRACE) is None
        visitor = company.world.app.test_client()
        match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get("/login").text)
        assert match
        answer = visitor.post(path, data={"csrf_token": match[1]})
        assert answer.location.startswith("/login")

    def test_the_link_is_shown_once_and_kept_nowhere(self, company: Company) -> None:
        ada = company.world.person()
        path = invite(ada, company)
        for page in ("/members", "/audit", "/audit.csv"):
            assert path.rpartition("/")[2] not in ada.get(company.path + page).text

    def test_a_role_and_a_time_are_chosen(self, company: Company) -> None:
        invite(company.world.person(), company, role="viewer", days="30")
        with company.world.app.app_context():
            made = db.session.scalars(select(Invitation)).one()
            assert made.role == VIEWER
            assert round((made.expires_at - now()).total_seconds() / 86_400) == 30

    @pytest.mark.parametrize(
        "fields",
        [
            {"role": "owner"},
            {"role": "king"},
            {"days": "3650"},
            {"email": "nobody"},
            {"email": ADA},
        ],
    )
    def test_what_cannot_be_is_said_at_its_field(
        self, company: Company, fields: dict[str, str]
    ) -> None:
        bob = company.join(ADMIN)
        form = {"email": "", "role": "member", "days": "7", **fields}
        answer = bob.post(f"{company.path}/members", **form)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        with company.world.app.app_context():
            assert db.session.scalars(select(Invitation)).all() == []

    def test_for_an_address_is_for_its_account(self, company: Company) -> None:
        path = invite(company.world.person(), company, email="carl@example.com")
        grace = company.world.person(GRACE)
        page = grace.get(path).text
        assert "not for this account" in page
        assert "carl@" not in page
        assert ADA not in page
        assert ">Team<" not in page
        answer = send(grace, "/teams/new", path)
        assert answer.location == path
        assert company.role(GRACE) is None
        visitor = company.world.app.test_client().get(path).text
        assert "You are invited to a team" in visitor
        assert ADA not in visitor
        with company.world.app.app_context():
            users.create_user("carl@example.com", PASSWORD)
        carl = company.world.person("carl@example.com")
        assert carl.post(path).location == company.path

    def test_a_member_is_led_to_the_team(self, company: Company) -> None:
        ada = company.world.person()
        path = invite(ada, company)
        assert ada.get(path).location == company.path
        assert company.world.person(GRACE).post(path).status_code == 302, "still good for Grace"

    def test_that_does_not_work_says_nothing_of_the_team(self, company: Company) -> None:
        ada, grace = company.world.person(), company.world.person(GRACE)
        path = invite(ada, company)
        people = ada.get(f"{company.path}/members").text
        match = re.search(rf'action="({company.path}/invitations/[0-9a-f]{{16}}/revoke)"', people)
        assert match
        send(ada, "/teams/new", match[1])
        assert "Whoever has the link" not in ada.get(f"{company.path}/members").text
        invented = f"/invitations/{'x' * 43}"
        for person in (grace.client, company.world.app.test_client()):
            revoked, unknown = person.get(path), person.get(invented)
            assert (revoked.status_code, unknown.status_code) == (410, 404)
            assert revoked.text == unknown.text
            assert "This invitation does not work" in revoked.text
            assert "Team" not in re.sub("<title>.*?</title>", "", revoked.text)
        assert send(grace, "/teams/new", path).status_code == 410
        assert company.role(GRACE) is None


class TestSettings:
    def test_renaming(self, company: Company) -> None:
        ada = company.world.person()
        answer = ada.post(f"{company.path}/settings", name="  ")
        assert answer.status_code == 422
        assert "Give the team a name." in answer.text
        ada.post(f"{company.path}/settings", name="Shops")
        assert "Shops" in ada.get("/teams").text
        assert company.audit()[0] == "Team → Shops"

    def test_deleting_takes_the_typed_name_and_the_data_along(self, company: Company) -> None:
        world, ada = company.world, company.world.person()
        world.receive(3)
        everything = Filter(project_id=world.mine_id, start_us=0, end_us=2**60)
        assert world.store.summary(everything).requests == 3
        settings = f"{company.path}/settings"
        wrong = send(ada, settings, f"{company.path}/delete", typed="team")
        assert wrong.status_code == 422
        assert "Nothing was deleted." in wrong.text
        assert company.role(ADA) is OWNER
        right = send(ada, settings, f"{company.path}/delete", typed=" Team ")
        assert right.location == "/teams"
        assert "is deleted" in ada.get("/teams").text
        assert ada.get(f"/projects/{world.mine}").status_code == 404
        assert world.store.summary(everything).requests == 0

    def test_deleting_works_even_while_the_store_takes_nothing(
        self, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ada = company.world.person()
        nothing_is_deleted(company.world, monkeypatch)
        answer = send(ada, f"{company.path}/settings", f"{company.path}/delete", typed="Team")
        assert answer.location == "/teams"
        assert ada.get(company.path).status_code == 404

    def test_a_personal_team_is_only_listed_and_filled(self, company: Company) -> None:
        ada = company.world.person()
        answer = ada.post("/projects/new", name="Mine", team="personal")
        assert answer.status_code == 302
        with company.world.app.app_context():
            own = teams.personal_team(company.user(ADA)).public_id
        people, settings = ada.get(f"/teams/{own}/members").text, ada.get(f"/teams/{own}/settings")
        assert "This is your own team" in people
        assert "Make the link" not in people
        assert "Rename" not in settings.text
        assert "Leave" not in settings.text
        assert "Your personal team has 1 project. Move or delete it first." in settings.text
        form = {"email": "", "role": "member", "days": "7"}
        assert send(ada, "/teams/new", f"/teams/{own}/members", **form).status_code == 422
        refused = send(ada, "/teams/new", f"/teams/{own}/delete", typed="Personal")
        assert refused.status_code == 422
        assert "Mine" in ada.get(f"/teams/{own}").text


@pytest.mark.parametrize("page", ["", "/members", "/settings", "/audit"])
def test_names_from_people_are_only_text(company: Company, page: str) -> None:
    ada = company.world.person()
    evil = "<script>alert(1)</script>"
    ada.post(f"{company.path}/settings", name=evil)
    text = ada.get(company.path + page).text
    assert evil not in text
    assert "&lt;script&gt;" in text
