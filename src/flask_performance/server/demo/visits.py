"""What visitors do: one table of visits, each a few real requests over loopback HTTP."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlencode

from .chance import dice, happens, skewed
from .shop.catalogue import BOOKS, CATEGORIES

#: The slowest page of the shop takes about 2 s, in the worst case some more.
TIMEOUT_SECONDS: Final = 15.0


@dataclass
class Visitor:
    """A browser without a screen: one connection, one cookie, no redirect followed."""

    host: str
    port: int
    cookie: str = ""
    _connection: HTTPConnection | None = field(default=None, repr=False)

    def send(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> int:
        """One request, read to its end; its status, or 0 where the answer broke off."""
        connection = self._connect()
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        # As the proxy in front of a shop does, so that the time in the queue is known.
        stamp = {"X-Request-Start": f"t={time.time():.6f}"}
        try:
            connection.request(
                method, path, body=body, headers={**cookie, **stamp, **(headers or {})}
            )
            response = connection.getresponse()
            self.cookie = (response.getheader("Set-Cookie") or self.cookie).partition(";")[0]
            response.read()
        except (OSError, HTTPException):
            self.leave()
            return 0
        return response.status

    def get(self, path: str) -> int:
        return self.send("GET", path)

    def post(self, path: str, **fields: object) -> int:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", path, urlencode(fields), form)

    def post_json(self, path: str, text: str) -> int:
        return self.send("POST", path, text, {"Content-Type": "application/json"})

    def walk_out(self, path: str) -> None:
        """Ask for a long answer, read its beginning, and hang up."""
        connection = self._connect()
        try:
            connection.request("GET", path)
            connection.getresponse().read(64)
        except (OSError, HTTPException):
            pass
        self.leave()

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> HTTPConnection:
        if self._connection is None:
            self._connection = HTTPConnection(self.host, self.port, timeout=TIMEOUT_SECONDS)
        return self._connection


def _book() -> int:
    return BOOKS[skewed(len(BOOKS))].id


def browse(visitor: Visitor) -> None:
    visitor.get("/")
    visitor.get(f"/categories/{dice.choice(CATEGORIES)}/")
    look(visitor)


def look(visitor: Visitor) -> None:
    book = _book()
    visitor.get(f"/books/{book}")
    visitor.get(f"/covers/{book}.svg")


def find(visitor: Visitor) -> None:
    words = dice.choice(["harbour", "comet", "kit", "the", "lighthouse brandt", "atlas", "zzz"])
    visitor.get(f"/search?{urlencode({'q': words})}")
    if words != "zzz":
        look(visitor)


def buy(visitor: Visitor) -> None:
    look(visitor)
    visitor.post("/cart", book=_book())
    visitor.get("/cart")
    if visitor.post("/checkout") == 303:
        visitor.get("/thanks")


def use_phone(visitor: Visitor) -> None:
    """The phone app: JSON in and out, a HEAD to see whether it is online."""
    visitor.send("HEAD", "/")
    visitor.get("/api/stock")
    visitor.get(f"/api/books/{_book()}/reviews")
    if happens(0.4):
        stars = dice.choice([3, 4, 5, 5, 9])
        visitor.post_json(f"/api/books/{_book()}/reviews", f'{{"stars": {stars}}}')


def follow_old_links(visitor: Visitor) -> None:
    """Bookmarks of a former shop: a redirect to the slash, a book that is gone, a wrong method."""
    visitor.get("/categories")
    visitor.get("/books/4711")
    visitor.send("DELETE", f"/books/{_book()}")
    visitor.send("OPTIONS", "/cart")


def probe(visitor: Visitor) -> None:
    """A bot that looks for other people's software."""
    for path in ("/wp-login.php", "/.env", "/admin/config.php", "/robots.txt"):
        visitor.get(path)


def break_phone(visitor: Visitor) -> None:
    visitor.post_json(f"/api/books/{_book()}/reviews", "{not json")


def export(visitor: Visitor) -> None:
    visitor.get("/backoffice/export.csv")


def leave_export(visitor: Visitor) -> None:
    visitor.walk_out("/backoffice/export.csv?pages=30")


def report(visitor: Visitor) -> None:
    visitor.get(f"/backoffice/reports/{dice.choice(['day', 'day', 'week', 'month'])}")


#: What a visitor came for, and how often of a hundred.
VISITS: Final[tuple[tuple[Callable[[Visitor], None], float], ...]] = (
    (browse, 32),
    (look, 22),
    (find, 14),
    (buy, 11),
    (use_phone, 12),
    (follow_old_links, 3),
    (probe, 1.5),
    (break_phone, 1),
    (export, 1.5),
    (leave_export, 1),
    (report, 1),
)


def any_visit() -> Callable[[Visitor], None]:
    return dice.choices([visit for visit, _ in VISITS], [weight for _, weight in VISITS])[0]
