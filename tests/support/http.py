"""HTTP as tests need it: every status is an answer, nothing is pooled."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage  # names in any case
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
) -> Answer:
    """One request on its own connection; no redirect is followed."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target or "/", body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def answers(url: str, status: int = 200) -> bool:
    """Whether a GET of the address gives this status now; an unreachable one does not."""
    try:
        return fetch(url, timeout=2).status == status
    except (OSError, HTTPException):
        return False


class Api:
    """The REST API with one person's token."""

    def __init__(self, base: str, token: str) -> None:
        self.base = f"{base}/api/v1"
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **parameters: str | int) -> Any:
        """The decoded answer. Raises AssertionError with the answer when it is not a 200."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        answer = fetch(f"{self.base}{path}{query}", headers=self.headers)
        assert answer.status == 200, f"GET {path}{query}: {answer.status} {answer.body!r}"
        return answer.json()

    def items(self, path: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Every item of a list, page by page."""
        page = self.get(path, **parameters)
        found: list[dict[str, Any]] = page["items"]
        while page["next"] is not None:
            page = self.get(path, **{**parameters, "cursor": page["next"]})
            found += page["items"]
        return found
