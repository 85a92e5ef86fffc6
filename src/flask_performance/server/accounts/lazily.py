"""Spares a server 20 MB until somebody uses a second factor, a passkey or single sign-on.

Flask-Security goes on without what is not installed. So here it is imported as if `webauthn` and
Authlib were not there, which it would import at once; `passkeys` has it look again. Authlib is
ours alone: `oidc.py` imports it where it is used. Passlib, which makes the codes of authenticator
apps, does the same with `cryptography`; `one_time_codes` has it look again.

This comes before everything that imports Flask-Security.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import ModuleType
from typing import Final, cast

_LOOKING: Final = Lock()


@contextmanager
def _as_if_missing(*names: str) -> Iterator[None]:
    """Python's own way to say that a module cannot be imported; what was imported stays."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden, cast(ModuleType, None)))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _as_if_missing("webauthn", "authlib", "cryptography"):
    import flask_security.webauthn
    import flask_security.webauthn_util
    import passlib.totp  # type: ignore[import-untyped]


def one_time_codes() -> None:
    """Make codes of authenticator apps work; cheap from the second time on."""
    with _LOOKING:
        if not passlib.totp.AES_SUPPORT:
            importlib.reload(passlib.totp)


def passkeys() -> None:
    """Make passkeys work; cheap from the second time on."""
    with _LOOKING:
        if not hasattr(flask_security.webauthn, "parse_registration_credential_json"):
            importlib.reload(flask_security.webauthn_util)
            importlib.reload(flask_security.webauthn)
