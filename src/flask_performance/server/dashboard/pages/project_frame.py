"""What every page of a project has around it: the switch, the rail, who reads."""

from .. import access
from ..scope import Scope


def frame(scope: Scope, page: str) -> dict[str, object]:
    """The variables of `project_frame.html`; `page` is the rail's word for the page."""
    return {
        "scope": scope,
        "project": scope.project,
        "projects": access.projects(),
        "may": access.rights(scope.project),
        "page": page,
        "newest_us": scope.newest_us,
        "now_us": scope.now_us,
    }
