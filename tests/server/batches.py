"""What clients post, as documents to send or to spoil."""

import gzip
import json
from typing import Any

import msgspec

START_US = 1_763_726_400_000_000


def batch(number: int = 1, requests: int = 3, **members: Any) -> dict[str, Any]:
    """A good batch of version 1; `members` replace its own."""
    document: dict[str, Any] = {
        "version": 1,
        "instance": {"id": "a" * 32, "host": "web-1", "pid": 7, "environment": "production"},
        "batch": number,
        "sent_us": START_US,
        "ledger": {"seen": number * requests, "sent": number * requests, "dropped": {}},
        "operations": [{"method": "GET", "route": "/users/<id>", "endpoint": "users"}],
        "requests": {
            "start_us": [START_US + place for place in range(requests)],
            "duration_us": [1000] * requests,
            "operation": [0] * requests,
            "status": [200] * requests,
            "path": [f"/users/{number}-{place}" for place in range(requests)],
        },
    }
    return document | members


def single(**members: Any) -> dict[str, Any]:
    """What the client of 2019 posts for one request; `members` replace its own."""
    return {
        "time_used": 0.0123,
        "created_at": "2019-05-15 08:00:00.123456",
        "path": "/users/7",
        "status_code": 200,
        "method": "GET",
        "endpoint": "users",
    } | members


def body(document: Any) -> bytes:
    return json.dumps(document).encode()


def zipped(document: Any) -> bytes:
    return gzip.compress(body(document))


def plain(message: Any) -> Any:
    """A decoded message as JSON has it; in columns of numbers -1 stands for what is not known."""
    return msgspec.to_builtins(message, enc_hook=lambda column: column.tolist())
