"""Environment to frozen settings: every FLASK_PERFORMANCE_* variable, default and meaning."""

import enum
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

PREFIX = "FLASK_PERFORMANCE_"
#: Ports of mail servers by the scheme of their URL.
SMTP_PORTS: Final = {"smtp": 587, "smtps": 465}

#: A token that is shorter can be guessed (characters).
LEAST_TOKEN: Final = 16
#: A key that signs is not typed by anybody (characters).
LEAST_SECRET: Final = 32
#: What the accounts' URL may begin with; the first says which driver.
POSTGRESQL: Final = ("postgresql+psycopg", "postgresql", "postgres")
#: What the queue's URL may begin with.
BROKERS: Final = ("amqp", "amqps", "redis", "rediss")
#: Where http is as good as https: nothing leaves the machine.
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


#: A number and a unit, with or without a space between.
SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([MGT])I?B")
UNITS: Final = {"M": 10**6, "G": 10**9, "T": 10**12}
#: Accounts and an empty store take some of it already (bytes).
LEAST_BUDGET: Final = 50 * 10**6


class SettingsError(Exception):
    """A setting that cannot be right. The message is one sentence for the operator."""


class SignUp(enum.StrEnum):
    """Who may make an account. The first one of a server is another matter."""

    OPEN = "open"  # anybody
    INVITE = "invite"  # whoever holds an invitation to a team
    CLOSED = "closed"  # nobody; `flask-performance user create` makes accounts


class LogFormat(enum.StrEnum):
    """How `serve` writes its log."""

    TEXT = "text"  # for people
    JSON = "json"  # an object a line


