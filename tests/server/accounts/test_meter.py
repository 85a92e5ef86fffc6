"""The meter: quotas to the request, counts that survive restarts, refusals by reason."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from flask_performance.server.accounts import KnownKey, Meter, intake, projects, quotas, teams
from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.models import Key, Project, db
from flask_performance.server.accounts.quotas import LONGEST_WAIT, Month
from flask_performance.server.settings import Settings

#: Five seconds into a minute, on the last day of a year but one hour and 5 seconds before it ends.
BEFORE_MIDNIGHT = datetime(2026, 12, 31, 22, 59, 55, tzinfo=UTC).timestamp()


class Clock:
    """This moment, on which `now` in the database agrees, until a test moves it on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()
        self.now += 65 - self.now % 60  # five seconds into the next minute

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(data: Path, clock: Clock, app: Flask) -> Iterator[Meter]:
    meter = Meter(open_engine(Settings(data=data)), clock)
    meter.load()
    yield meter
    meter.close()


@pytest.fixture
def project() -> Project:
    return projects.create_project(teams.create_team(None, "Default"), "Shop")


def known(project: Project, minute: int | None = None, month: int | None = None) -> KnownKey:
    project.quota_minute, project.quota_month = minute, month
    db.session.commit()
    return KnownKey(project.keys[0].id, project.id, minute, month)


def seen(project: Project) -> intake.Intake:
    """What pages read, after whatever other connections wrote."""
    db.session.expire_all()
    return intake.intake_of(project.id)


def test_without_quotas_everything_is_admitted(meter: Meter, project: Project) -> None:
    key = known(project)
    assert all(meter.admit(key, 10**9) is None for _ in range(100))


def test_a_minute_holds_its_quota_and_not_one_more(
    meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project, minute=100)
    assert meter.admit(key, 60) is None
    over = meter.admit(key, 41)
    assert over is not None
    assert (over.reason, over.quota, over.seconds) == ("minute_quota", 100, 55)
    assert meter.admit(key, 40) is None
    assert meter.admit(key, 1) is not None
    assert meter.admit(key, 0) is None, "a batch without requests reports only"
    clock.now += 55
    assert meter.admit(key, 100) is None


def test_keys_share_their_projects_quota(meter: Meter, project: Project) -> None:
    key = known(project, minute=10)
    assert meter.admit(key, 10) is None
    assert meter.admit(key._replace(id=key.id + 1), 1) is not None
    assert meter.admit(key._replace(project_id=key.project_id + 1), 1) is None


def test_a_batch_larger_than_the_quota_is_taken_when_the_minute_is_fresh(
    meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project, minute=100)
    meter.admit(key, 1)
    assert meter.admit(key, 500) is not None
    clock.now += 60
    assert meter.admit(key, 500) is None
    assert meter.admit(key, 1) is not None


def test_a_day_has_so_many_instances_of_a_project(
    meter: Meter, clock: Clock, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "MOST_INSTANCES", 3)
    clock.now = BEFORE_MIDNIGHT
    key = known(project)
    assert [meter.admit(key, 1, name) for name in "abcab"] == [None] * 5
    over = meter.admit(key, 1, "d")
    assert over is not None
    assert (over.reason, over.quota, over.seconds) == ("instances", 3, LONGEST_WAIT)
    assert meter.admit(key, 1, "c") is None, "who spoke today goes on"
    assert meter.admit(key, 1) is None, "the client of 2019 is one instance"
    assert meter.admit(key._replace(project_id=key.project_id + 1), 1, "d") is None
    clock.now += 3605  # the next day
    assert meter.admit(key, 1, "d") is None


def test_the_months_quota_ends_with_the_month(meter: Meter, clock: Clock, project: Project) -> None:
    clock.now = BEFORE_MIDNIGHT
    key = known(project, minute=100, month=50)
    assert meter.admit(key, 50) is None
    over = meter.admit(key, 60)
    assert over is not None
    assert (over.reason, over.quota, over.seconds) == ("month_quota", 50, LONGEST_WAIT)
    clock.now += 3600
    over = meter.admit(key, 1)
    assert over is not None
    assert over.seconds == 5
    clock.now += 5
    assert meter.admit(key, 50) is None


@pytest.mark.parametrize(
    ("day", "name", "days"),
    [
        ((2026, 11, 22), "2026-11", 30),
        ((2026, 12, 31), "2026-12", 31),
        ((2028, 2, 1), "2028-02", 29),
    ],
)
def test_months(day: tuple[int, int, int], name: str, days: int) -> None:
    month = Month.at(datetime(*day, 12, tzinfo=UTC).timestamp())
    assert month.name == name
    assert month.end - month.start == days * 86_400
    assert Month.at(month.start) == month
    assert Month.at(month.end).start == month.end


def test_what_was_not_kept_takes_no_room(meter: Meter, project: Project) -> None:
    key = known(project, minute=10, month=10)
    assert meter.admit(key, 10) is None
    meter.take_back(key, 10)
    assert meter.admit(key, 10) is None


