"""A project's settings and keys over HTTP: what they change, refuse, and hide from weaker roles."""

import html
import re
from typing import TypeVar

import pytest
from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload
from werkzeug.test import TestResponse

from flask_performance.server.accounts import users
from flask_performance.server.accounts.models import (
    AuditEntry,
    Base,
    Key,
    Member,
    Project,
    Refusal,
    Role,
    Team,
    Usage,
    User,
    db,
    now,
)
from flask_performance.server.store.base import Filter

from .conftest import PASSWORD, Person, World, nothing_is_deleted

EVER = (0, 2**62)

T = TypeVar("T")


@pytest.fixture
def ada(world: World) -> Person:
    """The owner."""
    return world.person()


def project(world: World) -> Project:
    """Ada's, as it is now."""
    everything = (
        selectinload(Project.team), selectinload(Project.keys), selectinload(Project.operations)
    )  # fmt: skip
    with world.app.app_context():
        return db.session.get_one(Project, world.mine_id, options=everything)


def rows(world: World, query: Select[T]) -> list[T]:
    with world.app.app_context():
        return list(db.session.scalars(query))


def add(world: World, *made: Base) -> None:
    with world.app.app_context():
        db.session.add_all(made)
        db.session.commit()


def path(world: World, page: str = "settings") -> str:
    return f"/projects/{world.mine}/{page}"


def words(answer: TestResponse) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.text)))


def send(person: Person, form_at: str, action: str, **fields: str) -> TestResponse:
    """Post fields to an action, with the CSRF token of a page."""
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', person.get(form_at).text)
    assert match
    return person.client.post(action, data={"csrf_token": match[1], **fields})


def audit(world: World) -> list[tuple[str, str]]:
    team_id = project(world).team_id
    found = rows(world, select(AuditEntry).where(AuditEntry.team_id == team_id))
    return [(row.action, row.target) for row in found if not row.action.startswith("team.")]


def team_named(world: World, name: str) -> Team:
    (team,) = rows(world, select(Team).filter_by(name=name))
    return team


def member(world: World, role: Role) -> Person:
    """Somebody else in Ada's team."""
    email = f"{role}@example.com"
    with world.app.app_context():
        user_id = users.create_user(email, PASSWORD).id
    add(world, Member(team_id=project(world).team_id, user_id=user_id, role=role))
    return world.person(email)


# -- general -------------------------------------------------------------------------------------


def test_name_time_zone_and_apdex(world: World, ada: Person) -> None:
    answer = ada.post(path(world), name=" Book  shop ", time_zone="Asia/Tokyo", apdex="1.5")
    assert (answer.status_code, answer.location) == (302, path(world))
    found = project(world)
    assert (found.name, found.time_zone, found.apdex_us) == ("Book shop", "Asia/Tokyo", 1_500)
    assert audit(world)[-1] == ("project.change", "Shop, now Book shop")
    page = ada.get(path(world)).text
    assert 'data-time-zone="Asia/Tokyo"' in page
    assert 'value="1.5"' in page
    ada.post(path(world), name="Book shop", time_zone="", apdex="1500")
    assert project(world).time_zone is None
    assert "data-time-zone" not in ada.get(path(world)).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " "}, "Give the project a name."),
        ({"name": "x" * 81}, "A name has 1 to 80 characters"),
        ({"time_zone": "Berlin"}, "Berlin is no time zone. Choose one like Europe/Berlin"),
        ({"time_zone": "../../etc/passwd"}, "is no time zone"),
        ({"apdex": ""}, "Write milliseconds, for example 500."),
        ({"apdex": "fast"}, "Write milliseconds, for example 500."),
        ({"apdex": "0"}, "between 1 ms and 3,600,000 ms"),
        ({"apdex": "3600001"}, "between 1 ms and 3,600,000 ms"),
    ],
)
def test_what_cannot_be_set_is_said_at_its_field(
    world: World, ada: Person, fields: dict[str, str], sentence: str
) -> None:
    good = {"name": "New", "time_zone": "UTC", "apdex": "500"}
    answer = ada.post(path(world), **(good | fields))
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert answer.text.count('aria-invalid="true"') == 1
    assert project(world).name == "Shop"


