"""What a company's OpenID Connect provider says about a person, checked.

Authlib does the work: discovery, PKCE, state, nonce, signatures. It costs 8 MB of memory, so it is
imported when somebody uses it.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from flask import Flask, current_app, session
from werkzeug import Response

from flask_performance.server.settings import Settings

log = logging.getLogger(__name__)

EXTENSION: Final = "flask_performance_sso"
#: What Authlib calls the provider, also in the session.
CLIENT: Final = "sso"
#: How long the provider may take to answer (seconds).
PATIENCE: Final = 10
#: How far the provider's clock may be off (seconds).
CLOCK: Final = 60
#: Signatures that only the provider can make. Never "none", and nothing that our secret could sign.
ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip


class SignOnError(Exception):
    """Nobody is logged in. The message is a sentence or two for the person."""


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as the provider says."""

    #: SHA-256 of issuer and subject: the same person for ever, whatever their address.
    key: str
    email: str | None
    #: Whether the provider says that the address is this person's.
    verified: bool
    #: When the person last logged in there (seconds since the epoch). None: it does not say.
    auth_time: float | None


class Provider:
    """One OpenID Connect provider, found by its discovery document."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        assert settings.oidc_issuer  # noqa: S101
        self.issuer = settings.oidc_issuer
        self.name = settings.oidc_name or urlsplit(self.issuer).netloc
        self._app, self._settings = app, settings
        self._client: Any = None

    def redirect(self, callback: str, **parameters: str) -> Response:
        """To the provider's log-in page. Raises SignOnError."""
        self._forget_others()
        with self._said_in_words():
            answer: Response = self._discovered().authorize_redirect(callback, **parameters)
            return answer

    def _forget_others(self) -> None:
        """Log-ins that were begun and left: the session is a cookie, and has little room."""
        for key in [key for key in session if key.startswith(f"_state_{CLIENT}_")]:
            session.pop(key)

    def identity(self) -> Identity:
        """Who comes back from it with this request. Raises SignOnError."""
        with self._said_in_words():
            client = self._discovered()
            wanted = {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
            }
            token = client.authorize_access_token(claims_options=wanted, leeway=CLOCK)
            claims = token.get("userinfo")
            if not claims:
                raise ValueError("the answer has no ID token")
            return self._read({**self._more(client, token, claims), **claims})

    def _more(self, client: Any, token: Any, claims: Any) -> dict[str, Any]:
        """Some providers keep the address out of the token, and tell it when asked."""
        if claims.get("email"):
            return {}
        if not client.server_metadata.get("userinfo_endpoint"):
            return {}
        more: dict[str, Any] = client.userinfo(token=token)
        return more if more.get("sub") == claims["sub"] else {}

    def _read(self, claims: dict[str, Any]) -> Identity:
        key = hashlib.sha256(f"{self.issuer}\n{claims['sub']}".encode()).hexdigest()
        return Identity(
            key=key,
            email=claims.get("email") or None,
            verified=claims.get("email_verified") in (True, "true"),
            auth_time=claims.get("auth_time"),
        )

    def _discovered(self) -> Any:
        """Authlib's client, once the provider has told where its doors are."""
        if self._client is None:
            self._client = self._register()
        metadata = self._client.load_server_metadata()
        if metadata.get("issuer") != self.issuer:
            self._client = None
            raise ValueError(f"it calls itself {metadata.get('issuer')!r}, not {self.issuer!r}")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [
            name for name in offered if name in ALGORITHMS
        ]
        return self._client

    def _register(self) -> Any:
        from authlib.integrations.flask_client import OAuth  # type: ignore[import-untyped]

        return OAuth(self._app).register(
            CLIENT,
            client_id=self._settings.oidc_client_id,
            client_secret=self._settings.oidc_client_secret,
            server_metadata_url=self.issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email",
                "code_challenge_method": "S256",
                "default_timeout": PATIENCE,
            },
        )

    @contextmanager
    def _said_in_words(self) -> Iterator[None]:
        """Whatever fails between us and the provider: details to the log, words to the person."""
        from authlib.integrations.base_client.errors import (  # type: ignore[import-untyped]
            MismatchingStateError,
            OAuthError,
        )
        from joserfc.errors import JoseError
        from requests import RequestException

        try:
            yield
        except MismatchingStateError as error:
            raise SignOnError(
                "This log-in was begun in another window, or too long ago. Start again."
            ) from error
        except RequestException as error:
            log.warning(
                "Single sign-on: %(issuer)s cannot be reached: %(reason)s",
                {"issuer": self.issuer, "reason": error},
            )
            raise SignOnError(
                f"{self.name} does not answer at the moment. Try again later, or log in with your "
                "password."
            ) from error
        except (OAuthError, JoseError, ValueError, KeyError, TypeError, RuntimeError) as error:
            log.warning(
                "Single sign-on: refused what %(issuer)s said: %(reason)s",
                {"issuer": self.issuer, "reason": error},
            )
            raise SignOnError(
                f"{self.name} did not log you in. Try again; if it stays, whoever runs this server "
                "finds the reason in its log."
            ) from error


def init_app(app: Flask, settings: Settings) -> None:
    if settings.oidc_issuer:
        app.extensions[EXTENSION] = Provider(app, settings)


def provider() -> Provider | None:
    """The company's provider; None where there is no single sign-on."""
    return current_app.extensions.get(EXTENSION)
