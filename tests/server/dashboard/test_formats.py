"""How numbers read. The front end's tests check the `.json` files here too."""

import json
from pathlib import Path

import pytest

from flask_performance.server.dashboard import formats

NUMBERS = json.loads(Path(__file__).with_name("numbers.json").read_text())
SHARES = json.loads(Path(__file__).with_name("shares.json").read_text())
DURATIONS = json.loads(Path(__file__).with_name("durations.json").read_text())


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_three_significant_digits(value: float, text: str) -> None:
    assert formats.significant(value) == text


@pytest.mark.parametrize(("share", "per_cent", "apdex"), SHARES)
def test_shares_are_per_cent_and_apdex_two_digits(share: float, per_cent: str, apdex: str) -> None:
    assert (formats.percent(share), formats.apdex(share)) == (per_cent, apdex)


@pytest.mark.parametrize(
    ("values", "symbol"),
    [
        ([640.0, 320.0, None], "ms"),
        ([12.0, 40.0], "µs"),
        ([182_000.0, 91_000.0], "ms"),
        ([1_240_000.0, 2_000_000.0, 900.0], "s"),
        ([299e6], "s"),
        ([300e6], "min"),
        ([5 * 3_600e6], "h"),
        ([31_622_400e6], "y"),
        ([None, None], "ms"),
    ],
)
def test_a_column_has_the_unit_of_its_typical_duration(
    values: list[float | None], symbol: str
) -> None:
    assert formats.duration_unit(values).symbol == symbol


@pytest.mark.parametrize(
    ("sizes", "symbol"), [([], "B"), ([999, 4], "B"), ([40_000, 50_000], "kB"), ([10**9] * 2, "GB")]
)
def test_a_column_has_the_unit_of_its_typical_size(sizes: list[int], symbol: str) -> None:
    assert formats.byte_unit(sizes).symbol == symbol


@pytest.mark.parametrize(("value", "symbol", "size", "text"), DURATIONS)
def test_a_duration_far_off_its_column_takes_its_own_unit(
    value: float, symbol: str, size: float, text: str
) -> None:
    unit = next(unit for unit in formats.DURATIONS if unit.symbol == symbol)
    assert unit.size == size
    assert unit.show(value) == text


@pytest.mark.parametrize(
    ("typical", "value", "text"),
    [
        (500, 0, "0"),
        (500, 68, "68"),
        (500, 1_483, "1,483"),
        (500, 2_310_000, "2.31 MB"),
        (40_000, 1_483, "1.48"),
        (40_000, 68, "68 B"),
        (4_000_000, 40_000, "0.0400"),
        (4_000_000, 10**15, "1.00 PB"),
    ],
)
def test_bytes_are_whole(typical: int, value: int, text: str) -> None:
    assert formats.byte_unit([typical]).show(value) == text


@pytest.mark.parametrize(
    ("rates", "symbol"),
    [
        ([], "/s"),
        ([0.0, 0.0], "/s"),
        ([250_000.0], "k/s"),
        ([65.0, 3.0, 0.01], "/s"),
        ([0.1], "/s"),
        ([0.02, 0.0, 0.0], "/min"),
        ([0.001], "/h"),
        ([0.00003], "/d"),
    ],
)
def test_slow_rates_are_per_minute_hour_or_day(rates: list[float], symbol: str) -> None:
    assert formats.rate_unit(rates).symbol == symbol


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1.9, "1 s"), (59.9, "59 s"), (61, "1 min"), (7_300, "2 h"), (9e5, "10 d")],
)
def test_a_span_is_a_length_in_words(seconds: float, words: str) -> None:
    assert formats.span(seconds) == words


def test_missing_is_a_dash_and_never_zero() -> None:
    assert formats.MILLISECONDS.show(None) == "–"
    assert formats.MILLISECONDS.show(0) == "0"
    assert formats.count(None) == "–"
    assert formats.percent(None) == "–"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (0.00001, "< 0.01"), (0.00386, "0.386"), (0.5, "50.0"), (1, "100")],
)
def test_a_share_reads_in_per_cent(share: float, text: str) -> None:
    assert formats.percent(share) == text


def test_rows_have_ids_of_their_own() -> None:
    ids = {formats.element_id(*parts) for parts in [("GET", "/a"), ("GET/", "a"), ("GET", "/b")]}
    assert len(ids) == 3
    assert formats.element_id("GET", "/\ud800") == formats.element_id("GET", "/\ud800")
