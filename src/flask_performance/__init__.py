"""Flask-Performance: every real request of a Flask app, recorded and sent in real time."""

from .config import ConfigError
from .extension import PerformanceCollector
from .version import __version__

__all__ = ["ConfigError", "PerformanceCollector", "__version__"]
