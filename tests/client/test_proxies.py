"""HTTP_PROXY and its kin: batches take the way that a company's network has for them."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from flask_performance import PerformanceCollector
from flask_performance.proxies import proxy_for
from flask_performance.transport import HttpTransport, TransportError

from .proxy import ForwardProxy, running_proxy
from .stub import KEY, Collector, running_collector

#: A name that only the proxy knows: whoever asks this machine for it learns nothing.
PLATFORM = "platform.invalid"
PATH = f"/v1/collector/{KEY}"


@pytest.fixture
def proxy(collector: Collector) -> Iterator[ForwardProxy]:
    with running_proxy(collector.port) as running:
        yield running


@pytest.fixture
def certified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A platform's certificate for PLATFORM and localhost, which this process trusts."""
    file = tmp_path / "platform.pem"
    names = f"subjectAltName=DNS:{PLATFORM},DNS:localhost"
    made = ("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    said = ("-subj", f"/CN={PLATFORM}", "-addext", names, "-keyout", file, "-out", "-")
    certificate = subprocess.run(("openssl", *made, *said), check=True, capture_output=True).stdout
    file.write_bytes(file.read_bytes() + certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


def shop(dsn: str) -> tuple[Flask, PerformanceCollector]:
    app = Flask("shop")
    # The way is longer than usual here, and the machine may be slow.
    app.config.update(METRIC_DSN=dsn, METRIC_INTERVAL=0.02, METRIC_TIMEOUT=10)
    app.add_url_rule("/<name>", "page", lambda name: name)
    return app, PerformanceCollector(app)


def visit_and_stop(dsn: str) -> None:
    """Three requests in two batches."""
    app, pc = shop(dsn)
    for names in (("a", "b"), ("c",)):
        for name in names:
            app.test_client().get(f"/{name}").close()
        assert pc.flush(app, 20)
    pc.stop(app, 20)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{port}", "127.0.0.1:{port}"])
def test_http_goes_through_the_proxy(
    collector: Collector,
    proxy: ForwardProxy,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    form: str,
) -> None:
    monkeypatch.setenv(variable, form.format(port=proxy.port))
    visit_and_stop(f"http://{PLATFORM}:8000{PATH}")
    assert [request.path for request in collector.requests] == ["/a", "/b", "/c"]
    assert set(proxy.asked) == {f"POST http://{PLATFORM}:8000{PATH}"}
    assert proxy.passed_on[0]["Host"] == f"{PLATFORM}:8000"
    assert {received.path for received in collector.received} == {PATH}


def test_https_goes_through_a_tunnel_that_is_kept(
    certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_collector(tls=certified) as collector, running_proxy(collector.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        visit_and_stop(f"https://{PLATFORM}{PATH}")
    assert [request.path for request in collector.requests] == ["/a", "/b", "/c"]
    assert proxy.asked == [f"CONNECT {PLATFORM}:443"]
    assert len(collector.received) > 1
    assert collector.received[0].headers["Host"] == PLATFORM
    assert "Proxy-Authorization" not in collector.received[0].headers


def test_https_without_a_proxy(certified: ssl.SSLContext) -> None:
    with running_collector(tls=certified) as collector:
        visit_and_stop(f"https://localhost:{collector.port}{PATH}")
    assert [request.path for request in collector.requests] == ["/a", "/b", "/c"]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with running_collector(tls=certified) as collector:
        transport = HttpTransport(f"https://localhost:{collector.port}{PATH}", 10, "test")
        with pytest.raises(TransportError, match="certificate verify failed"):
            transport.send(b"x")
    assert collector.received == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_hears_name_and_password_and_the_platform_does_not(
    certified: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    tls = certified if scheme == "https" else None
    wants = "Basic YWRhOnAgdzpk"  # base64 of "ada:p w:d"
    with running_collector(tls=tls) as collector, running_proxy(collector.port, wants) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://ada:p%20w:d@127.0.0.1:{proxy.port}")
        visit_and_stop(f"{scheme}://{PLATFORM}{PATH}")
    assert [request.path for request in collector.requests] == ["/a", "/b", "/c"]
    assert not any("Proxy-Authorization" in received.headers for received in collector.received)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [("http", "answers 407"), ("https", "Tunnel connection failed: 407")],
)
def test_a_proxy_that_refuses_is_named_in_the_log(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    scheme: str,
    words: str,
) -> None:
    with running_proxy(collector.port, "Basic other") as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://ada:secret@127.0.0.1:{proxy.port}")
        app, pc = shop(f"{scheme}://{PLATFORM}{PATH}")
        app.test_client().get("/a").close()
        collector.wait_for(lambda: caplog.messages)
        pc.stop(app)
    (line,) = caplog.messages
    assert f"the platform at {PLATFORM} through the proxy at 127.0.0.1:{proxy.port}" in line
    assert words in line
    assert "secret" not in line
    assert collector.received == []


@pytest.mark.parametrize(
    ("host", "environ"),
    [
        ("127.0.0.1", {"HTTP_PROXY": "http://proxy.invalid:1"}),
        ("localhost", {"HTTP_PROXY": "http://proxy.invalid:1"}),
        ("[::1]", {"HTTP_PROXY": "http://proxy.invalid:1"}),
        (PLATFORM, {"HTTP_PROXY": "http://proxy.invalid:1", "NO_PROXY": "*"}),
        (PLATFORM, {"HTTP_PROXY": "http://proxy.invalid:1", "no_proxy": f"a.test, {PLATFORM}"}),
        (PLATFORM, {"HTTP_PROXY": "http://proxy.invalid:1", "NO_PROXY": ".invalid"}),
        (PLATFORM, {"HTTP_PROXY": "http://proxy.invalid:1", "NO_PROXY": f"{PLATFORM}:8000"}),
        (PLATFORM, {"HTTP_PROXY": ""}),
        (PLATFORM, {"HTTPS_PROXY": "http://proxy.invalid:1"}),  # for the other scheme
        (PLATFORM, {"NO_PROXY": "a.test"}),
        # A CGI program's HTTP_PROXY may be what a client sent as the header "Proxy".
        (PLATFORM, {"HTTP_PROXY": "http://proxy.invalid:1", "REQUEST_METHOD": "GET"}),
        (PLATFORM, {}),
    ],
)
def test_the_way_is_direct(
    monkeypatch: pytest.MonkeyPatch, host: str, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("http", host.strip("[]"), 8000) is None


def test_a_host_beside_the_exceptions_is_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("NO_PROXY", f"other.invalid,{PLATFORM}:9000")
    proxy = proxy_for("http", PLATFORM, 8000)
    assert proxy is not None
    assert (proxy.host, proxy.port, proxy.headers) == ("proxy.invalid", 80, {})


@pytest.mark.parametrize(
    "url",
    ["socks5://127.0.0.1:1080", "https://127.0.0.1:3128", "http://127.0.0.1:port", "http://:3128"],
)
def test_a_proxy_of_another_kind_is_neither_used_nor_passed_by(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", url)
    transport = HttpTransport(f"http://{PLATFORM}{PATH}", 1, "test")
    with pytest.raises(TransportError, match=r"HTTP_PROXY .* has to be http://host:port"):
        transport.send(b"x")
    assert collector.received == []
