"""Names that people give to things, and the refusal of what cannot be used."""

from .models import NAME_LENGTH


class RefusedError(ValueError):
    """A name, address or password that cannot be used. The message is a sentence for the person."""


def clean_name(name: str) -> str:
    """The name without space around it. Raises RefusedError unless 1 to 80 characters remain."""
    name = " ".join(name.split())
    if not name.isprintable():
        raise RefusedError("A name cannot contain control characters; leave them out.")
    if not 1 <= len(name) <= NAME_LENGTH:
        found = f"has {len(name)}" if name else "is empty"
        raise RefusedError(f"A name has 1 to {NAME_LENGTH} characters, but this one {found}.")
    return name
