"""The server's secret: a setting, or a file in the data folder, made once, for its owner alone.

Several machines that serve the same accounts need the setting: a cookie that one of them signed is
read by all.
"""

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from flask_performance.server.settings import Settings, SettingsError


def secret_key(settings: Settings) -> str:
    """The key that signs cookies and reset links. Raises SettingsError.

    Losing it logs everybody out and ends pending reset links; passwords and passkeys keep
    working, codes of authenticator apps and recovery codes do not.
    """
    if settings.secret is not None:
        return settings.secret
    path = settings.secret_key
    try:
        if not path.exists():
            _create(path)
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The secret key {path} cannot be read or made ({error}); check that the folder given "
            "with --data is writable."
        ) from error
    if len(key) < 32:
        raise SettingsError(
            f"The secret key {path} is damaged; delete the file to get a new one, which logs "
            "everybody out."
        )
    return key


def derived(secret: str, purpose: str) -> str:
    """A key for one purpose: who learns it learns neither the secret nor another key."""
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    """All or nothing, and the first of two processes wins: write aside, then link."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".secret_key")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(handle)
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        Path(aside).unlink()