#: How much of it, from much to little.
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@dataclass(frozen=True)
class MailServer:
    """Where mail goes out, and under which address."""

    host: str
    port: int
    sender: str
    #: TLS from the first byte (smtps); otherwise STARTTLS as soon as there is a password to hide.
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Settings:
    """What an operator decides. All paths are inside `data`."""

    #: Folder that holds everything (FLASK_PERFORMANCE_DATA).
    data: Path
    #: The address people and apps reach this server at, without a slash at the end
    #: (FLASK_PERFORMANCE_URL). None: what the browser's request says.
    url: str | None = None
    #: Who may make an account (FLASK_PERFORMANCE_SIGNUP).
    signup: SignUp = SignUp.INVITE
    #: smtp://user:password@host:587 or smtps://… (FLASK_PERFORMANCE_SMTP_URL). None: links that
    #: mails would carry are in the log.
    smtp_url: str | None = field(default=None, repr=False)
    #: The sender of mails (FLASK_PERFORMANCE_MAIL_FROM).
    mail_from: str | None = None
    #: Reverse proxies in front of this server, whose X-Forwarded-For and -Proto are believed
    #: (FLASK_PERFORMANCE_PROXIES).
    proxies: int = 0

    #: Single sign-on by OpenID Connect: the provider's address, and what it calls this server
    #: (FLASK_PERFORMANCE_OIDC_ISSUER, …_OIDC_CLIENT_ID, …_OIDC_CLIENT_SECRET). None: there is none.
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    #: What the button of the log-in page calls it (FLASK_PERFORMANCE_OIDC_NAME). None: its host.
    oidc_name: str | None = None

    #: Where accounts live, as in postgresql+psycopg://user:password@host/name
    #: (FLASK_PERFORMANCE_DATABASE_URL). None: in a file of the data folder.
    database_url: str | None = field(default=None, repr=False)
    #: The broker that keeps what collectors acknowledged: amqp://… or redis://…
    #: (FLASK_PERFORMANCE_QUEUE_URL). None: a journal in the data folder.
    queue_url: str | None = field(default=None, repr=False)
    #: What signs cookies and links (FLASK_PERFORMANCE_SECRET): the same on all machines that serve
    #: one set of accounts. None: a file of the data folder.
    secret: str | None = field(default=None, repr=False)

    #: What the data folder may take on disk, in bytes (FLASK_PERFORMANCE_DISK_BUDGET). None: what
    #: there is.
    disk_budget: int | None = None

    #: Where requests are stored: clickhouse://user:password@host1,host2/database?cluster=name
    #: (FLASK_PERFORMANCE_STORE_URL). None: DuckDB in the data folder.
    store_url: str | None = field(default=None, repr=False)

    #: How the log is written (FLASK_PERFORMANCE_LOG), and from which level on
    #: (FLASK_PERFORMANCE_LOG_LEVEL).
    log: LogFormat = LogFormat.TEXT
    log_level: str = "info"
    #: Whether the server records its own pages and API, into the project "This server"
    #: (FLASK_PERFORMANCE_SELF).
    self_: bool = True
    #: Opens /metrics from anywhere; without one they are for this machine alone
    #: (FLASK_PERFORMANCE_METRICS_TOKEN).
    metrics_token: str | None = field(default=None, repr=False)

    @property
    def secure(self) -> bool:
        """Whether people reach this server by HTTPS."""
        return self.url is not None and self.url.startswith("https://")

    @property
    def mail_server(self) -> MailServer | None:
        """None: this server sends no mail. Raises SettingsError."""
        return _mail_server(self.smtp_url, self.mail_from)

    @property
    def accounts_database(self) -> Path:
        return self.data / "accounts.sqlite3"

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite3"

    @property
    def events(self) -> Path:
        return self.data / "events.duckdb"

    @property
    def secret_key(self) -> Path:
        return self.data / "secret_key"

    @property
    def lock(self) -> Path:
        return self.data / "serve.lock"

    @property
    def control(self) -> Path:
        """The socket by which commands reach the `serve` that works here."""
        return self.data / "control"

    @property
    def deleted(self) -> Path:
        """What was deleted for the disk budget, up to when."""
        return self.data / "deleted.json"

    @property
    def address(self) -> Path:
        """Where the last `serve` of this folder listened; commands print DSNs with it."""
        return self.data / "address"

    @classmethod
    def read(cls, data: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Self:
        """An argument wins over the environment, the environment over the default."""
        folder = Path(data or environ.get(PREFIX + "DATA") or "flask-performance-data")
        settings = cls(
            data=folder.expanduser().absolute(),
            url=_url(environ.get(PREFIX + "URL")),
            signup=SignUp(_one_of("SIGNUP", tuple(SignUp), environ, SignUp.INVITE)),
            smtp_url=environ.get(PREFIX + "SMTP_URL") or None,
            mail_from=environ.get(PREFIX + "MAIL_FROM") or None,
            proxies=_proxies(environ.get(PREFIX + "PROXIES")),
            oidc_issuer=_issuer(environ.get(PREFIX + "OIDC_ISSUER")),
            oidc_client_id=environ.get(PREFIX + "OIDC_CLIENT_ID") or None,
            oidc_client_secret=environ.get(PREFIX + "OIDC_CLIENT_SECRET") or None,
            oidc_name=environ.get(PREFIX + "OIDC_NAME") or None,
            database_url=_database(environ.get(PREFIX + "DATABASE_URL")),
            queue_url=_queue(environ.get(PREFIX + "QUEUE_URL")),
            secret=_secret("SECRET", LEAST_SECRET, environ),
            disk_budget=_size(environ.get(PREFIX + "DISK_BUDGET")),
            store_url=environ.get(PREFIX + "STORE_URL") or None,
            log=LogFormat(_one_of("LOG", tuple(LogFormat), environ, LogFormat.TEXT)),
            log_level=_one_of("LOG_LEVEL", LOG_LEVELS, environ, "info"),
            self_=_one_of("SELF", ("on", "off"), environ, "on") == "on",
            metrics_token=_secret("METRICS_TOKEN", LEAST_TOKEN, environ),
        )
        _ = settings.mail_server  # wrong here is wrong at the start, not at the first mail
        _check_sign_on(settings)
        return settings


def _url(said: str | None) -> str | None:
    if said and not said.startswith(("http://", "https://")):
        raise SettingsError(
            f"{PREFIX}URL is {said!r}, but must start with http:// or https://, "
            "for example https://metrics.example.com"
        )
    return said.rstrip("/") if said else None


def _one_of(name: str, words: Sequence[str], environ: Mapping[str, str], default: str) -> str:
    """What a setting says that takes one of some words."""
    said = environ.get(PREFIX + name)
    word = said.strip().lower() if said else default
    if word not in words:
        raise SettingsError(f"{PREFIX}{name} is {said!r}, but must be one of {', '.join(words)}.")
    return word


def _proxies(said: str | None) -> int:
    if said and not (said.isascii() and said.isdigit()):
        raise SettingsError(
            f"{PREFIX}PROXIES is {said!r}, but must be how many reverse proxies stand in front of "
            "this server: 0, 1, 2, …"
        )
    return int(said or 0)


def _size(said: str | None) -> int | None:
    if not said:
        return None
    found = SIZE.fullmatch(said.strip().upper())
    count = int(float(found[1]) * UNITS[found[2]]) if found else 0
    if count < LEAST_BUDGET:
        raise SettingsError(
            f"{PREFIX}DISK_BUDGET is {said!r}, but must be a size such as 20GB, and at least "
            f"{LEAST_BUDGET // 10**6}MB."
        )
    return count


def _secret(name: str, least: int, environ: Mapping[str, str]) -> str | None:
    """Never shows it."""
    said = environ.get(PREFIX + name)
    if said and (len(said) < least or not said.isascii() or not said.isprintable()):
        raise SettingsError(
            f"{PREFIX}{name} must have {least} characters or more, and none that HTTP "
            "cannot carry; `openssl rand -hex 32` prints one."
        )
    return said or None


def _database(said: str | None) -> str | None:
    """Never shows it: it holds a password."""
    if not said:
        return None
    parts = urlsplit(said)
    if parts.scheme not in POSTGRESQL or not parts.path.strip("/"):
        raise SettingsError(
            f"{PREFIX}DATABASE_URL must be like postgresql+psycopg://user:password@host:5432/name; "
            "write special characters of the password as %40 and so on. Without it, accounts are "
            "in a file of the data folder."
        )
    return parts._replace(scheme=POSTGRESQL[0]).geturl()


def _queue(said: str | None) -> str | None:
    """Never shows it: it holds a password."""
    if said and urlsplit(said).scheme not in BROKERS:
        raise SettingsError(
            f"{PREFIX}QUEUE_URL must be like amqp://user:password@host:5672/vhost (RabbitMQ) or "
            "redis://:password@host:6379/0; amqps:// and rediss:// use TLS. Without it, the queue "
            "is a journal in the data folder."
        )
    return said or None


def _issuer(said: str | None) -> str | None:
    if not said:
        return None
    parts = urlsplit(said)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK):
        return said
    raise SettingsError(
        f"{PREFIX}OIDC_ISSUER is {said!r}, but must start with https://: whoever listens on the "
        "way could log in as anybody. (http:// works for a provider on this machine, by localhost.)"
    )


