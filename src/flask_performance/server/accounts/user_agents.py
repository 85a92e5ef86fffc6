"""A browser's User-Agent header in words that its owner recognises."""

from typing import Final

from .models import NAME_LENGTH

#: What the header contains, and what people call it; the first that fits. Nearly every browser
#: says that it is also Chrome and Safari, so these come last.
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def words(user_agent: str) -> str:
    """ "Firefox on Linux"; of something else its own first word, such as "curl"."""
    browser = _first(BROWSERS, user_agent) or _first_word(user_agent)
    system = _first(SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(table: tuple[tuple[str, str], ...], text: str) -> str | None:
    return next((name for sign, name in table if sign in text), None)


def _first_word(user_agent: str) -> str:
    word = user_agent.split("/")[0].split(" ")[0][: NAME_LENGTH // 2]
    return word if word and word.isprintable() else "Unknown program"
