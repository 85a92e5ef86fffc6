"""Who may see what: sign-up and log-in, teams, projects, DSN keys and API tokens.

`init_app` and `upgrade` join the accounts to the web app; `users`, `teams`, `projects` and
`tokens` answer pages and API; `permissions` says who may do what;
`KeyRing` and `Meter` answer the collector. The rest is inside knowledge.
"""

from . import lazily  # noqa: F401  # before Flask-Security is imported

# isort: split
from .database import upgrade
from .keys import KeyRing, KeysUnavailableError, KnownKey
from .meter import Meter
from .renewed import open_keys
from .setup import csrf, init_app

__all__ = [
    "KeyRing", "KeysUnavailableError", "KnownKey", "Meter", "csrf", "init_app", "open_keys",
    "upgrade",
]  # fmt: skip
