"""Who exists, as tables: users and how they log in, teams, projects, keys, tokens, the audit log.

Portable SQL only: SQLite today, PostgreSQL when one machine is outgrown. Every change here comes
with a revision in `migrations/versions`.
"""

import enum
import secrets
from datetime import datetime
from typing import ClassVar

from flask_security import AsaList, RoleMixin, UserMixin, WebAuthnMixin
from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from .orm import Base, db, now, public_id

__all__ = [
    "NAME_LENGTH", "AuditEntry", "Base", "Claim", "Device", "Happening", "Invitation", "Key",
    "Letter", "Member", "Note", "OperationApdex", "Project", "Refusal", "Role", "Team", "Token",
    "Usage", "User", "WebAuthn", "db", "now", "public_id",
]  # fmt: skip

NAME_LENGTH = 80
EMAIL_LENGTH = 255
#: Apdex of a project that nobody changed: satisfied up to half a second.
DEFAULT_APDEX_US = 500_000


class Note(Base):
    """What the server remembers of itself."""

    __tablename__ = "notes"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(255))


class User(Base, UserMixin):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    #: The first account. Runs the server; sees no more of other people's teams than anybody.
    administrator: Mapped[bool] = mapped_column(default=False)
    #: Changes with the password, so that every session of the old one ends.
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    #: When the person proved that the address is theirs. None: nobody asked, or not yet.
    confirmed_at: Mapped[datetime | None]
    #: What Flask-Security keeps for two-factor log-in, recovery codes and passkeys.
    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    #: The last time step whose code was used: a code works once (RFC 6238, section 5.2).
    totp_counter: Mapped[int | None] = mapped_column(BigInteger)
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(AsaList()))
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(String(64), unique=True)  # type: ignore[assignment]
    #: SHA-256 of issuer and subject: who this is to the company's single sign-on.
    sso_identity: Mapped[str | None] = mapped_column(String(64), unique=True)

    webauthn: Mapped[list["WebAuthn"]] = relationship(  # type: ignore[assignment]
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    devices: Mapped[list["Device"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    members: Mapped[list["Member"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )
    tokens: Mapped[list["Token"]] = relationship(
        back_populates="user", cascade="all, delete-orphan", passive_deletes=True
    )

    @validates("email")
    def _one_spelling(self, _name: str, email: str) -> str:
        """Capitals make no other address, also not for two who come with one at once."""
        return email.lower()

    #: Flask-Security asks for it. Our roles live in `Member`: a person has one in each team.
    roles: ClassVar[list[RoleMixin]] = []  # type: ignore[misc]


class WebAuthn(Base, WebAuthnMixin):
    """A passkey. The columns are those that Flask-Security names."""

    __tablename__ = "passkeys"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1024), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(default=0)
    transports: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(AsaList()))
    backup_state: Mapped[bool]
    device_type: Mapped[str] = mapped_column(String(64))
    #: JSON, as registration answered.
    extensions: Mapped[str | None] = mapped_column(String(255))
    create_datetime: Mapped[datetime] = mapped_column(default=now)
    lastuse_datetime: Mapped[datetime] = mapped_column(default=now)
    #: Given by the person, unique among theirs.
    name: Mapped[str] = mapped_column(String(64))
    #: "first": logs in by itself. "secondary": asked for after the password.
    usage: Mapped[str] = mapped_column(String(64))

    user: Mapped[User] = relationship(back_populates="webauthn")


class Device(Base):
    """A browser in which a user is signed in. The session holds its `public_id`."""

    __tablename__ = "devices"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: Browser and system in words, from the User-Agent header.
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    address: Mapped[str] = mapped_column(String(45))
    created_at: Mapped[datetime] = mapped_column(default=now)
    #: To some minutes: reading must not mean writing.
    seen_at: Mapped[datetime] = mapped_column(default=now)

    user: Mapped[User] = relationship(back_populates="devices")


class Role(enum.StrEnum):
    """What a member may do in a team, most powerful first. `permissions.py` has the table."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Team(Base):
    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    #: One person's own: nobody else is invited into it.
    personal: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)

    members: Mapped[list["Member"]] = relationship(
        back_populates="team", cascade="all, delete-orphan", passive_deletes=True
    )
    projects: Mapped[list["Project"]] = relationship(
        back_populates="team", cascade="all, delete-orphan", passive_deletes=True
    )
    invitations: Mapped[list["Invitation"]] = relationship(
        back_populates="team", cascade="all, delete-orphan", passive_deletes=True
    )


class Member(Base):
    """A user in a team."""

    __tablename__ = "members"

    team_id: Mapped[int] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    #: One of `Role`, kept as its word so that a new role needs no change of the table.
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=now)

    team: Mapped[Team] = relationship(back_populates="members")
    user: Mapped[User] = relationship(back_populates="members")


class Invitation(Base):
    """A link into a team, for one address or for whoever holds it. Works once."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    #: None: whoever has the link.
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    role: Mapped[str] = mapped_column(String(16))
    #: SHA-256 of the secret in the link; the link itself is shown once.
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    #: The address of who invited.
    invited_by: Mapped[str] = mapped_column(String(EMAIL_LENGTH))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]

    team: Mapped[Team] = relationship(back_populates="invitations")


class Project(Base):
    """A monitored app. The store knows it by `id`, people and URLs by `public_id`."""

    __tablename__ = "projects"
    __table_args__ = (
        UniqueConstraint("team_id", "name"),
        # Never give a deleted project's id, and with it rows of the store, to a new one.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(default=now)
    #: An IANA name such as Europe/Berlin. None: each person's own.
    time_zone: Mapped[str | None] = mapped_column(String(64))
    #: Up to here a response satisfies, up to four times as long it is tolerated (apdex.org).
    apdex_us: Mapped[int] = mapped_column(BigInteger, default=DEFAULT_APDEX_US)
    #: Days that raw requests, minute and hour rollups are kept. None: as the server does.
    keep_raw_days: Mapped[int | None]
    keep_minutes_days: Mapped[int | None]
    keep_hours_days: Mapped[int | None]
    #: Requests that the collector takes in a minute and in a month (UTC). None: no limit.
    quota_minute: Mapped[int | None] = mapped_column(BigInteger)
    quota_month: Mapped[int | None] = mapped_column(BigInteger)

    team: Mapped[Team] = relationship(back_populates="projects")
    keys: Mapped[list["Key"]] = relationship(
        back_populates="project",
        cascade="all, delete-orphan",
        passive_deletes=True,
        order_by="Key.id",
    )
    operations: Mapped[list["OperationApdex"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def key(self) -> str | None:
        """The newest key that works; None when all are revoked."""
        return next((k.key for k in reversed(self.keys) if k.revoked_at is None), None)


class OperationApdex(Base):
    """An operation whose Apdex threshold is not its project's."""

    __tablename__ = "operation_apdex"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    method: Mapped[str] = mapped_column(String(16), primary_key=True)
    route: Mapped[str] = mapped_column(String(512), primary_key=True)
    apdex_us: Mapped[int] = mapped_column(BigInteger)


class Key(Base):
    """The secret part of a DSN. A project may have several."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: secrets.token_hex(16))
    #: Names the key in addresses and logs, where the key itself must not be.
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="Default")
    created_at: Mapped[datetime] = mapped_column(default=now)
    #: When a new key took its place; it works until it is revoked.
    rotated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    #: Requests that came with it and were accepted.
    used: Mapped[int] = mapped_column(BigInteger, default=0)

    project: Mapped[Project] = relationship(back_populates="keys")


class Usage(Base):
    """How many requests of a project the collector accepted in a month (UTC)."""

    __tablename__ = "usage"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    #: Such as 2026-11.
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)


class Refusal(Base):
    """What the collector refused of a project, a row a reason."""

    __tablename__ = "refusals"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    #: A word of `meter.Reason`.
    reason: Mapped[str] = mapped_column(String(16), primary_key=True)
    #: Batches, a repeat counted again.
    batches: Mapped[int] = mapped_column(BigInteger)
    #: When the row of refusals began that `last_at` is the newest of.
    since: Mapped[datetime]
    last_at: Mapped[datetime]
    #: Requests in batches that were refused last and not accepted since: apps send them again.
    held: Mapped[int] = mapped_column(BigInteger, default=0)


class Token(Base):
    """A key to the REST API, of a user or of a team. Only the SHA-256 of the secret is kept."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True, default=public_id)
    #: Whose; of a team's token, who made it.
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: A team's token sees that team alone, and outlives no member who loses the right to make it.
    team_id: Mapped[int | None] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    #: Words of `permissions.Scope` with a space between.
    scopes: Mapped[str] = mapped_column(String(255))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(back_populates="tokens")
    team: Mapped[Team | None] = relationship()


class AuditEntry(Base):
    """Who did what in a team, when, from where. Kept when people and projects are gone."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(default=now)
    #: The address of the account at that time, or "command line".
    actor: Mapped[str] = mapped_column(String(EMAIL_LENGTH))
    #: A word of `audit.ACTIONS`.
    action: Mapped[str] = mapped_column(String(32))
    #: What it was done to, in words: never a secret.
    target: Mapped[str] = mapped_column(String(255))
    #: The IP address it came from; empty on the command line.
    address: Mapped[str] = mapped_column(String(45))


class Happening(Base):
    """Something that a limit counts, where several processes count together (`throttle.py`)."""

    __tablename__ = "happenings"

    id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of what is counted and for whom.
    key: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime]
    #: When no limit needs it any more.
    until: Mapped[datetime] = mapped_column(index=True)


class Claim(Base):
    """Which block a batch is stored in, decided once (`claims.py`)."""

    __tablename__ = "claims"
    # Old ones go by age: the smallest index that finds them.
    __table_args__ = (Index("ix_claims_at", "at", postgresql_using="brin"),)

    #: Hash of project, instance and number.
    batch: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    block: Mapped[bytes] = mapped_column(LargeBinary(16))
    at: Mapped[datetime] = mapped_column(default=now)


class Letter(Base):
    """An acknowledged envelope that could not be stored, where the queue is a broker."""

    __tablename__ = "dead_letters"
    __table_args__ = (UniqueConstraint("block", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The message that it came in, and its place there: a message that comes again buries no twin.
    block: Mapped[bytes] = mapped_column(LargeBinary(16))
    place: Mapped[int]
    project_id: Mapped[int]
    received_us: Mapped[int] = mapped_column(BigInteger)
    gzip: Mapped[bool]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(String(500))
    #: How many requests of it the ledger counts as dropped.
    counted: Mapped[int] = mapped_column(BigInteger, default=0)


class Minute(Base):
    """What all collectors together accepted of a project in a minute, where one has a quota."""

    __tablename__ = "minutes"

    project_id: Mapped[int] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    #: Since the epoch.
    minute: Mapped[int] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)


class Tally(Base):
    """What workers counted of one thing, all together (`tallies.py`)."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    #: Which of its kind.
    label: Mapped[str] = mapped_column(String(100), primary_key=True)
    total: Mapped[int] = mapped_column(BigInteger)
    #: When the last of it was counted.
    at: Mapped[datetime] = mapped_column(default=now)
