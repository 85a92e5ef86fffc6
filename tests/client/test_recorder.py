"""Every kind of request is recorded once, with the right route, status, duration and outcome."""

import asyncio
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask, Response, abort, g, send_file, stream_with_context
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import EnvironBuilder, run_wsgi_app

from .conftest import Install, Installed


class TickError(RuntimeError):
    """Raised by views in these tests."""


def shop() -> Flask:  # noqa: C901  a list of routes
    """An app with the kinds of route that real apps have."""
    app = Flask("shop")

    @app.before_request
    def gate() -> None:
        if "forbidden" in flask.request.args:
            abort(401)

    @app.get("/item/<int:number>")
    def item(number: int) -> dict[str, int]:
        return {"number": number}

    @app.get("/folder/")
    def folder() -> str:
        return "here"

    @app.get("/boom")
    def boom() -> str:
        raise TickError

    @app.get("/headers")
    def headers() -> tuple[str, dict[str, str]]:
        return "body", {"X-Extra": "1"}

    @app.get("/one")
    @app.get("/two")
    def both() -> str:
        return "twice"

    @app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[bytes]:
            for _ in range(3):
                time.sleep(0.02)
                yield b"x" * 10

        return Response(parts())

    @app.get("/broken-stream")
    def broken_stream() -> Response:
        def parts() -> Iterator[bytes]:
            yield b"x"
            raise TickError

        return Response(stream_with_context(parts()))

    class Thing(MethodView):
        def put(self, name: str) -> str:
            return name

    app.add_url_rule("/thing/<name>", view_func=Thing.as_view("thing"))
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    outer = Blueprint("outer", __name__, url_prefix="/outer")

    @inner.get("/<path:rest>")
    def deep(rest: str) -> str:
        return rest

    outer.register_blueprint(inner)
    app.register_blueprint(outer, url_prefix="/v2")
    return app


