"""What is said of paths that no route serves."""

import time

import pytest

from flask_performance.server import hints

ROUTES = hints.routes_of(
    [
        ("GET", "/", 50),
        ("GET", "/books/<int:number>", 40),
        ("PUT", "/books/<int:number>", 4),
        ("GET", "/search", 30),
        ("GET", "/api/v1/books", 20),
        ("GET", "/reports/<name>/", 10),
        ("GET", "/files/<path:name>", 5),
        ("GET", "", 99),
        ("_OTHER", "_OTHER", 99),
    ]
)


@pytest.mark.parametrize(
    ("path", "status", "words", "route"),
    [
        ("/bokos/7", 404, "Perhaps meant, redirect to it", "/books/<int:number>"),
        ("/books/seven", 404, "Perhaps meant, redirect to it", "/books/<int:number>"),
        ("/searhc", 404, "Perhaps meant, redirect to it", "/search"),
        ("/api/books", 404, "Perhaps meant, redirect to it", "/api/v1/books"),
        ("/search/", 404, "The slash at the end is too much: /search", "/search"),
        ("/reports/q1", 308, "Links lack the slash at the end: /reports/q1/", "/reports/<name>/"),
        ("/nowhere", 308, "Links lack the slash at the end: /nowhere/", None),
        ("/books/7", 405, "Answers to GET, PUT", "/books/<int:number>"),
        ("/files/a/b", 405, "Answers to GET", "/files/<path:name>"),
        ("/never", 405, "Answers to other methods only", None),
    ],
)  # fmt: skip
def test_a_hint_says_what_to_do(path: str, status: int, words: str, route: str | None) -> None:
    assert hints.hint(path, status, ROUTES) == hints.Hint(words, route)


@pytest.mark.parametrize("path", ["/favicon.ico", "/x", "/a/b/c/d", "", "/" + "s" * 5000])
def test_what_is_like_nothing_has_no_hint(path: str) -> None:
    assert hints.hint(path, 404, ROUTES) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/wp-login.php", "PHP"),
        ("/blog/wp-admin/", "WordPress"),
        ("/.env", "files that hold secrets"),
        ("/.git/config", "files that hold secrets"),
        ("/PhpMyAdmin/", "database administration"),
        ("/backup.zip", "backups and settings left behind"),
        ("/a/../../etc/passwd", "an attack in the path"),
        ("/favicon.ico", None),
        ("/robots.txt", None),
        ("/books/7", None),
        ("/environment", None),
        ("/search.phpx", None),
    ],
)
def test_scanners_are_told_by_what_they_ask_for(path: str, reason: str | None) -> None:
    assert hints.probe(path, ROUTES) == reason


def test_a_probe_that_the_app_serves_is_none() -> None:
    own = hints.routes_of([("GET", "/old/<name>.php", 1)])
    assert hints.probe("/old/missing.php", own) is None
    assert hints.probe("/.env", own) is not None


def test_many_routes_and_long_paths_take_bounded_time() -> None:
    many = hints.routes_of(("GET", f"/area{n}/<int:id>/things{n}", n) for n in range(10_000))
    evil = hints.routes_of([("GET", "/" + "<path:a>x" * 30 + "<b><c><d><e>!", 1)])
    assert len(many) == hints.MOST_ROUTES
    began = time.process_time()
    for number in range(100):
        hints.hint(f"/area/{number}/thnigs" + "x" * 150, 404, many)
        hints.hint("/" + "x" * 190 + f"{number}", 405, evil)
    assert time.process_time() - began < 5
