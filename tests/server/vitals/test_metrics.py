"""`/metrics`: every number is right, named in the docs, well-formed, and no stranger's."""

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from flask_performance.server.app import platform as joined
from flask_performance.server.settings import Settings
from flask_performance.server.vitals.families import FAMILIES, PROCESS
from tests.server.batches import batch, zipped
from tests.support.asgi import call
from tests.support.browserless import log_in
from tests.support.http import Answer, fetch
from tests.support.platform import EMAIL, Platform, Project
from tests.support.waiting import wait_for

DOCUMENT = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
TOKEN = "a-token-of-many-characters"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="`make promtool` installs promtool")


class Numbers:
    """The samples of one answer."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
        self.samples = {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        prefix = "" if name.startswith("process_") else "flask_performance_"
        return float(self.samples[f"{prefix}{name}", *sorted(labels.items())])

    def has(self, name: str, **labels: str) -> bool:
        return (f"flask_performance_{name}", *sorted(labels.items())) in self.samples


def read(platform: Platform, **headers: str) -> Numbers:
    answer = fetch(f"{platform.url}/metrics", headers=headers)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return Numbers(answer.body.decode())


# -- in this process ------------------------------------------------------------------------------


Ask = Callable[..., Answer]


@contextmanager
def server(**settings: Any) -> Iterator[Ask]:
    """Asks a server in this process, from an address, on its one event loop."""
    with joined(Settings(**settings)) as parts, asyncio.Runner() as runner:

        def ask(client: str | None = "127.0.0.1", **headers: str) -> Answer:
            whence = (client, 1) if client else None
            asked = call(parts.asgi, "/metrics", "GET", headers=headers, client=whence)
            answer = runner.run(asked)
            assert answer is not None
            return answer

        yield ask


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    with server(data=tmp_path_factory.mktemp("data")) as ask:
        yield ask


def test_every_metric_is_in_the_docs_and_the_other_way_round(ask: Ask) -> None:
    rows = re.findall(r"^\| `((?:flask_performance|process)_\w+)` \| (\w+) \| (.*?) \| (.*) \|$",
                      DOCUMENT, re.MULTILINE)  # fmt: skip
    shown = {f.shown: (f.kind, ", ".join(f"`{one}`" for one in f.labels), f.meaning)
             for f in FAMILIES}  # fmt: skip
    documented = {name: tuple(more) for name, *more in rows}
    assert set(documented) == set(shown) | set(PROCESS)
    assert {name: row for name, row in documented.items() if name in shown} == shown
    told = {family.name for family in Numbers(ask().body.decode()).families}
    of_workers = {name for name in documented if "_worker_" in name}  # there are none here
    meant = {re.sub("_(total|info)$", "", name) for name in set(documented) - of_workers}
    assert told == meant


def test_who_asks_for_the_older_text_gets_it(ask: Ask) -> None:
    old = ask(Accept="text/plain;version=0.0.4")
    assert old.headers["content-type"].startswith("text/plain; version=")
    assert "# EOF" not in old.body.decode()
    prometheus = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    assert ask(Accept=prometheus).body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.9.9.9", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.1", {}, 403),
        ("::ffff:10.0.0.1", {}, 403),
        (None, {}, 403),
        # A proxy that nobody told us of: its visitors come from anywhere.
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, 403),
    ],
)
def test_without_a_token_they_are_for_this_machine(
    ask: Ask, client: str | None, headers: dict[str, str], status: int
) -> None:
    assert ask(client, **headers).status == status


@pytest.mark.parametrize(
    ("forwarded", "status"), [("10.0.0.1", 403), ("127.0.0.1, 10.0.0.1", 403), ("127.0.0.1", 200)]
)
def test_behind_a_proxy_the_address_is_what_the_proxy_saw(
    tmp_path: Path, forwarded: str, status: int
) -> None:
    with server(data=tmp_path, proxies=1) as ask:
        assert ask(**{"X-Forwarded-For": forwarded}).status == status
        assert ask().status == 200


def test_a_token_opens_them_to_its_holder_alone(tmp_path: Path) -> None:
    with server(data=tmp_path, metrics_token=TOKEN) as ask:
        for client in ("127.0.0.1", "10.0.0.1"):
            for wrong in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
                refused = ask(client, **wrong)
                assert refused.status == 401
                assert refused.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in refused.body.decode()
            assert ask(client, Authorization=f"Bearer {TOKEN}").status == 200


# -- a whole server -------------------------------------------------------------------------------


@pytest.mark.slow
def test_they_count_what_happens(platform: Platform, project: Project) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    for number in (1, 2):
        assert fetch(project.dsn, "POST", zipped(batch(number)), headers).status == 202
    wait_for(lambda: read(platform)("stored_requests_total") == 6, 20, "six stored requests")
    project.requests()
    project.get("summary")
    assert fetch(project.dsn, "POST", b"{", {"Content-Type": "application/json"}).status == 400
    assert fetch(f"{platform.url}/v1/collector/{'0' * 32}", "POST", b"{}").status == 401
    assert fetch(f"{platform.url}/v1/nothing", "POST", b"{}").status == 404

    def saved() -> bool:
        return read(platform)("job_runs_total", job="save what the collector counted") > 0

    wait_for(saved, 20, "the first run of timed work")
    with pytest.raises(AssertionError):  # it leads back to the form
        log_in(f"{platform.url}/projects", EMAIL, "a wrong password")
    numbers = read(platform)
    assert numbers("sign_in_failures_total", kind="password") == 1
    assert numbers("sign_in_failures_total", kind="code") == 0
    assert (numbers("accepted_batches_total"), numbers("accepted_requests_total")) == (2, 6)
    for reason, count in {
        "malformed": 1, "unknown_key": 1, "wrong_address": 1, "busy": 0, "minute_quota": 0,
    }.items():  # fmt: skip
        assert numbers("refused_batches_total", reason=reason) == count
    assert (numbers("queue_batches"), numbers("queue_bytes")) == (0, 0)
    assert numbers("queue_oldest_age_seconds") == 0
    assert (numbers("stored_batches_total"), numbers("stored_requests_total")) == (2, 6)
    assert 0 <= time.time() - numbers("stored_last_timestamp_seconds") < 600
    assert numbers("ingest_lag_seconds_count") == numbers("stored_blocks_total") > 0
    assert numbers("ingest_lag_seconds_sum") < 60
    assert numbers("queue_commit_seconds_count") >= 1
    assert numbers("store_rows", tier="raw") == 6
    assert numbers("store_question_seconds_count", question="summary") >= 1
    assert numbers("store_question_seconds_count", question="requests") == 1
    assert numbers("file_bytes", file="events") > 1000
    assert numbers("dead_letters") == 0
    assert {numbers("part_ready", part=part) for part in ("accounts", "queue", "store")} == {1}
    assert numbers("process_resident_memory_bytes") > 10_000_000
    assert numbers("job_failures_total", job="add new requests to the rollups") == 0
    assert numbers("log_lines_total", level="info") >= 1


@pytest.mark.slow
@needs_promtool
def test_promtool_finds_no_fault(ask: Ask) -> None:
    text = ask(Accept="text/plain").body
    promtool("check", "metrics", stdin=text)


def blocks(name: str) -> str:
    """A file that the docs show."""
    found = re.search(rf"```yaml\n# {re.escape(name)}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, name
    return found[1]


def promtool(*arguments: str, stdin: bytes = b"", folder: Path | None = None) -> None:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], input=stdin, capture_output=True, check=False, cwd=folder
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.slow
@needs_promtool
def test_the_scrape_configuration_of_the_docs_is_one(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    text = blocks("prometheus.yml").replace("/etc/prometheus/flask-performance.token", "token")
    (tmp_path / "prometheus.yml").write_text(text)
    promtool("check", "config", "prometheus.yml", folder=tmp_path)


#: Minutes of a server that fails in each of the ways, and which alerts there are then.
ALERTS = """
rule_files: [flask-performance.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="flask-performance", instance="a"}', values: '1x800'}
      - {series: 'flask_performance_part_ready{part="store", instance="a"}', values: '1x10 0x790'}
      - {series: 'flask_performance_queue_oldest_age_seconds{instance="a"}', values: '0x10 90x790'}
      - {series: 'flask_performance_queue_batches{instance="a"}', values: '0x10 5x790'}
      - {series: 'flask_performance_stored_last_timestamp_seconds{instance="a"}', values: '0x800'}
      - series: 'flask_performance_worker_messages_total{event="given back", instance="a"}'
        values: '0x10 1+1x790'
      - {series: 'flask_performance_dead_letters{instance="a"}', values: '0x10 1x790'}
      - {series: 'flask_performance_disk_free_bytes{instance="a"}', values: '1e9-1e6x800'}
    alert_rule_test:
      - {eval_time: 9m, alertname: FlaskPerformancePartFails, exp_alerts: []}
      - {eval_time: 9m, alertname: FlaskPerformanceFallsBehind, exp_alerts: []}
      - {eval_time: 9m, alertname: FlaskPerformanceSetAside, exp_alerts: []}
      - {eval_time: 9m, alertname: FlaskPerformanceStandsStill, exp_alerts: []}
      - {eval_time: 9m, alertname: FlaskPerformanceGivesBack, exp_alerts: []}
