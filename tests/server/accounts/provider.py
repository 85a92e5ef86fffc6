"""A small OpenID Connect provider on this machine: real HTTP, real signatures, told what to say."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from flask import Flask, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT = "flask-performance"
SECRET = "a client's secret"


class Provider:
    """Somebody is always logged in here; `claims` says who, and whatever a test makes of it."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        #: What it signs with; another one is a forgery.
        self.signs_with = self.key
        self.algorithm = "RS256"
        self.claims: dict[str, Any] = {
            "sub": "ada-1", "email": "ada@example.org", "email_verified": True,
        }  # fmt: skip
        self.userinfo: dict[str, Any] = {}
        self.calls_itself: str | None = None
        #: What the last authorization request asked for.
        self.asked: dict[str, str] = {}
        self.issuer = ""
        self._codes: dict[str, dict[str, str]] = {}

    def app(self) -> Flask:
        app = Flask("provider")
        app.add_url_rule("/.well-known/openid-configuration", view_func=self.discovery)
        app.add_url_rule("/authorize", view_func=self.authorize)
        app.add_url_rule("/token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/keys", view_func=self.keys)
        app.add_url_rule("/userinfo", view_func=lambda: jsonify(self.userinfo), endpoint="userinfo")
        return app

    def discovery(self) -> ResponseReturnValue:
        return jsonify(
            issuer=self.calls_itself or self.issuer,
            authorization_endpoint=self.issuer + "/authorize",
            token_endpoint=self.issuer + "/token",
            jwks_uri=self.issuer + "/keys",
            userinfo_endpoint=self.issuer + "/userinfo",
            id_token_signing_alg_values_supported=["RS256", "HS256", "none"],
            response_types_supported=["code"],
        )

    def authorize(self) -> ResponseReturnValue:
        self.asked = request.args.to_dict()
        code = secrets.token_hex(8)
        self._codes[code] = self.asked
        back = {"code": code, "state": self.asked["state"]}
        return redirect(f"{self.asked['redirect_uri']}?{urlencode(back)}")

    def token(self) -> ResponseReturnValue:
        """A code works once, for the client that proves who it is and that it began this."""
        asked = self._codes.pop(request.form["code"], None)
        told = request.authorization
        digest = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        challenge = part(digest).decode()
        known = told is not None and (told.username, told.password) == (CLIENT, SECRET)
        if asked is None or not known or asked["code_challenge"] != challenge:
            return jsonify(error="invalid_grant"), 400
        return jsonify(access_token="a", token_type="Bearer", id_token=self.id_token(asked))

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": asked["nonce"], **self.claims,
        }  # fmt: skip
        said = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        if self.algorithm != "RS256":
            return self.forgery(header, said)
        return jwt.encode(header, said, self.signs_with, algorithms=[self.algorithm])

    def forgery(self, header: dict[str, str], claims: dict[str, Any]) -> str:
        """As no library would: the public key as a shared secret, or no signature at all."""
        content = b".".join(part(json.dumps(one).encode()) for one in (header, claims))
        public = self.key.as_pem(private=False)
        signature = hmac.digest(public, content, "sha256") if self.algorithm == "HS256" else b""
        return (content + b"." + part(signature)).decode()

    def keys(self) -> ResponseReturnValue:
        return jsonify(keys=[self.key.as_dict(private=False)])


def part(content: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=")


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()
    server = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