def test_a_name_is_the_teams_only_once(world: World, ada: Person) -> None:
    ada.post("/projects/new", name="Blog", team=project(world).team.public_id)
    answer = ada.post(path(world), name="Blog", time_zone="", apdex="500")
    assert answer.status_code == 422
    assert "already has a project named 'Blog'" in words(answer)
    assert ada.post(path(world), name="Shop", time_zone="", apdex="500").status_code == 302


def test_operations_have_thresholds_of_their_own(world: World, ada: Person) -> None:
    assert "as soon as the app has sent requests" in words(ada.get(path(world)))
    world.receive(3, operation="GET /slow", duration_us=900_000)
    world.receive(1, operation="GET /", duration_us=1_000)
    overview = f"/projects/{world.mine}"
    before = words(ada.get(overview))
    assert "Apdex 0.62" in before  # (1 + 3 / 2) / 4
    answer = send(
        ada, path(world), path(world, "settings/operations"),
        operation="GET /slow", operation_apdex="1,000",
    )  # fmt: skip
    assert answer.status_code == 302
    assert "GET /slow" in words(ada.get(path(world)))
    after = ada.get(overview).text
    assert "Apdex 1.00" in re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", after))
    assert "Satisfied up to 1000 ms, this operation&#39;s own" in after
    assert "1 operation has its own threshold" in after
    send(ada, path(world), path(world, "settings/operations/remove"), operation="GET /slow")
    assert project(world).operations == []
    assert [action for action, _ in audit(world)] == ["project.create"] + ["project.change"] * 2


def test_only_operations_that_were_seen_have_thresholds(world: World, ada: Person) -> None:
    answer = send(
        ada, path(world), path(world, "settings/operations"),
        operation="GET /nowhere", operation_apdex="1000",
    )  # fmt: skip
    assert answer.status_code == 422
    assert project(world).operations == []


# -- limits --------------------------------------------------------------------------------------


def test_limits(world: World, ada: Person) -> None:
    answer = send(
        ada, path(world), path(world, "settings/limits"), keep_raw_days="7", keep_minutes_days="",
        keep_hours_days="365", quota_minute="1,000", quota_month=" 2 000 000 ",
    )  # fmt: skip
    assert answer.status_code == 302
    found = project(world)
    assert (found.keep_raw_days, found.keep_minutes_days, found.keep_hours_days) == (7, None, 365)
    assert (found.quota_minute, found.quota_month) == (1_000, 2_000_000)
    assert audit(world)[-1] == ("project.limits", "Shop")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"keep_raw_days": "0"}, "a whole number above zero"),
        ({"keep_hours_days": "-5"}, "a whole number above zero"),
        ({"quota_minute": "many"}, "a whole number above zero"),
        ({"keep_hours_days": "4000"}, "for 1 to 3,650 days"),
        ({"keep_raw_days": "91"}, "What is coarser is kept for at least as long"),
        ({"quota_month": "9" * 15}, "A quota lies between"),
    ],
)
def test_limits_that_cannot_be(
    world: World, ada: Person, fields: dict[str, str], sentence: str
) -> None:
    answer = send(ada, path(world), path(world, "settings/limits"), **fields)
    assert answer.status_code == 422
    assert sentence in words(answer)
    assert project(world).quota_minute is None


def test_what_is_over_a_quota_is_said_on_the_page(world: World, ada: Person) -> None:
    world.receive(1)
    send(ada, path(world), path(world, "settings/limits"), quota_minute="1000")
    add(
        world,
        Refusal(project_id=world.mine_id, reason="minute_quota", batches=3, since=now(),
                last_at=now(), held=2_500),
        Usage(project_id=world.mine_id, month=f"{now():%Y-%m}", requests=4_321),
    )  # fmt: skip
    page = words(ada.get(f"/projects/{world.mine}"))
    assert "Over its quota of 1,000 requests a minute since" in page
    assert "2,500 of them in batches that were held back" in page
    assert "2,500 requests held back" in page
    assert "This month: 4,321 requests so far" in words(ada.get(path(world)))
    setup = words(ada.get(path(world, "setup")))
    assert "The quota of requests a minute had no room 3 times, last" in setup


# -- environments, moving, deleting --------------------------------------------------------------


