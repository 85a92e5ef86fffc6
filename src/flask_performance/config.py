"""Every METRIC_* key as data: default, check and meaning; and the frozen options read from them.

`app.config` wins over the environment, the environment over the default. `docs/extension.md` shows
the same table, and a test keeps the two equal.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

PREFIX: Final = "METRIC_"
DSN_FORM: Final = "https://host/v1/collector/<32 hex digits>"

_DSN_PATH = re.compile(r"(/[^?#]*)?/v1/collector/[0-9a-fA-F]{32}/?")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class ConfigError(ValueError):
    """A METRIC_* value that cannot be right. The message says what is wrong and the remedy."""


def _dsn(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TypeError(f"it is of type {type(value).__name__}, not text")
    text = value.strip()
    fault = _characters_fault(text) or _dsn_fault(text)
    if fault is not None:
        raise ValueError(fault)
    return text.rstrip("/")


def _characters_fault(text: str) -> str | None:
    """What HTTP cannot carry would fail at every batch."""
    for character in text:
        if character.isspace():
            return "it contains a space"
        if not character.isascii() or not character.isprintable():
            return (
                f"it contains {character!r}, which no URL may: write a host with such letters in "
                "its form xn--…, and a path with %… for each byte"
            )
    return None


def _dsn_fault(text: str) -> str | None:
    try:
        url = urlsplit(text)
    except ValueError:  # in Python's own words, which do not say what to do
        return "its host is not a name, and no IPv6 address within [ and ] either"
    return _parts_fault(url)


def _parts_fault(url: SplitResult) -> str | None:
    if url.scheme not in ("http", "https"):
        return "it does not start with https:// or http://"
    if not url.hostname:
        return "it names no host"
    if any(not 0 < len(label) < 64 for label in url.hostname.removesuffix(".").split(".")):
        return "its host has an empty part, or one of more than 63 characters"
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        return "its port is not a number from 1 to 65535"
    if url.query or url.fragment:
        return "it goes on after the key"
    if not _DSN_PATH.fullmatch(url.path):
        return "its path is not /v1/collector/ and a key of 32 hex digits"
    return None


def _boolean(value: object) -> bool:
    word = str(value).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("it is neither true nor false")


def _text(name: str) -> Callable[[object], str | None]:
    def check(value: object) -> str | None:
        if value is None:
            return None
        if isinstance(value, (bool, float)):
            # Flask's from_prefixed_env reads JSON: 1.10 comes as 1.1, and 12e4567 as inf.
            raise TypeError(
                f"it is of type {type(value).__name__}, which does not keep what was written; "
                f"quote it, in the environment twice: FLASK_{name}='\"1.10\"'"
            )
        if not isinstance(value, (str, int)):
            raise TypeError(f"it is of type {type(value).__name__}, not text")
        text = str(value).strip()
        if len(text) > 200:
            raise ValueError("it is longer than 200 characters")
        return text or None

    return check


def _patterns(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise TypeError(f"it is of type {type(value).__name__}, not a list of patterns")
    for item in value:
        if not isinstance(item, str):
            raise TypeError(f"it contains {item!r}, which is not text")
    return tuple(item.strip() for item in value if item.strip())


def _folder(value: object) -> Path | None:
    if value is None or value == "":
        return None
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"it is of type {type(value).__name__}, not a path")
    path = Path(value).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise ValueError("it is a file, not a folder")
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ValueError(f"this process may not write to {existing}")
    return path


def _number(least: float, most: float) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise TypeError("it is not a number")
        try:
            number = float(value)
        except ValueError:
            raise ValueError("it is not a number") from None
        if not least <= number <= most:
            raise ValueError(f"it is not between {least:g} and {most:g}")
        return number

    return check


def _whole(least: int, most: int) -> Callable[[object], int]:
    check_number = _number(least, most)

    def check(value: object) -> int:
        number = check_number(value)
        if number != int(number):
            raise ValueError("it is not a whole number")
        return int(number)

    return check


class Key(NamedTuple):
    """One METRIC_* key."""

    name: str  # with the prefix
    default: Any
    check: Callable[[Any], Any]  # raises ValueError or TypeError with the fault, "it …", or OSError
    form: str  # what a right value looks like
    meaning: str  # a sentence for docs/extension.md


KEYS: Final = (
    Key("METRIC_DSN", None, _dsn, DSN_FORM,
        "Where to send: the DSN that the project's page shows. Without it the extension is off."),
    Key("METRIC_ENABLED", True, _boolean, "true or false",
        "The kill switch: false turns the extension off whatever else is set."),
    Key("METRIC_ENVIRONMENT", None, _text("METRIC_ENVIRONMENT"),
        "a word such as production or staging",
        "Which deployment this is. Otherwise the usual environment variables, else production "
        "(development in debug mode)."),
    Key("METRIC_RELEASE", None, _text("METRIC_RELEASE"), "a version or a commit",
        "Which version of the app runs. Otherwise the usual environment variables, else the commit "
        "that is checked out around the app."),
    Key("METRIC_HOST", None, _text("METRIC_HOST"), "a host name",
        "The name of this machine. Otherwise what the system says."),
    Key("METRIC_IGNORE", (), _patterns, 'a list such as ["/health", "GET /static/*"]',
        "Requests that are counted but not sent: shell patterns for the path, if wanted with a "
        "method in front. In the environment: separated by commas."),
    Key("METRIC_BUFFER", 50_000, _whole(100, 10_000_000), "a whole number from 100 to 10000000",
        "The most requests that wait in memory while the platform does not answer."),
    Key("METRIC_SPOOL", None, _folder, "a folder that this process may write to",
        "Where batches wait when the memory is full and when the process ends before the platform "
        "answers. Without it they are dropped and counted. A folder of its own for each project: "
        "whichever process comes next sends what lies there, with its own DSN."),
    Key("METRIC_SPOOL_SIZE", 64, _number(1, 1_000_000), "a number from 1 to 1000000",
        "The most MiB that the spool folder may hold."),
    Key("METRIC_INTERVAL", 0.1, _number(0.01, 60), "a number from 0.01 to 60",
        "For how many seconds requests are collected before a batch is sent."),
    Key("METRIC_TIMEOUT", 0.5, _number(0.05, 60), "a number from 0.05 to 60",
        "How many seconds the platform has to answer a batch, and as many to be reached."),
    Key("METRIC_CPU", 10, _whole(0, 1_000_000), "a whole number from 0 to 1000000",
        "Of how many requests a second the CPU time is measured, at most. "
        "Measuring costs about 1 µs."),
)  # fmt: skip


class Options(NamedTuple):
    """What the keys say, checked. One field a key, in lower case and without the prefix."""

    dsn: str | None = None
    enabled: bool = True
    environment: str | None = None
    release: str | None = None
    host: str | None = None
    ignore: tuple[str, ...] = ()
    buffer: int = 50_000
    spool: Path | None = None
    spool_size: float = 64
    interval: float = 0.1
    timeout: float = 0.5
    cpu: int = 10

    @classmethod
    def read(cls, config: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Self:
        """Raise ConfigError for the first wrong value."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for key in KEYS:
            value, source = _find(key, config, environ)
            try:
                checked = key.check(value)
            except (ValueError, TypeError, OSError) as error:
                raise ConfigError(
                    f"{key.name} in {source} is {value!r}, but {error}. It has to be {key.form}."
                ) from None
            values[key.name.removeprefix(PREFIX).lower()] = checked
        return cls(**values)


def _find(key: Key, config: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Any, str]:
    for values, source in ((config, "app.config"), (environ, "the environment")):
        value = values.get(key.name)
        if value is not None and not (isinstance(value, str) and not value.strip()):
            return value, source
    return key.default, "the defaults"


def unknown_keys(config: Mapping[str, Any]) -> list[str]:
    """METRIC_* names in `app.config` that mean nothing here: misspelt, or another tool's."""
    known = {key.name for key in KEYS}
    return sorted(name for name in config if name.startswith(PREFIX) and name not in known)
