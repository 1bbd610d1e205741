"""Export commands: the arguments of `python -m pitchpipe.training` that are about exports. Free of torch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pitchpipe.training.export_check import CHECKED_FORMS, CheckRequest


def add_export_commands(commands: Any) -> None:
    """Adds `check-export` to the commands of a parser."""
    check: argparse.ArgumentParser = commands.add_parser(
        "check-export", help="dry run of an export: what a trainer will see of every row"
    )
    usual = CheckRequest("")
    check.add_argument("snapshot", type=Path, help="a snapshot folder")
    check.add_argument("--form", choices=CHECKED_FORMS, default=usual.form)
    check.add_argument("--model", default=usual.model, help="whose tokenizer and chat template")
    check.add_argument(
        "--max-length", type=int, default=usual.max_length, help="tokens of a row that the trainer takes"
    )
    check.add_argument("--samples", type=int, default=usual.samples, help="rows that are shown token by token")
    check.add_argument("--out", type=Path, required=True, help="a new folder for the result")
