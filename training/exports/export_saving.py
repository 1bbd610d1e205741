"""Export saving: an exported form as a `datasets` folder, here or on the Hub. The Python API of others; free of torch
until it is called.

The folder is a DatasetDict with the split `train` alone: the holdout stays sealed in the snapshot. `datasets` is loaded
in a process of its own when a studio asks (`save_apart`), because the studio's process never loads it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.exporting import ExportReport, export_snapshot
from pitchpipe.training.rows.formats import Form, FormatPolicy

_TIMEOUT_SECONDS = 600


def save_apart(snapshot: Path, form: Form, to: Path, policy: FormatPolicy | None = None) -> ExportReport:
    """Exports into `to` as Parquet and, through a process of its own, as the folder `<form>.datasets` beside it."""
    report = export_snapshot(snapshot, form, to, "parquet", policy)
    target = to / f"{form}.datasets"
    command = [sys.executable, "-m", "pitchpipe.training", "save-export", str(report.path), "--out", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise RunError(
            f"The datasets folder could not be written: {told[0] if told else 'the process said nothing'}",
            "The Parquet file beside it is whole and holds the same rows.",
        )
    return report


def save_datasets(file: Path, target: Path) -> None:
    """Turns an exported Parquet file into a folder that `datasets.load_from_disk` opens; whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    build_dataset_dict(file).save_to_disk(str(part))
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def build_dataset_dict(file: Path) -> Any:
    """The rows of an exported Parquet file as a DatasetDict of the one split `train`."""
    import pyarrow.parquet as pq
    from datasets import Dataset, DatasetDict, disable_progress_bars

    disable_progress_bars()
    # The file's own hash in the place of a random fingerprint keeps the folder's bytes a function of the rows.
    return DatasetDict({"train": Dataset(pq.read_table(file), fingerprint=hash_file(file)[7:23])})


def push_export(snapshot: Path, form: Form, to: str, private: bool) -> str:
    """Exports a form and uploads it with the snapshot's card to the dataset repository `to`; returns its address.

    Raises:
        UsageError: `to` is no `organisation/name`. RunError: no token, no network, or the Hub refuses.
    """
    from huggingface_hub import HfApi, get_token

    if to.count("/") != 1 or not all(to.split("/")):
        raise UsageError(f"{to!r} names no repository.", "Write it as organisation/name.")
    if get_token() is None:
        raise RunError(
            "Nothing was uploaded: there is no token for the Hub here.",
            "Sign in with `hf auth login`, or set HF_TOKEN.",
        )
    with tempfile.TemporaryDirectory() as folder:
        report = export_snapshot(snapshot, form, Path(folder), "parquet")
        rows = build_dataset_dict(report.path)
        try:
            address = HfApi().create_repo(to, repo_type="dataset", private=private, exist_ok=True)
            card = snapshot / "README.md"
            if card.is_file():  # before the rows: `push_to_hub` then adds what the Hub wants to know to this card
                text = prepare_card(card.read_text(encoding="utf-8")).encode()
                HfApi().upload_file(path_or_fileobj=text, path_in_repo="README.md", repo_id=to, repo_type="dataset")
            rows.push_to_hub(to, private=private, commit_message=f"{form} rows of {report.snapshot_id}")
        except (OSError, ValueError, _network_error()) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise RunError(
                f"The Hub could not be given {to}: {reason}",
                "Check the network, the name and the rights of the token, then push again; pushing twice does no harm.",
            ) from error
    return str(address)


def prepare_card(card: str) -> str:
    """A snapshot's card as it may leave the house: without the files that stay here, which its head names, and without
    the reasons beside the counts, which quote texts and name curators.

    >>> prepare_card("---\\ntags: [x]\\nconfigs:\\n- path: rows\\n---\\n| rule | such as |\\n| mark | ana: a |\\n")
    '---\\ntags: [x]\\n---\\n| rule |\\n| mark |\\n'
    """
    _, head, body = card.split("---\n", 2) if card.startswith("---\n") else ("", "", card)
    head = re.sub(r"^configs:\n(?:[- ].*\n)*", "", head, flags=re.MULTILINE)
    lines, is_cut = [], False
    for line in body.splitlines():
        # A bar inside a cell is escaped, so the last bare one but the closing one begins the last cell.
        is_cut = line.startswith("|") and (is_cut or line.endswith("| such as |"))
        lines.append(re.sub(r"(?<!\\)\|(?:\\.|[^|\\])*\|$", "|", line) if is_cut else line)
    text = "\n".join(lines) + "\n"
    return f"---\n{head}---\n{text}" if head else text


def _network_error() -> type[Exception]:
    import httpx

    return httpx.HTTPError