"""
FIRES = """      - eval_time: 12h
        alertname: %s
        exp_alerts:
          - exp_labels: {%s}
            exp_annotations: {summary: "%s"}
"""


@pytest.mark.slow
@needs_promtool
def test_the_alerts_of_the_docs_come_when_they_should(tmp_path: Path) -> None:
    rules = blocks("flask-performance.rules.yml")
    (tmp_path / "flask-performance.rules.yml").write_text(rules)
    promtool("check", "rules", "flask-performance.rules.yml", folder=tmp_path)
    used = set(re.findall(r"flask_performance_\w+", rules))
    assert used <= {family.shown for family in FAMILIES}
    labels = {
        "FlaskPerformancePartFails": "instance: a, part: store",
        "FlaskPerformanceGivesBack": "event: given back, instance: a",
    }
    test = ALERTS
    for alert, summary in re.findall(r'alert: (\w+).*?summary: "(.*?)"', rules, re.DOTALL):
        said = summary.replace("{{ $labels.instance }}", "a").replace("{{ $labels.part }}", "store")
        test += FIRES % (alert, labels.get(alert, "instance: a"), said)
    assert test.count("eval_time: 12h") == 6
    (tmp_path / "test.yml").write_text(test)
    promtool("test", "rules", "test.yml", folder=tmp_path)
