"""Keys to the REST API. Every function needs an app context."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select

from .models import Token, User, db, now
from .names import clean_name
from .permissions import Scope

TOKEN_PREFIX = "fp_"  # noqa: S105
#: A token's last use is kept to the minute: reading must not mean writing.
TOKEN_USE_STEP = timedelta(minutes=1)
#: A token that was asked for without a word about scopes may do all that its owner may.
ALL_SCOPES = " ".join(Scope)


def create_token(user: User, name: str) -> str:
    """The secret of a new token. It is shown once: the database keeps only its hash."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(
        user=user, name=clean_name(name), secret_sha256=_sha256(secret), scopes=ALL_SCOPES
    )
    db.session.add(token)
    db.session.commit()
    return secret


def user_by_token(secret: str) -> User | None:
    """The token's owner; None for an unknown token and for a deactivated user."""
    token = db.session.scalar(select(Token).where(Token.secret_sha256 == _sha256(secret)))
    if token is None or not token.user.active:
        return None
    if token.last_used_at is None or now() - token.last_used_at > TOKEN_USE_STEP:
        token.last_used_at = now()
        db.session.commit()
    return token.user


def _sha256(secret: str) -> str:
    """A plain hash is enough: the secret has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()