def test_environments_are_listed(world: World, ada: Person) -> None:
    assert "are listed here" in words(ada.get(path(world)))
    world.receive(1)
    page = ada.get(path(world)).text
    assert re.search(r'<th scope="row">production</th><td><time', page)


def test_a_project_moves_with_its_data(world: World, ada: Person) -> None:
    assert "You are in no other team" in words(ada.get(path(world)))
    world.receive(2)
    ada.post("/projects/new", name="Blog", team="new", new_team="Writers")
    old, new = project(world).team, team_named(world, "Writers")
    answer = send(ada, path(world), path(world, "settings/move"), team=new.public_id)
    assert answer.status_code == 302
    assert project(world).team_id == new.id
    assert "<b>2</b> seen" in ada.get(f"/projects/{world.mine}").text
    deeds = {(row.team_id, row.action, row.target) for row in rows(world, select(AuditEntry))}
    assert (old.id, "project.move_out", "Shop to Writers") in deeds
    assert (new.id, "project.move_in", "Shop from Team") in deeds


def test_a_project_moves_only_where_its_name_is_free(world: World, ada: Person) -> None:
    ada.post("/projects/new", name="Shop", team="new", new_team="Writers")
    team = team_named(world, "Writers")
    answer = send(ada, path(world), path(world, "settings/move"), team=team.public_id)
    assert answer.status_code == 422
    assert "already has a project named 'Shop'" in words(answer)


def test_a_project_moves_only_into_a_team_that_one_may_create_in(world: World, ada: Person) -> None:
    (theirs,) = rows(world, select(Team).join(Project).where(Project.public_id == world.theirs))
    for role in (None, Role.VIEWER):
        if role:
            (user,) = rows(world, select(User).where(User.email == "ada@example.com"))
            add(world, Member(team_id=theirs.id, user_id=user.id, role=role))
        answer = send(ada, path(world), path(world, "settings/move"), team=theirs.public_id)
        assert answer.status_code == 422
        assert project(world).team_id != theirs.id


def test_deleting_asks_for_the_name(world: World, ada: Person) -> None:
    for typed in ("", "shop", "Shop2"):
        answer = send(ada, path(world), path(world, "settings/delete"), confirm=typed)
        assert answer.status_code == 422
        assert "Type Shop to delete the project" in words(answer)
    assert project(world).name == "Shop"


def test_a_deleted_project_leaves_nothing(world: World, ada: Person) -> None:
    world.receive(5)
    team_id = project(world).team_id
    answer = send(ada, path(world), path(world, "settings/delete"), confirm=" Shop ")
    assert (answer.status_code, answer.location) == (302, "/projects")
    assert "Shop is deleted, with its keys and its data." in words(ada.get("/projects"))
    assert ada.get(f"/projects/{world.mine}").status_code == 404
    assert rows(world, select(Key).filter_by(project_id=world.mine_id)) == []
    assert world.store.project_ids() == set()
    start_us, end_us = EVER
    ever = Filter(project_id=world.mine_id, start_us=start_us, end_us=end_us)
    assert world.store.ledger(ever).seen == 0
    (entry,) = rows(world, select(AuditEntry).filter_by(action="project.delete"))
    assert (entry.team_id, entry.target, entry.actor) == (team_id, "Shop", "ada@example.com")


