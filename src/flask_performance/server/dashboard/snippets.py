"""How an app gets its DSN: the ways shown after a project is made, ready to paste.

Every part runs as it stands: what is in a file is the whole file, what is in a shell is the whole
command. `tests/server/dashboard/test_snippets.py` pastes them all into fresh processes.
"""

from dataclasses import dataclass

#: The `file` of a part that is typed and not kept.
SHELL = "shell"


@dataclass(frozen=True)
class Part:
    """What goes into one file, or into the shell that starts the app."""

    file: str
    code: str


@dataclass(frozen=True)
class Snippet:
    """One way, as a person would name it."""

    id: str
    name: str
    parts: tuple[Part, ...]

    @property
    def files(self) -> str:
        """Where its parts go: "config.py and app.py"."""
        return " and ".join(part.file for part in self.parts)


def snippets(dsn: str) -> list[Snippet]:
    """The ways to give a DSN, the simplest first."""
    return [
        Snippet("plain", "Plain app", (Part("app.py", _PLAIN.format(dsn=dsn)),)),
        Snippet("factory", "App factory", (Part("app.py", _FACTORY.format(dsn=dsn)),)),
        Snippet(
            "file",
            "Config file",
            (Part("config.py", f'METRIC_DSN = "{dsn}"\n'), Part("app.py", _FILE)),
        ),
        Snippet(
            "environment",
            "Environment",
            (Part(SHELL, f'export METRIC_DSN="{dsn}"\n'), Part("app.py", _ENVIRONMENT)),
        ),
        Snippet(
            "prefixed",
            "Environment with Flask's prefix",
            (Part(SHELL, f'export FLASK_METRIC_DSN="{dsn}"\n'), Part("app.py", _PREFIXED)),
        ),
    ]


_PLAIN = """\
from flask import Flask
from flask_performance import PerformanceCollector

app = Flask(__name__)
app.config["METRIC_DSN"] = "{dsn}"
pc = PerformanceCollector(app)
"""

_FACTORY = """\
from flask import Flask
from flask_performance import PerformanceCollector

pc = PerformanceCollector()


def create_app():
    app = Flask(__name__)
    app.config["METRIC_DSN"] = "{dsn}"
    pc.init_app(app)
    return app
"""

_FILE = """\
from flask import Flask
from flask_performance import PerformanceCollector

app = Flask(__name__)
app.config.from_pyfile("config.py")
pc = PerformanceCollector(app)
"""

_ENVIRONMENT = """\
from flask import Flask
from flask_performance import PerformanceCollector

app = Flask(__name__)
pc = PerformanceCollector(app)
"""

_PREFIXED = """\
from flask import Flask
from flask_performance import PerformanceCollector

app = Flask(__name__)
app.config.from_prefixed_env()
pc = PerformanceCollector(app)
"""


def test_command(dsn: str) -> str:
    """A shell command that posts one request in the form of 2019, which needs no batch."""
    body = (
        '{"time_used": 0.012, "created_at": "\'"$(date -u +\'%Y-%m-%d %H:%M:%S.000000\')"\'", '
        '"path": "/test", "status_code": 200, "method": "GET", "endpoint": "test"}'
    )
    return f"curl -i -H 'Content-Type: application/json' -d '{body}' {dsn}"
