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
    "sft-speed": "tuning_speed:measure_sft",
    "dpo-speed": "tuning_speed:measure_dpo",
    "generation": "generation_speed",
    "kills": "kills",
}
"""By name, the module and, where it is not `measure`, its function."""


def main() -> None:
    """Runs the benchmarks that are named, or all."""
    for name in sys.argv[1:] or MODULES:
        module, _, function = MODULES[name].partition(":")
        document = {name: getattr(import_module(f"tests.benchmarks.{module}"), function or "measure")()}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
