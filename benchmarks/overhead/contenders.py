"""One adapter a contender: builds the app, installs itself, returns how to send what waits.

Each runs in a fresh process with a stub collector on `port`. Imports stand inside, so that memory
and start-up belong to the contender.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns as clock
from typing import Any

from flask import Flask

Flush = Callable[[], object]
Adapter = Callable[[Flask, int], Flush]


@dataclass(frozen=True)
class Contender:
    name: str
    section: str  # of requirements.txt
    install: Adapter
    #: A pattern counted in what the stub received: one hit a recorded request.
    marker: bytes = b""
    #: Share of the usual number of requests, for the very slow.
    scale: float = 1.0


def bare(app: Flask, port: int) -> Flush:
    return lambda: None


def floor(app: Flask, port: int) -> Flush:
    """A WSGI wrapper with five fields, written plainly."""
    from werkzeug.wsgi import ClosingIterator

    log: deque[tuple[Any, ...]] = deque(maxlen=100_000)
    inner: Any = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        began, status = clock(), None

        def started(line: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal status
            status = line
            return start_response(line, headers, exc_info)

        def done() -> None:
            log.append((began, clock(), environ["REQUEST_METHOD"], environ["PATH_INFO"], status))

        return ClosingIterator(inner(environ, started), done)

    app.wsgi_app = wsgi_app  # type: ignore[method-assign]
    return log.clear


def ours(app: Flask, port: int) -> Flush:
    from flask_performance import PerformanceCollector

    app.config["METRIC_DSN"] = f"http://127.0.0.1:{port}/v1/collector/{'a' * 32}"
    collector = PerformanceCollector(app)
    return lambda: collector.flush(app, 60)


def of_2019(app: Flask, port: int) -> Flush:
    from flask_performance import PerformanceCollector

    app.config["METRIC_DSN"] = f"http://127.0.0.1:{port}/v1/collector/{'a' * 32}"
    PerformanceCollector(app)
    return lambda: None


def prometheus(app: Flask, port: int) -> Flush:
    from prometheus_flask_exporter import PrometheusMetrics

    PrometheusMetrics(app)
    return lambda: app.test_client().get("/metrics").close()


def opentelemetry(app: Flask, port: int) -> Flush:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument_app(app)
    return lambda: provider.force_flush(60_000)


def sentry(app: Flask, port: int) -> Flush:
    import sentry_sdk

    sentry_sdk.init(dsn=f"http://key@127.0.0.1:{port}/1", traces_sample_rate=1.0)
    return lambda: sentry_sdk.flush(60)


def elastic(app: Flask, port: int) -> Flush:
    from elasticapm.contrib.flask import ElasticAPM

    app.config["ELASTIC_APM"] = {
        "SERVICE_NAME": "bench",
        "SERVER_URL": f"http://127.0.0.1:{port}",
        "CLOUD_PROVIDER": "none",
    }
    client = ElasticAPM(app).client
    return lambda: client._transport.flush()  # noqa: SLF001


def apitally(app: Flask, port: int) -> Flush:
    os.environ["APITALLY_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    from apitally import flask as apitally_flask
    from apitally.shared import activation

    apitally_flask.init(app, write_token="apt_" + "a" * 24, env="prod")
    return lambda: activation.export_worker.run_cycle(None, final=True)


def logfire(app: Flask, port: int) -> Flush:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    import logfire

    logfire.configure(send_to_logfire=False, console=False, service_name="bench")
    logfire.instrument_flask(app)
    return lambda: logfire.force_flush(60_000)


def datadog(app: Flask, port: int) -> Flush:
    os.environ.update(DD_TRACE_AGENT_URL=f"http://127.0.0.1:{port}", DD_SERVICE="bench")
    import ddtrace.auto  # as ddtrace-run does

    return lambda: ddtrace.trace.tracer.flush()


#: One hit a server span, in protobuf.
SPAN = rb"\x0a(?:\x0bhttp\.method|\x13http\.request\.method)\x12"

CONTENDERS = (
    Contender("bare", "base", bare),
    Contender("bare again", "base", bare),
    Contender("floor", "base", floor),
    Contender("ours", "ours", ours, b'"start_us"'),
    Contender("flask-performance 0.0.6", "flask-performance-0.0.6", of_2019, b'"time_used"', 0.1),
    Contender("prometheus-flask-exporter", "prometheus", prometheus),
    Contender("opentelemetry traces", "opentelemetry", opentelemetry, SPAN),
    Contender("sentry traces 1.0", "sentry", sentry, rb'"type":"transaction","content_type"', 0.5),
    Contender("elastic-apm", "elastic", elastic, rb'\{"transaction":', 0.5),
    Contender("apitally", "apitally", apitally, SPAN, 0.5),
    Contender("logfire", "logfire", logfire, SPAN, 0.5),
    Contender("ddtrace", "ddtrace", datadog, scale=0.5),
)
