"""What pages say of a change: the word, the figures, and how sure that is."""

import dataclasses
import re
import time
from html import unescape

import msgspec
import pytest

from flask_performance.server.dashboard.panels import comparison
from flask_performance.server.store.base import Stats
from flask_performance.server.store.block import Block
from flask_performance.server.store.verdict import Verdict
from tests.server.store.builders import block

from .conftest import World


def stats(requests: int, p50_us: float, p95_us: float, errors: int = 0) -> Stats:
    return Stats(
        requests=requests, errors=errors, duration_us=1, p50_us=p50_us, p95_us=p95_us, p99_us=p95_us
    )


def test_a_slower_period_says_by_how_much_and_how_sure_that_is() -> None:
    verdict = Verdict(kind="slower", whole=True, tail=True, slower=0.71, chance=1e-30)
    said = comparison.times(verdict, stats(900, 240_000, 900_000), stats(800, 182_000, 899_000))
    assert (said.word, said.sense) == ("Slower", "worse")
    assert said.figures == "p50 182 → 240 ms (+32 %), p95 899 → 900 ms (+0.111 %)"
    assert said.why.startswith("Not chance (p < 0.0001): ")
    assert "71 of 100" in said.why


def test_what_may_be_chance_says_how_likely_that_is() -> None:
    now, before = stats(222, 97_800, 396_000), stats(375, 88_500, 292_000)
    said = comparison.times(Verdict(kind="same", chance=0.069), now, before)
    assert said.word == "No proven difference"
    assert said.why == "Chance does as much (p = 0.069; it is called real below 0.0033)"


def test_what_is_no_chance_but_too_small_is_no_difference() -> None:
    now, before = stats(900_000, 97_800, 396_000), stats(800_000, 96_500, 392_000)
    said = comparison.times(Verdict(kind="same", chance=1e-9), now, before)
    assert said.word == "No real difference"
    assert said.why == "What is not chance (p < 0.0001) is less than 5.00 %"


def test_few_and_none_are_told_apart() -> None:
    few = Verdict(kind="few")
    said = comparison.times(few, stats(12, 1, 1), stats(9, 1, 1))
    assert f"{said.word} ({said.figures})" == "Too few requests to say (12 and 9)"
    assert comparison.times(few, stats(12, 1, 1), stats(0, 1, 1)).word == "Nothing to compare with"


def test_errors_have_a_verdict_of_their_own() -> None:
    now, before = stats(1_000, 1, 1, errors=40), stats(1_000, 1, 1, errors=5)
    said = comparison.errors(Verdict(kind="same", errors=True, errors_chance=1e-9), now, before)
    assert said is not None
    assert (said.word, said.figures) == ("More errors", "0.500 → 4.00 % of requests")
    none = stats(1_000, 1, 1)
    assert comparison.errors(Verdict(kind="same"), none, none) is None


def receive(world: World, release: str, count: int, ago_s: int, duration_us: int) -> None:
    now_us = time.time_ns() // 1000
    at_us = now_us - ago_s * 1_000_000
    rows: list[dict[str, object]] = [
        {
            "operation": "GET /slow",
            "start_us": at_us - place,
            "duration_us": duration_us + 20 * place,
        }
        for place in range(count)
    ]
    batch = block(rows, project_id=world.mine_id, wire_id=release.rjust(32, "0"), received_us=at_us)
    world.store.append(released(batch, release), world.store.position() + 1)


def released(batch: Block, release: str) -> Block:
    keys = [msgspec.structs.replace(key, release=release) for key in batch.instances]
    return dataclasses.replace(batch, instances=keys)


def said(world: World, query: str = "") -> list[str]:
    path = f"/projects/{world.mine}/operations?method=GET&route=/slow{query}"
    panel = world.person().get(path).text.split('id="panel-comparison"')[1].split("</section>")[0]
    return [
        unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", one))).strip()
        for one in re.findall(r"<dt>(.*?)</dd>", panel, re.DOTALL)
    ]


def test_an_operation_is_compared_with_before_and_by_release(world: World) -> None:
    receive(world, "1.0", 200, ago_s=1_200, duration_us=10_000)
    receive(world, "1.1", 200, ago_s=300, duration_us=10_100)
    receive(world, "1.2", 200, ago_s=100, duration_us=30_000)
    period, release = said(world)
    assert "400 against 200 requests" in period
    assert "Slower : p50" in period
    assert release.startswith("1.2 against 1.1")
    assert "Slower : p50" in release
    assert "Not chance" in release
    assert said(world, "&newer=1.1&older=1.0")[1].endswith("the older side has no request.")
    same = said(world, "&range=1h&newer=1.1&older=1.0")[1]
    assert "No proven difference : p50" in same


def test_the_choice_of_releases_is_a_form_that_keeps_the_rest(world: World) -> None:
    for release in ("1.0", "1.1"):
        receive(world, release, 5, ago_s=100, duration_us=1_000)
    path = f"/projects/{world.mine}/operations?method=GET&route=/slow&range=1h&status=2xx"
    form = world.person().get(path).text.split('class="inline-form"')[1].split("</form>")[0]
    hidden = re.findall(r'name="(\w+)" value="([^"]*)"', form)
    assert dict(hidden) == {"range": "1h", "method": "GET", "route": "/slow", "status": "2xx"}
    assert re.findall(r"<option selected>([^<]+)", form) == ["1.1", "1.0"]


@pytest.mark.parametrize("query", ["&newer=1.0", "&older=1.1", "&newer=gone&older=1.0"])
def test_a_release_of_the_address_may_be_any(world: World, query: str) -> None:
    for release in ("1.0", "1.1"):
        receive(world, release, 40, ago_s=100, duration_us=1_000)
    assert len(said(world, query)) in (1, 2)


def test_the_overview_says_it_in_a_line(world: World) -> None:
    receive(world, "1.0", 200, ago_s=1_200, duration_us=10_000)
    receive(world, "1.1", 200, ago_s=100, duration_us=30_000)
    text = world.person().get(f"/projects/{world.mine}").text
    assert '<p class="verdict"><b class="change-worse">Slower</b>' in text
