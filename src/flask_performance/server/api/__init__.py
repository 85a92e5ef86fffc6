"""The REST API: `/api/v1`, for programs. It reads the store and the accounts.

Who asks is known by a bearer token alone: no cookie counts here, so there is no CSRF to fear.
"""

from .blueprint import init_app

__all__ = ["init_app"]
