"""How the server itself is doing, for machines: `/health…` and `/metrics`.

It reads what the parts count (`counts.py`) and asks each of them something cheap; it says nothing
of any project.
"""

from .endpoints import routes
from .health import Health
from .metrics import Metrics, Sources

__all__ = ["Health", "Metrics", "Sources", "routes"]
