"""What forms share: the name that a person gives to a thing, and the refusal of it at its field."""

from typing import Any

from flask_performance.server.accounts import names


def given(field: Any, thing: str) -> str:
    """The name in a field. Raises RefusedError with what to do, in the words of the form."""
    if not (field.data or "").strip():
        raise names.RefusedError(f"Give the {thing} a name.")
    return names.clean_name(field.data)


def refuse(field: Any, error: Exception) -> None:
    """Say at a field why its value cannot be used."""
    field.errors = [*field.errors, str(error)]