def test_a_project_is_deleted_even_while_the_store_takes_nothing(
    world: World, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_deleted(world, monkeypatch)
    answer = send(ada, path(world), path(world, "settings/delete"), confirm="Shop")
    assert answer.status_code == 302
    assert ada.get(f"/projects/{world.mine}").status_code == 404


# -- keys ----------------------------------------------------------------------------------------


def keys(world: World) -> list[Key]:
    return list(project(world).keys)


def test_a_key_is_made_and_renamed(world: World, ada: Person) -> None:
    page = path(world, "keys")
    answer = ada.post(page, name="Staging")
    assert (answer.status_code, answer.location) == (302, page)
    old, new = keys(world)
    assert (old.name, new.name) == ("Default", "Staging")
    assert old.key != new.key
    shown = ada.get(page).text
    assert f"http://localhost/v1/collector/{new.key}" in shown
    assert shown.index(new.key) < shown.index(old.key)
    assert "never used" in shown
    send(ada, page, f"{page}/{new.public_id}/rename", name="Staging 2")
    assert keys(world)[1].name == "Staging 2"
    assert [deed for deed in audit(world) if deed[0].startswith("key.")] == [
        ("key.create", "Staging of Shop"),
        ("key.rename", "Staging of Shop to Staging 2"),
    ]
    answer = ada.post(page, name="  ")
    assert answer.status_code == 422
    assert "Give the key a name" in words(answer)


def test_a_rotated_key_works_until_it_is_revoked(world: World, ada: Person) -> None:
    page = path(world, "keys")
    (old,) = keys(world)
    assert send(ada, page, f"{page}/{old.public_id}/rotate").status_code == 302
    old, new = keys(world)
    assert (new.name, new.rotated_at, old.revoked_at) == ("Default", None, None)
    assert old.rotated_at is not None
    assert "a new key took its place" in words(ada.get(page))
    send(ada, page, f"{page}/{old.public_id}/rotate")
    assert "was rotated before" in words(ada.get(page))
    assert len(keys(world)) == 2
    confirm = ada.get(f"{page}/{old.public_id}/revoke")
    assert "last key that works" not in words(confirm)
    ada.post(f"{page}/{old.public_id}/revoke")
    old, new = keys(world)
    assert old.revoked_at is not None
    assert new.revoked_at is None
    assert audit(world)[-2:] == [
        ("key.rotate", "Default of Shop"),
        ("key.revoke", "Default of Shop"),
    ]


def test_the_last_key_is_revoked_with_a_warning(world: World, ada: Person) -> None:
    page = path(world, "keys")
    (key,) = keys(world)
    confirm = ada.get(f"{page}/{key.public_id}/revoke")
    assert "It is the last key that works" in words(confirm)
    assert keys(world)[0].revoked_at is None, "a look revokes nothing"
    assert ada.post(f"{page}/{key.public_id}/revoke").status_code == 302
    assert "Every key is revoked" in words(ada.get(page))
    assert "no app can send to it" in words(ada.get(path(world, "setup")))


def test_a_key_of_another_project_is_none(world: World, ada: Person) -> None:
    others = select(Key).where(Key.project_id != world.mine_id)
    (other,) = rows(world, others)
    page = path(world, "keys")
    for deed in ("rename", "rotate", "revoke"):
        answer = send(ada, page, f"{page}/{other.public_id}/{deed}", name="Mine")
        assert answer.status_code == 404
    assert ada.get(f"{page}/{other.public_id}/revoke").status_code == 404
    (other,) = rows(world, others)
    assert (other.name, other.rotated_at, other.revoked_at) == ("Default", None, None)


# -- roles ---------------------------------------------------------------------------------------


def test_a_viewer_sees_settings_and_no_dsn(world: World) -> None:
    viewer = member(world, Role.VIEWER)
    page = viewer.get(path(world))
    assert page.status_code == 200
    assert "Your role here is viewer: members and above change this." in words(page)
    assert "admins and owners set this" in words(page)
    assert page.text.count("<form") == 1, "the one that logs out"
    for hidden in ("/setup", "/keys", "Delete the project", "Move to another team"):
        assert hidden not in page.text
    key = keys(world)[0].key
    waiting = viewer.get(f"/projects/{world.mine}")
    assert "members and above see the DSN" in words(waiting)
    assert key not in waiting.text
    assert viewer.get(path(world, "setup")).status_code == 403
    assert viewer.get(path(world, "keys")).status_code == 403


def test_a_member_changes_and_does_not_limit(world: World) -> None:
    page = member(world, Role.MEMBER).get(path(world)).text
    assert 'name="time_zone"' in page
    assert "/setup" in page
    assert "/keys" in page
    for hidden in ('name="quota_month"', "settings/move", "settings/delete"):
        assert hidden not in page


@pytest.mark.parametrize("deed", ["limits", "move", "delete"])
def test_a_member_is_refused_what_asks_for_an_admin(world: World, deed: str) -> None:
    person = member(world, Role.MEMBER)
    answer = send(person, path(world), path(world, f"settings/{deed}"), confirm="Shop")
    assert answer.status_code == 403
    assert project(world).name == "Shop"
