"""Export commands: the arguments of `python -m pitchpipe.training` that are about exports. Free of torch
until one is carried out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pitchpipe.training.exports.export_check import CHECKED_FORMS, CheckRequest
from pitchpipe.training.exports.exporting import FORMS


def add_export_commands(commands: Any) -> None:
    """Adds `check-export`, `save-export` and `push-export` to the commands of a parser."""
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
    save = commands.add_parser("save-export", help="an exported Parquet file as a folder of `datasets`")
    save.add_argument("file", type=Path, help="an exported Parquet file")
    save.add_argument("--out", type=Path, required=True, help="the folder to write")
    push = commands.add_parser("push-export", help="upload a form of a snapshot, with its card, to the Hub")
    push.add_argument("snapshot", type=Path, help="a snapshot folder")
    push.add_argument("--form", choices=FORMS, default=usual.form)
    push.add_argument("--to", required=True, help="the dataset repository: organisation/name")
    push.add_argument("--private", action="store_true", help="make the repository a private one")


def carry_out(chosen: argparse.Namespace) -> None:
    """Carries out `save-export` or `push-export`."""
    from pitchpipe.training.exports.export_saving import push_export, save_datasets

    if chosen.command == "save-export":
        save_datasets(chosen.file, chosen.out)
        sys.stdout.write(f"{chosen.out}\n")
    else:
        sys.stdout.write(f"{push_export(chosen.snapshot, chosen.form, chosen.to, chosen.private)}\n")
