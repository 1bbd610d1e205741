"""`python -m tests.benchmarks [NAME ...]`: runs the benchmarks named, or all, and prints a document of each."""

from __future__ import annotations

import json
import sys
from importlib import import_module

MODULES = {
    "annotate": "annotate_page",
    "store": "store_scale",
    "queue": "queue_load",
    "people": "people_scale",
    "duplicates": "duplicates_scale",
    "export": "export_scale",
    "safe_tokens": "safe_tokens",
    "tokens": "tokens_scale",
    "rules": "rules_scale",
    "imports": "imports",
    "data": "data_page",
    "kills": "kills",
}
"""By name, the module that has `measure()`."""


def main() -> None:
    """Runs the benchmarks that are named, or all."""
    for name in sys.argv[1:] or MODULES:
        document = {name: import_module(f"tests.benchmarks.{MODULES[name]}").measure()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
