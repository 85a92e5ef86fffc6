"""What WSGI allows and few do: odd servers, odd middleware, odd bodies. Each is recorded once."""

import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask import Flask, Response, got_request_exception
from starlette.exceptions import HTTPException
from werkzeug.debug import DebuggedApplication
from werkzeug.test import EnvironBuilder, run_wsgi_app

from .conftest import Install


def shop() -> Flask:
    app = Flask("shop")
    app.add_url_rule("/item/<int:number>", "item", lambda number: str(number))
    app.add_url_rule("/stream", "stream", lambda: Response(iter([b"a", b"b"])))
    return app


class Answer:
    """A server's start_response, and what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> Any:
        self.told.append(arguments)
        return lambda _: None


def call(app: Any, environ: dict[str, Any]) -> Any:
    return app.wsgi_app(environ, Answer())


def environ_of(path: str, **more: Any) -> dict[str, Any]:
    return EnvironBuilder(path, environ_overrides=more).get_environ()


def test_a_head_request_whose_stream_the_server_does_not_read(install: Install) -> None:
    installed = install(shop())
    call(installed.app, environ_of("/stream", REQUEST_METHOD="HEAD")).close()
    recorded = installed.only()
    assert (recorded.method, recorded.outcome, recorded.response_bytes) == ("HEAD", "completed", 0)


def test_a_server_that_leaves_out_what_is_empty(install: Install) -> None:
    installed = install(shop())
    for missing in ("SCRIPT_NAME", "PATH_INFO"):
        environ = environ_of("/item/7", SCRIPT_NAME="/mounted")
        del environ[missing]
        body = call(installed.app, environ)
        assert b"".join(body)
        body.close()
    assert [recorded.path for recorded in installed.requests] == ["/item/7", "/mounted"]


def foreign(body: Iterable[bytes], status: str = "200 OK") -> Any:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(status, [])
        return body

    return application


def test_a_body_that_cannot_be_closed(install: Install) -> None:
    app = shop()
    app.wsgi_app = foreign(iter([b"odd", b"ly"]))  # type: ignore[method-assign]
    installed = install(app)
    body = call(app, environ_of("/"))
    assert list(body) == [b"odd", b"ly"]
    body.close()
    assert (installed.only().response_bytes, installed.only().outcome) == (5, "completed")


def test_a_status_that_is_none(install: Install) -> None:
    app = shop()
    app.wsgi_app = foreign([b"odd"], "odd")  # type: ignore[method-assign]
    installed = install(app)
    assert call(app, environ_of("/")) == [b"odd"]
    assert installed.only().status == 500


def test_a_second_answer_with_the_error_that_made_it_necessary(install: Install) -> None:
    told = Answer()

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise LookupError  # noqa: TRY301  the point of it
        except LookupError:
            start_response("503 Busy", [], sys.exc_info())
        return [b"busy"]

    app = shop()
    app.wsgi_app = application  # type: ignore[method-assign]
    installed = install(app)
    assert app.wsgi_app(environ_of("/"), told) == [b"busy"]
    assert [len(arguments) for arguments in told.told] == [2, 3]
    assert installed.only().status == 503


def test_middleware_inside_that_raises_before_flask_is_asked(install: Install) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise LookupError

    app = shop()
    app.wsgi_app = application  # type: ignore[method-assign]
    installed = install(app)
    with pytest.raises(LookupError):
        call(app, environ_of("/item/7"))
    recorded = installed.only()
    assert (recorded.status, recorded.outcome, recorded.route) == (500, "failed", "")
    assert (recorded.exception, recorded.path) == ("LookupError", "/item/7")


class Slotted:
    """A server's file wrapper that takes no weak references, as those written in C."""

    __slots__ = ("_file",)

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(8192), b"")


def test_a_file_wrapper_that_takes_no_weak_references(install: Install) -> None:
    app = shop()

    @app.get("/file")
    def file() -> Response:
        from flask import send_file

        return send_file(BytesIO(b"z" * 100), download_name="a.txt")

    installed = install(app)
    body = call(app, environ_of("/file", **{"wsgi.file_wrapper": Slotted}))
    assert type(body) is Slotted
    recorded = installed.only()
    assert (recorded.route, recorded.status, recorded.outcome) == ("/file", 200, "completed")


