"""Bodies by atheris, which looks for those that take new ways through the decoder and ingest.

    .venv/bin/python -m pip install atheris     # not in constraints.txt: few machines have a wheel
    .venv/bin/python -m benchmarks.fuzz_decoder -max_total_time=300

What it may find is written to the current folder as `crash-…`. Every option of libFuzzer works.
"""

import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["flask_performance.server"]):
    from flask_performance.server.store.duckdb import DuckDBStore
    from tests.drills.decoder import RECORDED, packed, take

#: The names of the format, so that chance need not find them.
NAMES = sorted({name for body in RECORDED for name in re.findall(rb'"\w+":', body)})


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-decoder-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, body in enumerate(RECORDED):
        (corpus / f"plain-{number}").write_bytes(b"\0" + body)
        (corpus / f"packed-{number}").write_bytes(b"\1" + packed(body))
    with contextlib.closing(DuckDBStore(folder / "events.duckdb")) as store:

        def one(data: bytes) -> None:
            """The first byte says whether the others are gzip."""
            take(store, data[1:], zipped=data[:1] == b"\1")

        (folder / "names").write_bytes(
            b"".join(b'"' + name.replace(b'"', b"\\x22") + b'"\n' for name in NAMES)
        )
        atheris.Setup([*sys.argv, f"-dict={folder / 'names'}", str(corpus)], one)
        try:
            atheris.Fuzz()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
