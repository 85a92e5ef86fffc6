"""The page a person sees who opens a DSN in a browser."""

from typing import Final

from jinja2 import Environment, PackageLoader

from . import formats
from .assets import Assets
from .snippets import snippets

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("flask_performance.server.dashboard"), autoescape=True
)
formats.register(_ENVIRONMENT)


def collector_page(dsn: str, *, known: bool = True, assets: Assets | None = None) -> str:
    """HTML that says what a DSN is and how to use it; needs no app and no request.

    `known` is whether the key belongs to a project. Send it with `SECURITY_HEADERS`. Says nothing
    of the project but the DSN, which whoever asks holds already.
    """
    template = _ENVIRONMENT.get_template("collector.html")
    return template.render(
        known=known, code=snippets(dsn)[0].parts[0].code, assets=assets or Assets()
    )