def test_a_context_that_somebody_else_keeps_as_well(install: Install) -> None:
    """Werkzeug's debugger keeps contexts by the same hook as we, for a WebSocket's route."""
    kept: list[object] = []
    installed = install(shop())
    environ = environ_of("/item/7", HTTP_UPGRADE="websocket")
    environ["werkzeug.debug.preserve_context"] = kept.append
    body = call(installed.app, environ)
    assert b"".join(body) == b"7"
    body.close()
    assert kept
    assert installed.only().route == "/item/<int:number>"


@pytest.mark.parametrize(
    ("asgi", "status", "outcome", "exception"),
    [
        (True, 404, "completed", None),
        (False, 500, "failed", "starlette.exceptions.HTTPException"),
    ],
)
def test_an_answer_that_leaves_the_app_as_an_exception(
    install: Install, asgi: bool, status: int, outcome: str, exception: str | None
) -> None:
    """Connexion 3 has its ASGI middleware make the response; under WSGI nobody would."""
    app = shop()
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.get("/gone/<name>")
    def gone(name: str) -> str:
        raise HTTPException(404, f"no {name}")

    installed = install(app)
    with pytest.raises(HTTPException):
        call(app, environ_of("/gone/a", **({"asgi.scope": {}} if asgi else {})))
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (status, outcome)
    assert (recorded.exception, recorded.route) == (exception, "/gone/<name>")


def test_a_signal_about_an_ordinary_answer_is_no_exception(install: Install) -> None:
    """Connexion 2 sends Flask's signal of unhandled exceptions for each of its own answers."""
    app = shop()

    @app.errorhandler(404)
    def not_found(error: Exception) -> tuple[str, int]:
        got_request_exception.send(app, exception=error)
        return "not here", 404

    installed = install(app)
    app.test_client().get("/nowhere")
    recorded = installed.only()
    assert (recorded.status, recorded.exception) == (404, None)


def test_an_app_that_connexion_hides_is_told(
    install: Install, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = shop()
    monkeypatch.setitem(sys.modules, "connexion", object())  # loaded for another app
    install(app)
    assert caplog.messages == []
    hidden = shop()
    provider = type("Provider", (type(hidden.json),), {"__module__": "connexion.frameworks.flask"})
    hidden.json = provider(hidden)
    hidden.register_error_handler(LookupError, lambda _: "none")
    install(hidden)
    assert "sees no request of 'shop'" in caplog.text


def test_host_matching(install: Install) -> None:
    app = Flask("hosts", host_matching=True, static_folder=None)
    app.add_url_rule("/", "shop", lambda: "shop", host="shop.example")
    app.add_url_rule("/", "tenant", lambda name: name, host="<name>.shop.example")
    installed = install(app)
    client = app.test_client()
    for host in ("shop.example", "acme.shop.example", "other.example"):
        client.get("/", base_url=f"http://{host}")
    assert [(one.endpoint, one.route, one.status) for one in installed.requests] == [
        ("shop", "/", 200),
        ("tenant", "/", 200),
        (None, "", 404),
    ]


def test_under_werkzeugs_debugger(install: Install) -> None:
    app = shop()
    app.config["PROPAGATE_EXCEPTIONS"] = True  # as `flask run --debug` does

    @app.get("/boom/<name>")
    def boom(name: str) -> str:
        raise LookupError(name)

    installed = install(app)
    debugged = DebuggedApplication(app, evalex=True)
    for path in ("/item/7", "/boom/a"):
        _, status, _ = run_wsgi_app(debugged, environ_of(path), buffered=True)
        assert status.startswith("500" if "boom" in path else "200")
    well, broken = installed.requests
    assert (well.route, well.status, well.outcome) == ("/item/<int:number>", 200, "completed")
    assert (broken.route, broken.status, broken.outcome) == ("/boom/<name>", 500, "failed")
    assert broken.exception == "LookupError"
