<<<<<<< HEAD
"""`python -m tests.benchmarks [NAME ...]`: runs the benchmarks named, or all, and prints a document of each."""
=======
"""`python -m tests.benchmarks [store|queue|people|annotate|data]`: prints one JSON document a benchmark."""
>>>>>>> 4662abff56f692a7eb66135c046b0b93fd5ae0ef

from __future__ import annotations

import json
import sys
from importlib import import_module

<<<<<<< HEAD
MODULES = {
    "annotate": "annotate_page",
    "store": "store_scale",
    "queue": "queue_load",
    "people": "people_scale",
    "duplicates": "duplicates_scale",
    "export": "export_scale",
}
"""By name, the module that has `measure()`."""
=======
from tests.benchmarks import annotate_page, data_page, people_scale, queue_load, store_scale
>>>>>>> 4662abff56f692a7eb66135c046b0b93fd5ae0ef


def main() -> None:
    """Runs the benchmarks that are named, or all."""
<<<<<<< HEAD
    for name in sys.argv[1:] or MODULES:
        document = {name: import_module(f"tests.benchmarks.{MODULES[name]}").measure()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
=======
    known = {
        "annotate": annotate_page.measure,
        "store": store_scale.measure,
        "queue": queue_load.measure,
        "people": people_scale.measure,
        "data": data_page.measure,
    }
    for name in sys.argv[1:] or known:
        sys.stdout.write(json.dumps({name: known[name]()}, indent=1) + "\n")
>>>>>>> 4662abff56f692a7eb66135c046b0b93fd5ae0ef


if __name__ == "__main__":
    main()
