"""What a panel is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..downloads import Table

S = TypeVar("S")


@dataclass(frozen=True)
class Panel(Generic[S]):
    """One part of a page that is rendered and kept live by itself, from the scope S of its page."""

    #: Names the template (`panels/<name>.html`), the element (`panel-<name>`) and the live event.
    name: str
    #: The variables of the template.
    show: Callable[[S], Mapping[str, Any]]
    #: What the chart draws, as JSON; None for a panel of plain HTML.
    data: Callable[[S], Mapping[str, Any]] | None = None
    #: What it shows as a file; None where it shows no numbers of its own.
    table: Callable[[S], Table] | None = None

    @property
    def template(self) -> str:
        return f"panels/{self.name}.html"
