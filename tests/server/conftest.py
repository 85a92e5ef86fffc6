"""What all tests of the server share."""

from collections.abc import Iterator

import pytest

from flask_performance.server.accounts import setup


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords at the least cost: thousands of log-ins in tests need no slow guesser.

    Platforms of their own process, and `test_passwords_are_hashed_slowly`, keep the real one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "ARGON2", {"memory_cost": 8, "time_cost": 1, "parallelism": 1})
        yield
