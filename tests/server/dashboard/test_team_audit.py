"""A team's audit log: what it says, page by page, and as a file."""

import csv
import io
import re

import pytest

from flask_performance.server.accounts import projects
from flask_performance.server.dashboard.pages import team_audit

from .company import Company, company_of
from .conftest import World


@pytest.fixture
def company(world: World) -> Company:
    return company_of(world)


@pytest.fixture
def busy(company: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """Pages of five entries, and a team with more than two of them."""
    monkeypatch.setattr(team_audit, "PAGE", 5)
    with company.world.app.app_context():
        for number in range(9):
            projects.create_project(company.team(), f"App {number}")
    company.world.person().post(f"{company.path}/settings", name="Shops")
    return company


def test_the_log_says_who_did_what_from_where_newest_first(busy: Company) -> None:
    page = busy.world.person().get(f"{busy.path}/audit").text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(r"ada@example.com renamed the team: Team → Shops 127.0.0.1", text)
    assert re.search(r"command line created a project: App 8 this server", text)
    assert text.index("Team → Shops") < text.index("App 8") < text.index("App 7")


def test_the_log_is_paged(busy: Company) -> None:
    ada = busy.world.person()
    first = ada.get(f"{busy.path}/audit").text
    assert "1–5 of 12" in first
    assert "Newer" not in first
    last = ada.get(f"{busy.path}/audit?page=3").text
    assert "11–12 of 12" in last
    assert "Older" not in last
    assert ada.get(f"{busy.path}/audit?page=4").status_code == 404
    for wrong in ("0", "-1", "x", "9" * 5000):
        assert ada.get(f"{busy.path}/audit?page={wrong}").status_code == 400


def test_the_log_of_one_kind(busy: Company) -> None:
    ada = busy.world.person()
    page = ada.get(f"{busy.path}/audit?kind=team").text
    assert "1–2 of 2" in page
    assert "App" not in re.sub("(?s)<header.*?</header>", "", page)
    assert "Nothing of this kind" in ada.get(f"{busy.path}/audit?kind=token").text
    assert ada.get(f"{busy.path}/audit?kind=%25").status_code == 400


def test_the_log_is_a_file_too(busy: Company) -> None:
    ada = busy.world.person()
    answer = ada.get(f"{busy.path}/audit.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 12
    assert rows[0]["action"] == "team.rename"
    assert rows[0]["target"] == "Team → Shops"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0]["time"])
    one = ada.get(f"{busy.path}/audit.csv?kind=team").text
    assert len(list(csv.DictReader(io.StringIO(one)))) == 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_name_is_a_formula(company: Company, name: str) -> None:
    ada = company.world.person()
    ada.post("/projects/new", name=name, team=company.path.removeprefix("/teams/"))
    rows = list(csv.DictReader(io.StringIO(ada.get(f"{company.path}/audit.csv").text)))
    assert rows[0]["target"] == f"'{name}"
