"""What the app's start costs: little is imported, and what the thread needs comes with it."""

import subprocess
import sys
import textwrap

from .stub import Collector

PRELUDE = """
import sys
from flask import Flask
import flask.testing
from flask_performance import PerformanceCollector

app = Flask("shop")
app.add_url_rule("/", "page", lambda: "hello")
app.config["METRIC_DSN"] = sys.argv[1]
pc = PerformanceCollector(app)
"""


def run(script: str, collector: Collector) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(script), collector.dsn],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_only_the_thread_needs_is_imported_by_it(collector: Collector) -> None:
    done = run(
        """
        late = ["delivery", "encoder", "identity", "overhead", "rules", "spool", "wire"]
        late = ["flask_performance." + name for name in late]
        assert not [name for name in late if name in sys.modules]
        app.test_client().get("/").close()
        pc.stop(app, 30)
        assert all(name in sys.modules for name in late)
        """,
        collector,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.requests) == 1


def test_the_thread_runs_no_text_as_a_program(collector: Collector) -> None:
    """CPython would forget that an interrupt is ending it, and end with another status."""
    done = run(
        """
        import builtins

        def strict(run):
            def checked(source, *rest, **more):
                assert not isinstance(source, (str, bytes)), source
                return run(source, *rest, **more)
            return checked

        builtins.exec, builtins.eval = strict(exec), strict(eval)
        app.test_client().get("/").close()
        pc.stop(app, 30)
        """,
        collector,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.requests) == 1
