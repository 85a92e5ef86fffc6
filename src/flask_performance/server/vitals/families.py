"""Every metric: its name, kind, labels and meaning. `docs/operations.md` shows the same table."""

from typing import Final, Literal, NamedTuple

PREFIX: Final = "flask_performance_"


class Family(NamedTuple):
    """Counters end in `_total` where they are shown; a unit is the name's last word."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """As a reader of the metrics sees it."""
        suffix = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        return f"{PREFIX}{self.name}{suffix}"

    @property
    def unit(self) -> str:
        last = self.name.rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""


FAMILIES: Final = (
    Family("build", "info", "The running version, and that of Python", ("version", "python")),
    Family("part_ready", "gauge", "1 where the part answers, else 0", ("part",)),
    Family("accepted_batches", "counter", "Batches that were answered with 202"),
    Family("accepted_requests", "counter", "Requests in these batches"),
    Family("refused_batches", "counter", "Posts that got another answer, by why", ("reason",)),
    Family("queue_batches", "gauge", "Batches that are accepted and not stored yet"),
    Family("queue_bytes", "gauge", "Their size"),
    Family("queue_limit_bytes", "gauge", "The size from which on batches are refused as busy"),
    Family("queue_oldest_age_seconds", "gauge", "How long the oldest of them waits; 0: none does"),
    Family("queue_commit_seconds", "histogram", "How long a group commit of the journal took"),
    Family("dead_letters", "gauge", "Batches that could not be stored and are kept aside"),
    Family("stored_blocks", "counter", "Blocks that ingest stored"),
    Family("stored_batches", "counter", "Batches that ingest took from the queue for good"),
    Family("stored_requests", "counter", "Requests that ingest stored"),
    Family("stored_last_timestamp_seconds", "gauge", "When ingest stored a block last"),
    Family("block_requests", "histogram", "Requests in a block"),
    Family("block_seconds", "histogram", "How long the store took to store a block"),
    Family(
        "ingest_lag_seconds", "histogram",
        "From receiving a batch to its requests being queryable: the longest of each block",
    ),
    Family("worker_messages", "counter",
           "The broker's messages at all workers together, by what became of them", ("event",)),
    Family("store_rows", "gauge", "Rows of the event store, about", ("tier",)),
    Family("store_question_seconds", "histogram",
           "How long a question to the event store took", ("question",)),
    Family("file_bytes", "gauge", "Size of a database with the files beside it", ("file",)),
    Family("disk_free_bytes", "gauge", "What the data folder's disk has left for this user"),
    Family("live_watchers", "gauge", "Open pages that are live"),
    Family("live_views", "gauge", "Different views that they watch"),
    Family("sign_in_failures", "counter", "Wrong passwords and codes, refused single sign-ons",
           ("kind",)),
    Family("sign_ins_throttled", "counter", "Log-ins and mails that a limit refused"),
    Family("job_runs", "counter", "Runs of timed work", ("job",)),
    Family("job_failures", "counter", "Runs that failed", ("job",)),
    Family("job_last_run_timestamp_seconds", "gauge", "When it ran last", ("job",)),
    Family("job_last_success_timestamp_seconds", "gauge", "When it last ran well", ("job",)),
    Family("job_duration_seconds", "gauge", "How long the last run took", ("job",)),
    Family("log_lines", "counter", "Lines of the log, written or left out", ("level",)),
    Family("log_left_out", "counter", "Lines that a flood of equal ones lost"),
    Family("metrics_duration_seconds", "gauge", "How long this answer took"),
)  # fmt: skip
#: Of the process, as every client library of Prometheus names them.
PROCESS: Final = (
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
    "process_start_time_seconds", "process_open_fds", "process_max_fds",
)  # fmt: skip
