"""Several processes on one set of accounts: what one of them does counts for all."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from sqlalchemy import make_url, select

from flask_performance.server.accounts import (
    KeysUnavailableError,
    KnownKey,
    Meter,
    first,
    intake,
    open_keys,
    project_keys,
    projects,
    teams,
)
from flask_performance.server.accounts.database import open_engine
from flask_performance.server.accounts.following import Follower
from flask_performance.server.accounts.models import Key, Project, User, db
from flask_performance.server.accounts.orm import CHANNEL, changes
from flask_performance.server.accounts.renewed import RenewedKeyRing
from flask_performance.server.settings import Settings
from tests.support.postgresql import PostgreSQL, running_postgresql
from tests.support.waiting import wait_for

from .support import EMAIL, Browser, make_app

SECRET = "0123456789abcdef" * 4


@pytest.fixture
def address(postgresql: PostgreSQL, template: str) -> Iterator[str]:
    name = postgresql.create(template)
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def machines(address: str, tmp_path: Path) -> Iterator[list[Flask]]:
    """Two web processes, each with a data folder of its own."""
    apps = [
        make_app(tmp_path / name, database_url=address, secret=SECRET) for name in ("one", "two")
    ]
    yield apps
    for app in apps:
        with app.app_context():
            db.engine.dispose()


def make_project(app: Flask) -> tuple[int, KnownKey, str]:
    with app.app_context():
        project = projects.create_project(teams.create_team(None, "Default"), "Shop")
        key = project.keys[0]
        return project.id, KnownKey(key.id, project.id), key.key


class TestWebProcesses:
    def test_a_session_is_one_on_all_of_them(self, machines: list[Flask]) -> None:
        one, two = (Browser(app) for app in machines)
        one.sign_up()
        cookie = one.client.get_cookie("session")
        assert cookie is not None
        two.client.set_cookie("session", cookie.value)
        assert two.logged_in_as() == EMAIL
        one.log_out()
        assert two.logged_in_as() is None

    def test_the_link_of_one_makes_the_first_account_on_another(
        self, machines: list[Flask]
    ) -> None:
        one, two = machines
        with one.app_context():
            link = first.link()
        with two.app_context():
            assert first.link() == link
        assert link is not None
        parts = urlsplit(link)
        browser = Browser(two)
        assert browser.get(f"{parts.path}?{parts.query}").status_code == 302
        browser.post("/signup", form_at="/signup", email=EMAIL, password="correct horse battery")
        assert browser.logged_in_as() == EMAIL
        assert Browser(one).get(f"{parts.path}?{parts.query}").status_code == 403

    def test_two_first_accounts_at_once_are_one_administrator(self, machines: list[Flask]) -> None:
        browsers = [Browser(app) for app in machines]
        for browser in browsers:
            browser.open_first_link()
        tokens = [browser.csrf_token("/signup") for browser in browsers]
        together = Barrier(2)

        def sign_up(place: int) -> None:
            together.wait()
            browsers[place].post_bare(
                "/signup", csrf_token=tokens[place], email=f"p{place}@example.org",
                password="correct horse battery staple",
            )  # fmt: skip

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(sign_up, range(2)))
        with machines[0].app_context():
            administrators = db.session.scalars(select(User).where(User.administrator)).all()
            assert len(administrators) == 1

    def test_guesses_at_one_count_at_the_other(self, machines: list[Flask]) -> None:
        one, two = (Browser(app) for app in machines)
        one.sign_up()
        one.log_out()
        guesses = [
            (one, two)[place % 2].log_in(password=f"wrong {place}").status_code
            for place in range(12)
        ]
        assert guesses == [200] * 10 + [429] * 2


class TestFollower:
    def test_a_commit_is_heard_by_other_processes_and_reading_is_not(
        self, machines: list[Flask], address: str
    ) -> None:
        plain = address.replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as other:
            other.execute(f"LISTEN {CHANNEL}")
            with machines[0].app_context():
                db.session.scalars(select(User)).all()
                db.session.commit()
                assert list(other.notifies(timeout=0.1)) == []
                teams.create_team(None, "Default")
            assert len(list(other.notifies(timeout=5, stop_after=1))) == 1

    def test_what_others_commit_changes_the_number(self, address: str) -> None:
        before = changes()
        with closing(Follower(make_url(address))):
            wait_for(lambda: changes() > before, 10, "the follower to listen")
            seen = changes()
            with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as other:
                other.execute(f"NOTIFY {CHANNEL}")
            wait_for(lambda: changes() > seen, 10, "a change to be heard")


class TestMeters:
    def test_several_collectors_add_up(self, machines: list[Flask], address: str) -> None:
        project_id, key, _ = make_project(machines[0])
        settings = Settings(data=Path("/nowhere"), database_url=address)
        one, two = (Meter(open_engine(settings), alone=False) for _ in range(2))
        for meter in (one, two):
            meter.load()
            meter.admit(key, 100)
            meter.accepted(key, 100, "a")
            meter.refuse(key, "busy")
            meter.hold(key, 7, "a", "month_quota")
            meter.refuse(key, "month_quota")
            meter.save()
        with machines[0].app_context():
            seen = intake.intake_of(project_id)
            assert (seen.this_month, seen.held) == (200, 14)
            assert {one.reason: one.batches for one in seen.refused} == {
                "busy": 2, "month_quota": 2,
            }  # fmt: skip
            assert db.session.scalar(select(Key.used)) == 200
        # The second has seen the sum; the first sees it with its next save.
        small = key._replace(quota_month=250)
        assert two.admit(small, 51) is not None
        one.close()
        with machines[0].app_context():
            assert intake.intake_of(project_id).held == 7
        two.close()
        with machines[0].app_context():
            assert intake.intake_of(project_id).held == 0

    def test_a_minute_has_one_quota_whichever_collector_is_asked(
        self, machines: list[Flask], address: str
    ) -> None:
        key = make_project(machines[0])[1]._replace(quota_minute=100)
        settings = Settings(data=Path("/nowhere"), database_url=address)
        clock = [1_800_000_005.0]  # five seconds into a minute
        engines = [open_engine(settings) for _ in range(2)]
        one, two = (Meter(engine, lambda: clock[0], alone=False) for engine in engines)
        with closing(one), closing(two):
            for requests in (30, 30):
                for meter in (one, two):  # what both counted before is not counted twice
                    assert meter.admit(key, requests // 2) is None
                    meter.save()
            one.save()  # the second has seen the sum already
            for meter in (one, two):
                over = meter.admit(key, 41)
                assert over is not None
                assert (over.reason, over.seconds) == ("minute_quota", 55)
            assert two.admit(key, 40) is None
            two.take_back(key, 10)
            two.save()
            one.save()
            assert one.admit(key, 11) is not None
            assert one.admit(key, 10) is None
            clock[0] += 60
            assert two.admit(key, 100) is None
            two.save()
            one.admit(key, 0)
            one.save()
            assert one.admit(key, 1) is not None

    def test_meters_that_save_at_once_lose_nothing(
        self, machines: list[Flask], address: str
    ) -> None:
        project_id, key, _ = make_project(machines[0])
        settings = Settings(data=Path("/nowhere"), database_url=address)
        meters = [Meter(open_engine(settings), alone=False) for _ in range(4)]

        def work(meter: Meter) -> None:
            for _ in range(10):
                meter.admit(key, 1)
                meter.accepted(key, 1, None)
                meter.refuse(key, "busy")
                meter.save()
            meter.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, meters))
        with machines[0].app_context():
            seen = intake.intake_of(project_id)
            assert seen.this_month == 40
            assert seen.refused[0].batches == 40


class TestKeys:
    def test_what_other_processes_change_is_known_within_a_second(
        self, machines: list[Flask], address: str
    ) -> None:
        project_id, _, key = make_project(machines[0])
        with closing(open_keys(Settings(data=Path("/nowhere"), database_url=address))) as ring:
            assert isinstance(ring, RenewedKeyRing)
            found = ring.find(key)
            assert found is not None
            assert found.project_id == project_id
            with machines[1].app_context():
                project = db.session.get(Project, project_id)
                assert project is not None
                project.quota_minute = 5
                db.session.commit()
                wait_for(lambda: (now := ring.find(key)) and now.quota_minute, 5, "the quota")
                project_keys.revoke_key(project.keys[0])
                wait_for(lambda: (now := ring.find(key)) and now.revoked, 5, "the key's end")
                projects.delete_project(project)
                wait_for(lambda: ring.find(key) is None, 5, "the key to be unknown")

    def test_while_the_server_is_away_what_is_known_holds(self, tmp_path: Path) -> None:
        with running_postgresql(durable=True) as server:
            address = server.url(server.create())
            app = make_app(tmp_path, database_url=address)
            project_id, _, key = make_project(app)
            with closing(open_keys(Settings(data=tmp_path, database_url=address))) as ring:
                assert isinstance(ring, RenewedKeyRing)
                assert ring.find(key) is not None
                server.stop()
                wait_for(lambda: ring._away, 10, "the ring to notice")
                began = time.monotonic()
                assert ring.find(key) is not None
                with pytest.raises(KeysUnavailableError):
                    ring.find("0" * 32)
                assert time.monotonic() - began < 0.1
                server.start()
                wait_for(lambda: not ring._away, 10, "the ring to find the server again")
                assert ring.find("0" * 32) is None
            with app.app_context():
                assert db.session.get(Project, project_id) is not None
                db.session.remove()
                db.engine.dispose()