#: what; method; URL; status; route; endpoint
CASES = [
    ("matched", "GET", "/item/7", 200, "/item/<int:number>", "item"),
    ("query string left out", "GET", "/item/7?secret=1", 200, "/item/<int:number>", "item"),
    ("unmatched", "GET", "/nowhere", 404, "", None),
    ("method not allowed", "POST", "/item/7", 405, "", None),
    ("slash redirect", "GET", "/folder", 308, "", None),
    ("HEAD", "HEAD", "/item/7", 200, "/item/<int:number>", "item"),
    ("automatic OPTIONS", "OPTIONS", "/item/7", 200, "/item/<int:number>", "item"),
    ("unhandled exception", "GET", "/boom", 500, "/boom", "boom"),
    ("abort in before_request", "GET", "/item/7?forbidden", 401, "/item/<int:number>", "item"),
    ("body and headers", "GET", "/headers", 200, "/headers", "headers"),
    ("first of two rules", "GET", "/one", 200, "/one", "both"),
    ("second of two rules", "GET", "/two", 200, "/two", "both"),
    ("class-based view", "PUT", "/thing/a", 200, "/thing/<name>", "thing"),
    ("nested blueprint", "GET", "/v2/inner/a/b", 200, "/v2/inner/<path:rest>",
     "outer.inner.deep"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "url", "status", "route", "endpoint"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_each_kind_of_request_is_recorded_once_and_rightly(
    install: Install, method: str, url: str, status: int, route: str, endpoint: str | None
) -> None:
    installed = install(shop())
    before = time.time()
    response = installed.app.test_client().open(url, method=method)
    assert response.status_code == status
    recorded = installed.only()
    assert (recorded.method, recorded.status, recorded.outcome) == (method, status, "completed")
    assert (recorded.route, recorded.endpoint) == (route, endpoint)
    assert recorded.path == url.partition("?")[0]
    assert before - 0.01 <= recorded.start_us / 1e6 <= time.time()
    assert 0 < recorded.duration_us < 1_000_000
    assert recorded.response_bytes == len(response.data)


def serve(app: Flask, path: str, **environ: Any) -> Iterator[bytes]:
    """Call the app as a server does; the body comes unread."""
    method = environ.pop("REQUEST_METHOD", "GET")
    built = EnvironBuilder(path, method=method, environ_overrides=environ).get_environ()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return lambda _: None

    return app(built, start_response)  # type: ignore[return-value]


def read(body: Any) -> bytes:
    try:
        return b"".join(body)
    finally:
        body.close()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_in_memory_reaches_a_server_as_it_is(install: Install, method: str) -> None:
    plain, installed = shop(), install(shop())
    expected: Any = serve(plain, "/item/7", REQUEST_METHOD=method)
    body: Any = serve(installed.app, "/item/7", REQUEST_METHOD=method)
    if method == "GET":
        assert type(body) is type(expected)
    content = read(expected)
    assert read(body) == content
    body.close()  # once more, as careless middleware does
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (200, "completed")
    assert (recorded.method, recorded.route) == (method, "/item/<int:number>")
    assert recorded.response_bytes == len(content)


def test_a_client_that_leaves_before_a_large_body_in_memory(install: Install) -> None:
    app = shop()
    app.add_url_rule("/large", "large", lambda: b"x" * 100_000)
    installed = install(app)
    body: Any = serve(installed.app, "/large")
    iterator = iter(body)
    next(iterator)  # the write fails: the server does not ask for more, and closes
    body.close()
    assert installed.only().outcome == "disconnected"


def test_a_head_request_whose_body_the_server_does_not_read(install: Install) -> None:
    installed = install(shop())
    body: Any = serve(installed.app, "/item/7", REQUEST_METHOD="HEAD")
    body.close()
    assert installed.only().outcome == "completed"


def test_a_list_of_several_texts_is_counted_in_bytes(install: Install) -> None:
    app = shop()
    app.add_url_rule("/texts", "texts", lambda: Response(["grün", "rot"]))
    app.add_url_rule("/text", "text", lambda: Response(["grün"]))
    installed = install(app)
    for path, length in (("/texts", 8), ("/text", 5)):
        body: Any = serve(app, path)
        assert len(read(body)) == length
    assert [recorded.response_bytes for recorded in installed.requests] == [8, 5]


def test_a_close_callback_that_raises_is_the_servers_to_see(install: Install) -> None:
    app = shop()

    @app.get("/callback")
    def callback() -> Response:
        response = Response("text")
        response.call_on_close(fail)
        return response

    def fail() -> None:
        raise TickError

    installed = install(app)
    body: Any = serve(installed.app, "/callback")
    with pytest.raises(TickError):
        read(body)
    del body
    assert installed.only().outcome == "completed"


def test_a_stream_lasts_to_the_end_of_its_body(install: Install) -> None:
    installed = install(shop())
    assert read(serve(installed.app, "/stream")) == b"x" * 30
    recorded = installed.only()
    assert recorded.outcome == "completed"
    assert 60_000 <= recorded.duration_us < 1_000_000
    assert recorded.first_byte_us is not None
    assert 20_000 <= recorded.first_byte_us < recorded.duration_us - 39_000
    assert recorded.response_bytes == 30


def test_a_client_that_leaves_is_disconnected(install: Install) -> None:
    installed = install(shop())
    body: Any = serve(installed.app, "/stream")
    assert next(iter(body)) == b"x" * 10
    body.close()
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (200, "disconnected")
    assert recorded.response_bytes == 10


def test_a_client_that_leaves_before_the_first_byte_is_disconnected(install: Install) -> None:
    installed = install(shop())
    body: Any = serve(installed.app, "/stream")
    body.close()
    recorded = installed.only()
    assert (recorded.outcome, recorded.first_byte_us) == ("disconnected", None)


def test_a_stream_that_raises_has_failed(install: Install) -> None:
    installed = install(shop())
    with pytest.raises(TickError):
        read(serve(installed.app, "/broken-stream"))
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (200, "failed")
    assert recorded.exception == f"{__name__}.TickError"
    assert (recorded.route, recorded.response_bytes) == ("/broken-stream", 1)


def test_a_body_that_nobody_closes_is_recorded_when_it_is_dropped(install: Install) -> None:
    installed = install(shop())
    body = iter(serve(installed.app, "/stream"))
    assert next(body) != b""
    assert installed.requests == []
    del body
    assert installed.only().outcome == "disconnected"


def test_a_stream_ends_with_its_body_however_late_the_server_closes_it(install: Install) -> None:
    """Werkzeug's waits 10 ms first; a process that ends meanwhile must have recorded it."""
    installed = install(shop())
    body: Any = serve(installed.app, "/stream")
    assert list(body) != []
    assert installed.only().outcome == "completed"
    body.close()
    assert len(installed.requests) == 1


def test_an_unhandled_exception_leaves_its_type(install: Install) -> None:
    installed = install(shop())
    installed.app.test_client().get("/boom")
    assert installed.only().exception == f"{__name__}.TickError"


def test_an_exception_that_flask_lets_through_is_a_failed_500_with_its_route(
    install: Install,
) -> None:
    installed = install(shop())
    installed.app.testing = True
    with pytest.raises(TickError):
        installed.app.test_client().get("/boom")
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (500, "failed")
    assert (recorded.route, recorded.endpoint) == ("/boom", "boom")
    assert recorded.exception == f"{__name__}.TickError"


def test_an_exit_inside_a_view_is_recorded(install: Install) -> None:
    app = shop()

    @app.get("/leave")
    def leave() -> str:
        raise SystemExit(3)

    installed = install(app)
    with pytest.raises(SystemExit):
        installed.app.test_client().get("/leave")
    recorded = installed.only()
    assert (recorded.route, recorded.exception) == ("/leave", "SystemExit")
    assert (recorded.status, recorded.outcome) == (500, "failed")


@pytest.mark.parametrize("where", ["after_request", "teardown_request", "errorhandler"])
def test_errors_around_the_view_are_recorded(install: Install, where: str) -> None:
    app = shop()
    if where == "errorhandler":

        @app.errorhandler(TickError)
        def handler(error: TickError) -> str:
            raise KeyError("in the handler")
    else:

        def broken(value: Any) -> Any:
            raise KeyError(where)

        getattr(app, where)(broken)
    installed = install(app)
    url = "/boom" if where == "errorhandler" else "/item/7"
    try:
        status = installed.app.test_client().get(url).status_code
    except KeyError:  # teardown errors reach the server, which answers 500
        status = 500
    recorded = installed.only()
    assert (recorded.status, status) == (500, 500)
    assert recorded.route == ("/boom" if where == "errorhandler" else "/item/<int:number>")
    assert recorded.exception == "KeyError"


def test_handled_exceptions_count_with_the_status_they_got(install: Install) -> None:
    app = shop()

    @app.errorhandler(TickError)
    def handler(error: TickError) -> tuple[str, int]:
        return "teapot", 418

    installed = install(app)
    assert installed.app.test_client().get("/boom").status_code == 418
    assert installed.only().status == 418


def test_async_views_and_callbacks(install: Install) -> None:
    app = shop()

    @app.before_request
    async def before() -> None:
        await asyncio.sleep(0)

    @app.get("/async/<name>")
    async def asynchronous(name: str) -> str:
        await asyncio.sleep(0.02)
        return name

    @app.get("/async-boom")
    async def asynchronous_boom() -> str:
        await asyncio.sleep(0)
        raise TickError

    class Slow(View):
        async def dispatch_request(self) -> Response:  # type: ignore[override]
            async def late() -> str:
                return "late"

            return Response([await late()], status=202)

    app.add_url_rule("/async-class", view_func=Slow.as_view("slow"))
    installed = install(app)
    client = app.test_client()
    for path in ("/async/ada", "/async-boom", "/async-class"):
        client.get(path)
    ada, boom, slow = installed.requests
    assert (ada.route, ada.endpoint, ada.status) == ("/async/<name>", "asynchronous", 200)
    assert (ada.outcome, ada.response_bytes) == ("completed", 3)
    assert ada.duration_us >= 20_000
    assert (boom.route, boom.status, boom.exception) == (
        "/async-boom",
        500,
        f"{__name__}.TickError",
    )
    assert (slow.route, slow.status, slow.response_bytes) == ("/async-class", 202, 4)


class FileWrapper:
    """A server's own, as gunicorn's: what it is given back must be the very object."""

    def __init__(self, file: Any, block_size: int = 8192) -> None:
        self.file = file
        self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.file.read(8192), b"")


def test_a_file_wrapper_reaches_the_server_untouched(install: Install, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(b"y" * 100_000)
    app = shop()

    @app.get("/file")
    def file() -> Response:
        return send_file(tmp_path / "file.bin")

    installed = install(app)
    body: Any = serve(installed.app, "/file", **{"wsgi.file_wrapper": FileWrapper})
    assert type(body) is FileWrapper
    time.sleep(0.02)
    assert len(read(body)) == 100_000
    assert installed.requests == []
    del body
    recorded = installed.only()
    assert (recorded.route, recorded.status, recorded.outcome) == ("/file", 200, "completed")
    assert recorded.response_bytes == 100_000
    assert recorded.duration_us >= 20_000


@pytest.mark.parametrize(
    ("headers", "status", "length"),
    [({"Range": "bytes=0-9"}, 206, 10), ({"If-None-Match": '"tag"'}, 304, 0), ({}, 200, 26)],
    ids=["range", "not modified", "whole"],
)
def test_conditional_files(
    install: Install, headers: dict[str, str], status: int, length: int
) -> None:
    app = shop()

    @app.get("/file")
    def file() -> Response:
        content = BytesIO(b"abcdefghijklmnopqrstuvwxyz")
        return send_file(content, download_name="a.txt", etag="tag", conditional=True)

    installed = install(app)
    response = installed.app.test_client().get("/file", headers=headers)
    assert (response.status_code, len(response.data)) == (status, length)
    response.close()
    recorded = installed.only()
    assert (recorded.status, recorded.response_bytes) == (status, length)
    assert recorded.outcome == "completed"


def test_static_files(install: Install, tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("body {}")
    installed = install(Flask("shop", static_folder=tmp_path, static_url_path="/static"))
    response = installed.app.test_client().get("/static/site.css")
    assert response.data == b"body {}"
    response.close()
    recorded = installed.only()
    assert (recorded.route, recorded.endpoint) == ("/static/<path:filename>", "static")


def test_apps_under_a_dispatcher_keep_their_own_routes(install: Install) -> None:
    first, second = install(shop()), install(shop())
    mounted = DispatcherMiddleware(first.app, {"/second": second.app})
    run_wsgi_app(mounted, EnvironBuilder("/item/1").get_environ(), buffered=True)
    run_wsgi_app(mounted, EnvironBuilder("/second/item/2").get_environ(), buffered=True)
    assert (first.only().route, first.only().path) == ("/item/<int:number>", "/item/1")
    assert (second.only().route, second.only().path) == ("/item/<int:number>", "/second/item/2")


def test_an_app_mounted_inside_is_recorded_by_the_outer_one(install: Install) -> None:
    outer = shop()
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/in": shop().wsgi_app})  # type: ignore[method-assign]
    installed = install(outer)
    installed.app.test_client().get("/in/item/3")
    recorded = installed.only()
    assert (recorded.route, recorded.path) == ("/item/<int:number>", "/in/item/3")


def test_a_foreign_wsgi_app_inside_is_recorded_without_a_route(install: Install) -> None:
    def foreign(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("203 Odd", [("Content-Type", "text/plain")])
        return [b"odd", b"ly"]

    app = shop()
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/foreign": foreign})  # type: ignore[method-assign]
    installed = install(app)
    assert installed.app.test_client().get("/foreign").data == b"oddly"
    recorded = installed.only()
    assert (recorded.status, recorded.route, recorded.path) == (203, "", "/foreign")
    assert recorded.response_bytes == 5


def test_code_that_calls_wsgi_app_directly_is_recorded(install: Install) -> None:
    installed = install(shop())
    environ = EnvironBuilder("/item/5").get_environ()
    run_wsgi_app(installed.app.wsgi_app, environ, buffered=True)
    assert installed.only().route == "/item/<int:number>"


@pytest.mark.parametrize("script", [None, "left out"])
def test_a_server_that_leaves_out_what_is_empty(install: Install, script: str | None) -> None:
    installed = install(shop())
    environ = EnvironBuilder("/item/5").get_environ()
    if script is None:
        environ["SCRIPT_NAME"] = None
    else:
        del environ["SCRIPT_NAME"]
    run_wsgi_app(installed.app.wsgi_app, environ, buffered=True)
    recorded = installed.only()
    assert (recorded.status, recorded.path) == (200, "/item/5")


def test_two_apps_in_one_process_do_not_mix(install: Install) -> None:
    first, second = install(shop()), install(shop())
    first.app.test_client().get("/item/1")
    second.app.test_client().get("/one")
    assert first.only().path == "/item/1"
    assert second.only().path == "/one"


def test_host_and_subdomain_matching(install: Install) -> None:
    app = Flask("hosts", subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.example"

    @app.get("/", subdomain="<tenant>")
    def tenant_page(tenant: str) -> str:
        return tenant

    installed = install(app)
    client = installed.app.test_client()
    assert client.get("/", base_url="http://acme.shop.example").data == b"acme"
    recorded = installed.only()
    assert (recorded.route, recorded.endpoint) == ("/", "tenant_page")


def test_a_websocket_that_takes_the_socket_over(install: Install) -> None:
    """flask-sock on gunicorn: no start_response, StopIteration at the end."""

    class Taken(Response):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            raise StopIteration

    app = Flask("chat")

    @app.get("/chat/<room>")
    def chat(room: str) -> Response:
        time.sleep(0.02)
        return Taken()

    installed = install(app)
    with pytest.raises(StopIteration):
        serve(installed.app, "/chat/a", HTTP_UPGRADE="websocket")
    recorded = installed.only()
    assert (recorded.status, recorded.outcome) == (101, "completed")
    assert (recorded.route, recorded.path) == ("/chat/<room>", "/chat/a")
    assert recorded.duration_us >= 20_000


def test_a_websocket_that_returns_nothing(install: Install) -> None:
    class Taken(Response):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return []

    app = Flask("chat")
    app.add_url_rule("/chat", view_func=Taken, endpoint="chat")
    installed = install(app)
    assert list(serve(installed.app, "/chat", HTTP_UPGRADE="websocket")) == []
    recorded = installed.only()
    assert (recorded.status, recorded.route, recorded.outcome) == (101, "/chat", "completed")


def test_responses_are_byte_for_byte_what_they_were(install: Install) -> None:
    plain, installed = shop(), install(shop())
    for _, method, url, *_ in [*CASES, ("", "GET", "/stream")]:
        expected = plain.test_client().open(url, method=method)
        got = installed.app.test_client().open(url, method=method)
        assert got.status == expected.status
        assert got.headers.to_wsgi_list() == expected.headers.to_wsgi_list()
        assert got.data == expected.data


def test_callbacks_of_the_response_run_once_and_at_the_end(install: Install) -> None:
    app = shop()
    order: list[str] = []

    @app.get("/callbacks")
    def callbacks() -> Response:
        response = Response(iter([b"a", b"b"]))
        response.call_on_close(lambda: order.append("closed"))
        return response

    installed = install(app)
    body: Any = serve(installed.app, "/callbacks")
    order.extend(chunk.decode() for chunk in body)
    assert order == ["a", "b"]
    body.close()
    assert order == ["a", "b", "closed"]
    assert installed.only().outcome == "completed"


def test_the_context_of_a_test_client_is_kept_as_without_us(install: Install) -> None:
    app = shop()

    @app.get("/g")
    def remember() -> str:
        g.word = "kept"
        return "ok"

    installed = install(app)
    with installed.app.test_client() as client:
        client.get("/g")
        assert g.word == "kept"
    assert installed.only().route == "/g"


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("t={s:.3f}", 240_000, 2_000_000),
        ("{s:.3f}", 240_000, 2_000_000),
        ("{ms}", 240_000, 2_000_000),
        ("{us}", 240_000, 2_000_000),
        ("t={ns}", 240_000, 2_000_000),
    ],
)
def test_queue_time_in_every_unit(install: Install, header: str, low: int, high: int) -> None:
    installed = install(shop())
    since = time.time() - 0.25
    value = header.format(s=since, ms=int(since * 1e3), us=int(since * 1e6), ns=int(since * 1e9))
    installed.app.test_client().get("/item/1", headers={"X-Request-Start": value})
    waited = installed.only().queue_us
    assert waited is not None
    assert low <= waited < high


@pytest.mark.parametrize("header", ["soon", "t=", "-5", "nan", "inf", "99999999999.5", "0"])
def test_queue_times_that_cannot_be_are_ignored(install: Install, header: str) -> None:
    installed = install(shop())
    installed.app.test_client().get("/item/1", headers={"X-Queue-Start": header})
    assert installed.only().queue_us is None


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
         "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e473Z-00f067aa0ba902b7-01", None),
        ("nonsense", None),
        ("x" * 60, None),
    ],
)  # fmt: skip
def test_trace_ids(install: Install, header: str, trace: str | None) -> None:
    installed = install(shop())
    installed.app.test_client().get("/item/1", headers={"traceparent": header})
    assert installed.only().trace_id == trace


