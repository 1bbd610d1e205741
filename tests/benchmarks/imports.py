"""Importing: seconds of processor time for 50,000 pairs, and the most memory that files of many sizes take.

Run with `python -m tests.benchmarks imports`. Each file is imported by a process of its own, whose peak of memory the
system tells; the time is the processor's, since the machine is shared.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_WORK = """
import json, resource, sys, time
from pathlib import Path
from pitchpipe.store.database import open_store
from pitchpipe.store.importing.import_preview import preview_import
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
store = open_store(Path(sys.argv[1]) / "workspace")
create_project(store, "p")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, wall = time.process_time(), time.monotonic()
if sys.argv[3] == "import":
    report = import_file(store, Path(sys.argv[2]), "p")
else:
    report = preview_import(store, "p", Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"rows": report.rows, "rejected": report.rejected,
    "processor_seconds": round(time.process_time() - began, 2), "seconds": round(time.monotonic() - wall, 2),
    "peak_mib": peak // 1024, "mib_above_start": (peak - before) // 1024}))
store.close()
"""


def measure(pairs: int = 50_000, many: int = 1_000_000) -> dict[str, Any]:
    """Rows, seconds and MiB by what was imported."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        cases: dict[str, tuple[Callable[[], Iterator[str]], str]] = {
            f"{pairs} pairs": (lambda: _write_pairs(pairs, 400), "import"),
            f"{pairs} pairs, dry run": (lambda: _write_pairs(pairs, 400), "preview"),
            "one line of 9.9 MB": (lambda: _write_pairs(1, 9_900_000), "import"),
            "300 MB": (lambda: _write_pairs(150, 2_000_000), "import"),
            f"{many} pairs": (lambda: _write_pairs(many, 60), "import"),
        }
        for name, (write, way) in cases.items():
            with path.open("w", encoding="utf-8") as file:
                file.writelines(write())
            with tempfile.TemporaryDirectory() as home:
                command = [sys.executable, "-c", _WORK, home, str(path), way]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
            megabytes = round(path.stat().st_size / 1e6, 1)
            found[name] = {"megabytes": megabytes, **json.loads(done.stdout)}
            sys.stderr.write(f"{name}: {found[name]}\n")
    return found


def _write_pairs(count: int, length: int) -> Iterator[str]:
    """Pairs whose two answers have together about so many characters."""
    words = "Unplug the kettle, wait, and look at the cable. "
    answer = (words * (length // len(words) // 2 + 1))[: length // 2]
    for number in range(count):
        row = {"prompt": f"Question {number}: how do I mend it?", "chosen": f"{number} {answer}", "rejected": answer}
        yield json.dumps(row) + "\n"
