"""Texts from outside, made fit to be sent.

A Python text may hold lone surrogates (a file name's undecodable bytes, half an emoji from a hook).
JSON made of them is no UTF-8, and the platform would refuse the batch with all its requests.
"""


def sendable(text: str) -> str:
    """`text` itself, or with "?" in place of each lone surrogate."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def shown(value: object, most: int) -> str:
    """Whatever a hook names as a text of at most `most` characters. Raises what its `str` does."""
    return sendable(str(value)[:most])


def whole(header: str | int | None) -> int | None:
    """A length in bytes, None where the header is absent or no length."""
    if header is None or isinstance(header, int):
        return header
    return int(header) if header.isdecimal() and header.isascii() and len(header) < 19 else None
