"""What the shop sells: books, made up once and the same in every process."""

from dataclasses import dataclass
from typing import Final

CATEGORIES: Final = ("novels", "travel", "cooking", "science", "children", "maps")

_ADJECTIVES: Final = ("Quiet", "Northern", "Salted", "Curious", "Paper", "Late", "Hidden", "Blue")
_NOUNS: Final = (
    "Harbour", "Orchard", "Comet", "Kitchen", "Lighthouse", "Atlas", "Garden", "River", "Winter",
    "Machine",
)  # fmt: skip
_AUTHORS: Final = ("E. Marsh", "T. Okafor", "L. Brandt", "S. Ito", "M. Duarte", "R. Novak")


@dataclass(frozen=True)
class Book:
    id: int
    title: str
    author: str
    category: str
    price_cents: int
    stock: int

    @property
    def price(self) -> str:
        return f"{self.price_cents / 100:.2f}"


def _book(number: int) -> Book:
    adjective = _ADJECTIVES[number % len(_ADJECTIVES)]
    noun = _NOUNS[number // len(_ADJECTIVES) % len(_NOUNS)]
    return Book(
        id=number + 1,
        title=f"The {adjective} {noun}",
        author=_AUTHORS[number * 7 % len(_AUTHORS)],
        category=CATEGORIES[number * 5 % len(CATEGORIES)],
        price_cents=790 + number * 137 % 3200,
        stock=number * 11 % 17,
    )


BOOKS: Final = tuple(_book(number) for number in range(len(_ADJECTIVES) * len(_NOUNS)))


def find(book_id: int) -> Book | None:
    return BOOKS[book_id - 1] if 1 <= book_id <= len(BOOKS) else None


def in_category(category: str) -> list[Book]:
    return [book for book in BOOKS if book.category == category]


def search(words: str) -> list[Book]:
    """Books whose title or author contains every word."""
    wanted = words.lower().split()
    return [
        book
        for book in BOOKS
        if all(word in f"{book.title} {book.author}".lower() for word in wanted)
    ]
