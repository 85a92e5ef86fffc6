"""The page of what was asked for in vain."""

import html
import re

from flask_performance.server.dashboard import open_view

from .conftest import World


def vain(world: World) -> None:
    world.receive(9, operation="GET /books/<int:number>", path="/books/1")
    world.receive(3, operation="GET ", status=404, path="/bokos/7", consumer="mobile")
    world.receive(5, operation="GET ", status=404, path="/wp-login.php")
    world.receive(2, operation="DELETE ", status=405, path="/books/1")
    world.receive(1, operation="GET ", status=404, path="/<script>alert(1)</script>")


def words(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))


def test_paths_of_people_and_scanners_stand_apart(world: World) -> None:
    vain(world)
    text = world.person().get(f"/projects/{world.mine}/unmatched").text
    assert "<script>alert" not in text
    people, scanners = words(text).split("Scanners")
    assert "GET /bokos/7 404 3" in people
    assert "mobile /books/ <int:number> Perhaps meant, redirect to it" in people
    assert "DELETE /books/1 405 2" in people
    assert "Answers to GET" in people
    assert "GET /wp-login.php 404 5" in scanners
    assert "PHP" in scanners


def test_a_row_leads_to_exactly_its_requests(world: World) -> None:
    vain(world)
    world.receive(4, operation="GET ", status=404, path="/bokos/77")
    ada = world.person()
    text = ada.get(f"/projects/{world.mine}/unmatched?range=1h").text
    [link] = re.findall(r'class="row-link" href="([^"]*whole_path=%2Fbokos%2F7)"', text)
    found = ada.get(html.unescape(link)).text
    assert "<b>3</b> in this time" in found
    assert "/bokos/77" not in re.sub(r"<script.*?</script>", "", found, flags=re.DOTALL)


def test_a_project_without_any_says_so(world: World) -> None:
    world.receive(1)
    text = words(world.person().get(f"/projects/{world.mine}/unmatched").text)
    assert "Every request in this time found its route." in text


def test_it_is_live_and_a_file(world: World) -> None:
    vain(world)
    ada = world.person()
    path = f"/projects/{world.mine}/unmatched"
    view = open_view(world.app, path, "", ada.cookies)
    assert view is not None
    assert "/bokos/7" in view.events()["unmatched"]
    lines = ada.get(f"/projects/{world.mine}/files/unmatched.csv").text.splitlines()
    assert len(lines) == 5
    assert any(line.startswith("GET,/wp-login.php,404,5,") and ",PHP," in line for line in lines)