def _check_sign_on(settings: Settings) -> None:
    """The three belong together."""
    three = (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret)
    if any(three) and not all(three):
        raise SettingsError(
            f"Single sign-on needs all of {PREFIX}OIDC_ISSUER, {PREFIX}OIDC_CLIENT_ID and "
            f"{PREFIX}OIDC_CLIENT_SECRET; set what is missing, or none of them."
        )


def _mail_server(url: str | None, sender: str | None) -> MailServer | None:
    """Never shows the URL, which holds a password."""
    if url is None:
        return None
    parts, port = _smtp(url)
    if not sender or "@" not in sender:
        raise SettingsError(
            f"{PREFIX}MAIL_FROM must name the sender of mails when {PREFIX}SMTP_URL is set, "
            "for example metrics@example.com"
        )
    return MailServer(
        host=parts.hostname or "",
        port=port,
        sender=sender,
        tls=parts.scheme == "smtps",
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _smtp(url: str) -> tuple[SplitResult, int]:
    """The parts of the URL, and its port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SMTP_PORTS or not parts.hostname:
        raise SettingsError(
            f"{PREFIX}SMTP_URL must be like smtp://user:password@mail.example.com:587, or begin "
            "with smtps:// for TLS from the first byte; write special characters of the password "
            "as %40 and so on."
        )
    return parts, port or SMTP_PORTS[parts.scheme]