def test_the_months_count_survives_a_restart(
    data: Path, meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project, month=100)
    meter.admit(key, 70)
    meter.save()
    meter.admit(key, 20)
    assert seen(project).this_month in (70, 0)  # 0 where the clock's next minute is next month
    meter.close()
    again = Meter(open_engine(Settings(data=data)), clock)
    again.load()
    assert again.admit(key, 11) is not None
    assert again.admit(key, 10) is None
    again.close()


def test_keys_know_how_often_and_when_they_were_used(
    meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project)
    for _ in range(3):
        meter.accepted(key, 5, "a")
    clock.now += 7
    meter.accepted(key, 0, "a")
    meter.save()
    meter.save()
    db.session.expire_all()
    row = db.session.get_one(Key, key.id)
    assert row.used == 15
    assert row.last_used_at is not None
    assert row.last_used_at.timestamp() == pytest.approx(clock.now, abs=1e-3)


def test_refusals_by_reason(meter: Meter, clock: Clock, project: Project) -> None:
    key = known(project)
    began = clock.now
    for _ in range(12):
        meter.refuse(key, "revoked_key")
        clock.now += 1
    meter.save()
    meter.refuse(key, "malformed")
    meter.refuse(key, "revoked_key")
    meter.save()
    newest, other = sorted(seen(project).refused, key=lambda one: -one.batches)
    assert (newest.reason, newest.batches) == ("revoked_key", 13)
    assert newest.since_us == pytest.approx(began * 1e6, abs=2)
    assert newest.last_us == pytest.approx(clock.now * 1e6, abs=2)
    assert (other.reason, other.batches) == ("malformed", 1)


def test_a_new_row_of_refusals_has_its_own_beginning(
    meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project, minute=1)
    meter.refuse(key, "minute_quota")
    meter.save()
    clock.now += 3600
    meter.refuse(key, "minute_quota")
    meter.save()
    (one,) = seen(project).refused
    assert one.batches == 2
    assert one.since_us == pytest.approx(clock.now * 1e6, abs=2)


def test_held_back_until_it_is_taken(meter: Meter, project: Project) -> None:
    key = known(project, minute=1)
    for instance, requests in (("a", 500), ("b", 300), ("a", 500)):
        meter.refuse(key, "minute_quota")
        meter.hold(key, requests, instance, "minute_quota")
    meter.save()
    held = seen(project)
    assert held.held == 800
    assert held.full is not None
    assert (held.full.reason, held.full.quota, held.full.held) == ("minute_quota", 1, 800)
    meter.accepted(key, 500, "a")
    meter.save()
    assert seen(project).held == 300
    meter.accepted(key, 300, "b")
    meter.save()
    assert seen(project).held == 0


def test_a_quota_that_was_lifted_is_not_full(meter: Meter, project: Project) -> None:
    key = known(project, minute=1)
    meter.refuse(key, "minute_quota")
    meter.hold(key, 500, "a", "minute_quota")
    meter.save()
    assert seen(project).full is not None
    known(project)
    assert seen(project).full is None


def test_a_deleted_project_leaves_no_rows(meter: Meter, project: Project) -> None:
    key = known(project, minute=1)
    other = projects.create_project(project.team, "Blog")
    projects.delete_project(project)
    meter.admit(key, 1)
    meter.accepted(key, 1, "a")
    meter.refuse(key, "minute_quota")
    meter.hold(key, 5, "b", "minute_quota")
    meter.refuse(KnownKey(other.keys[0].id, other.id), "busy")
    meter.save()
    assert [one.reason for one in seen(other).refused] == ["busy"]
    assert intake.intake_of(key.project_id) == intake.Intake()


def test_what_cannot_be_saved_is_saved_later(meter: Meter, project: Project) -> None:
    key = known(project, month=100)
    meter.admit(key, 60)
    meter.accepted(key, 60, "a")
    meter.refuse(key, "busy")
    rename("usage", "gone")
    with pytest.raises(SQLAlchemyError):
        meter.save()
    assert meter.admit(key, 41) is not None, "it still counts"
    meter.refuse(key, "busy")
    rename("gone", "usage")
    meter.save()
    found = seen(project)
    assert [(one.reason, one.batches) for one in found.refused] == [("busy", 2)]
    assert project.keys[0].used == 60
    assert meter.admit(key, 40) is None
    assert meter.admit(key, 1) is not None


def rename(old: str, new: str) -> None:
    with db.engine.begin() as connection:
        connection.exec_driver_sql(f"alter table {old} rename to {new}")


def test_nothing_is_counted_twice_or_lost_between_threads(
    data: Path, meter: Meter, clock: Clock, project: Project
) -> None:
    key = known(project, month=10_000)
    ended = threading.Event()

    def save() -> None:
        while not ended.is_set():
            meter.save()

    saver = threading.Thread(target=save)
    saver.start()
    admitted = sum(meter.admit(key, 1) is None for _ in range(12_000))
    ended.set()
    saver.join()
    assert admitted == 10_000