def test_request_bytes(install: Install) -> None:
    installed = install(shop())
    installed.app.test_client().put("/thing/a", data=b"12345")
    assert installed.only().request_bytes == 5


def test_long_and_foreign_paths(install: Install) -> None:
    installed = install(shop())
    client = installed.app.test_client()
    client.get("/" + "a" * 5000)
    client.get("/zürich/✓")
    long, foreign = installed.requests
    assert len(long.path) == 512
    assert foreign.path == "/zürich/✓"


def test_cpu_time_is_measured_when_asked_for(install: Install) -> None:
    app = shop()
    app.config["METRIC_CPU"] = 1

    @app.get("/busy")
    def busy() -> str:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass
        time.sleep(0.05)
        return "done"

    installed = install(app)
    installed.app.test_client().get("/busy")
    recorded = installed.only()
    assert recorded.cpu_us is not None
    assert 20_000 <= recorded.cpu_us <= recorded.duration_us - 40_000


@pytest.mark.parametrize(("a_second", "measured"), [(0, False), (10, True)])
def test_cpu_time_is_measured_of_a_few_requests_a_second(
    install: Install, a_second: int, measured: bool
) -> None:
    app = shop()
    app.config["METRIC_CPU"] = a_second
    installed: Installed = install(app)
    client = installed.app.test_client()
    began = time.monotonic()
    for _ in range(300):
        client.get("/one")
    ticks = (time.monotonic() - began) / 0.1 + 2
    with_cpu = sum(recorded.cpu_us is not None for recorded in installed.requests)
    assert (with_cpu > 0) is measured
    assert with_cpu <= ticks
