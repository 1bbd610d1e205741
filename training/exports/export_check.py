"""Export checks: how a dry run of an export is asked for, watched and read. Free of torch.

A check folder holds `request.json` first and `manifest.json` last, as a run folder does. Between them lie the exported
file itself, `ledger.parquet` (every row: its tokens, its fate and why, its troubles), `masks.jsonl` (some rows token by
token, with what each token is for) and `summary.json`. `training/exports/checking.py` fills it.

| fate | what becomes of the row in the trainer |
|---|---|
| kept | learned whole |
| truncated | its end is cut at `max_length`, the end of turn with it |
| too_long | left out by the trainer, without a word |
| dropped | left out by a rule of the form, before any trainer sees it |
"""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.errors import NotFoundError, RunError, UsageError
from pitchpipe.store.identity import new_id
from pitchpipe.training.runs.launch import end_process, start_process
from pitchpipe.training.runs.run_folders import (
    FAILURE,
    PROGRESS,
    SUMMARY,
    RunStatus,
    derive_status,
    read_json,
    write_json,
)

REQUEST, LEDGER, MASKS = "request.json", "ledger.parquet", "masks.jsonl"
CHECKED_FORMS = ("sft", "dpo", "kto", "reward")
"""The forms that a chat template and a trainer of TRL stand behind."""
FATES = ("kept", "truncated", "too_long", "dropped")
TROUBLES = {
    "not_prefix": "the prompt alone is templated differently than with its answer",
    "no_end_of_turn": "the answer ends without an end of turn: the model would not learn to stop",
    "control_token": "a control token stands in the text: this trainer would take it for one",
    "empty_answer": "the template leaves nothing of the answer",
    "same_tokens": "chosen and rejected are the same tokens",
}
"""What can be wrong with a row, and what it means."""


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What a dry run is asked: one form of a snapshot, as a model's tokenizer and its trainer see it."""

    snapshot: str
    """The snapshot folder."""
    form: str = "sft"
    """`sft`, `dpo`, `kto` or `reward`."""
    model: str = "embedded"
    """Whose tokenizer and chat template: `embedded`, a model id, a folder, or the folder of a training run."""
    max_length: int = 1024
    """Tokens of a row that the trainer takes, 8 to 1,000,000."""
    samples: int = 24
    """Rows that are shown token by token, 0 to 500."""

    def __post_init__(self) -> None:
        if self.form not in CHECKED_FORMS:
            raise UsageError(
                f"There is no dry run for the form {self.form!r}.", f"The forms are: {', '.join(CHECKED_FORMS)}."
            )
        for name, low, high in (("max_length", 8, 1_000_000), ("samples", 0, 500)):
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}.", f"It must lie between {low} and {high:,}.")


@dataclass(frozen=True, slots=True)
class CheckState:
    """Where a dry run stands."""

    folder: Path
    request: CheckRequest
    status: RunStatus
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    happened: str = ""
    advice: str = ""
    """The two parts of the error of a failed check."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Of a finished check."""


def create_check_folder(checks_dir: Path, request: CheckRequest) -> Path:
    """Makes `<checks_dir>/<check-id>/request.json` and returns the folder; the check then waits."""
    folder = checks_dir / new_id("check")
    write_request(folder, request)
    return folder


def write_request(folder: Path, request: CheckRequest) -> None:
    """Asks for a check in a folder that holds none yet."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = read_json(folder / REQUEST)
    if asked and asked != dataclasses.asdict(request):
        raise UsageError(f"{folder} holds another check already.", "Name a new folder with --out.")
    if not asked and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty and holds no check.", "Name a new folder with --out.")
    write_json(folder / REQUEST, dataclasses.asdict(request))


def start_check(folder: Path) -> int:
    """Starts the check of a folder in a process of its own that outlives this one; returns its number."""
    state = read_check(folder)
    if state.status in (RunStatus.RUNNING, RunStatus.FINISHED):
        raise RunError(f"The check {folder.name} is {state.status} already.", "Make a new one.")
    asked = state.request
    given = ["--form", asked.form, "--model", asked.model, "--max-length", str(asked.max_length)]
    given += ["--samples", str(asked.samples), "--out", str(folder.resolve())]
    return start_process(folder, [sys.executable, "-m", "pitchpipe.training", "check-export", asked.snapshot, *given])


def stop_check(folder: Path) -> None:
    """Ends a running check; what it had done is not used."""
    end_process(folder)


def read_check(folder: Path) -> CheckState:
    """Derives where a check stands from the files that are there."""
    asked = read_json(folder / REQUEST)
    if not asked:
        raise NotFoundError(f"{folder} is no folder of a check: it has no {REQUEST}.", "Make one with `export-check`.")
    status, _ = derive_status(folder)
    progress = read_json(folder / PROGRESS)
    failure = read_json(folder / FAILURE) if status is RunStatus.FAILED else {}
    return CheckState(
        folder=folder,
        request=CheckRequest(**asked),
        status=status,
        stage=progress.get("stage", ""),
        step=progress.get("step", 0),
        total_steps=progress.get("total_steps", 0),
        happened=failure.get("happened", ""),
        advice=failure.get("advice", ""),
        summary=read_json(folder / SUMMARY) if status is RunStatus.FINISHED else {},
    )


def list_checks(checks_dir: Path) -> list[CheckState]:
    """The checks under a folder, newest first."""
    found = sorted((path for path in checks_dir.glob("check_*") if (path / REQUEST).is_file()), reverse=True)
    return [read_check(path) for path in found]


def read_ledger(folder: Path) -> pl.DataFrame:
    """Every row of a finished check, in order of id.

    Columns: row_id, fate, why, troubles (names of `TROUBLES`, with a space between), tokens (of the longest side),
    prompt, completion, chosen, rejected (tokens each; null where the form has no such side).
    """
    return pl.read_parquet(folder / LEDGER)


def read_masks(folder: Path) -> list[dict[str, Any]]:
    """The rows that are shown token by token.

    Each is `{"row_id", "fate", "troubles", "row": the exported row, "sides": [{"side", "tokens": [[text, id, use]]}]}`
    with the use `context` (read, not learned), `loss` (learned) or `cut` (beyond `max_length`).
    """
    # Not splitlines: a text may hold characters that it takes for the end of a line.
    lines = (folder / MASKS).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]
