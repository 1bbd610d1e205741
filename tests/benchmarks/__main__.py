"""`python -m tests.benchmarks [store|queue|people|annotate|data|duplicates]`: prints one JSON document a benchmark."""

from __future__ import annotations

import json
import sys

from tests.benchmarks import annotate_page, data_page, duplicates_scale, people_scale, queue_load, store_scale


def main() -> None:
    """Runs the benchmarks that are named, or all."""
    known = {
        "annotate": annotate_page.measure,
        "store": store_scale.measure,
        "queue": queue_load.measure,
        "people": people_scale.measure,
        "data": data_page.measure,
        "duplicates": duplicates_scale.measure,
    }
    for name in sys.argv[1:] or known:
        sys.stdout.write(json.dumps({name: known[name]()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
