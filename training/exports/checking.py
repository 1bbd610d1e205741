"""Checking: carries out the dry run of an export, from the snapshot to a folder that tells what a trainer will see.

The form is exported, every row is tokenised with the real tokenizer and chat template, and in the end the trainer of
that form loads the exported file with its own preprocessing. Its count must be that of the ledger.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.export_check import FATES, LEDGER, MASKS, TROUBLES, CheckRequest
from pitchpipe.training.exports.exporting import export_snapshot
from pitchpipe.training.exports.templating import RowTemplater, TemplatedRow
from pitchpipe.training.exports.trainer_loading import load_in_trainer
from pitchpipe.training.models.loading import load_tokenizer, resolve_model
from pitchpipe.training.runs.run_folders import MANIFEST, SUMMARY, write_json, write_progress
from pitchpipe.training.tokens.tokenizing import ChatEncoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 500
_SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "longest": 1.0}
_SCHEMA: dict[str, Any] = {
    "row_id": pl.String,
    "fate": pl.String,
    "why": pl.String,
    "troubles": pl.String,
    **dict.fromkeys(("tokens", "prompt", "completion", "chosen", "rejected"), pl.Int64),
}


def check_export(folder: Path, request: CheckRequest) -> dict[str, Any]:
    """Fills the folder of a check and returns its summary; `manifest.json` comes last."""
    tell(folder, "exporting")
    report = export_snapshot(Path(request.snapshot), request.form, folder, "parquet")  # type: ignore[arg-type]
    tell(folder, "loading the tokenizer")
    resolved = resolve_model(request.model)
    tokenizer = load_tokenizer(resolved.folder)
    rows = pl.read_parquet(report.path)
    templated = template_rows(folder, rows, RowTemplater(tokenizer, request.form))
    ledger = build_ledger(rows, templated, request, folder / f"{request.form}.dropped.jsonl")
    ledger.write_parquet(folder / LEDGER)
    write_masks(folder / MASKS, rows, templated, request, tokenizer)
    tell(folder, "letting the trainer load it")
    counts = {fate: int((ledger["fate"] == fate).sum()) for fate in FATES}
    summary = {
        **{name: getattr(request, name) for name in ("form", "model", "max_length")},
        "snapshot_id": report.snapshot_id,
        "chat_template_hash": ChatEncoder(tokenizer).template_hash,
        "considered": report.considered,
        "fates": counts,
        "dropped_by_rule": report.dropped,
        "troubles": count_troubles(templated),
        "tokens": measure_tokens(ledger),
        "trainer": load_in_trainer(report.path, request, tokenizer, counts, _count_learned(templated, request)),
    }
    write_json(folder / SUMMARY, summary)
    _seal(folder, request)
    return summary


def tell(folder: Path, stage: str, step: int = 0, total: int = 0) -> None:
    """Progress for watchers of the folder, and a JSON line on the standard output for those of the process."""
    write_progress(folder, stage, step, total)
    sys.stdout.write(json.dumps({"stage": stage, "step": step, "total_steps": total}) + "\n")
    sys.stdout.flush()


def template_rows(folder: Path, rows: pl.DataFrame, templater: RowTemplater) -> list[TemplatedRow]:
    """Every row as the trainer tokenises it, in the order of the file."""
    made: list[TemplatedRow] = []
    for batch in rows.iter_slices(_BATCH):
        made += templater.template(batch.to_dicts())
        tell(folder, "tokenising", len(made), rows.height)
    return made


def build_ledger(
    rows: pl.DataFrame, templated: list[TemplatedRow], request: CheckRequest, dropped: Path
) -> pl.DataFrame:
    """The fate of every row that the form considers, in order of id; columns as of `export_check.read_ledger`."""
    lines: list[dict[str, Any]] = []
    for row_id, row in zip(rows["row_id"], templated, strict=True):
        fate, why = row.find_fate(request.form, request.max_length)
        lines.append(
            {
                "row_id": row_id,
                "fate": fate,
                "why": why,
                "troubles": " ".join(row.troubles),
                "tokens": row.longest,
                "prompt": len(row.context),
                **{side: len(ids) for side, ids in row.sides.items()},
            }
        )
    for line in dropped.read_text(encoding="utf-8").split("\n")[:-1]:
        told = json.loads(line)
        why = f"{told['rule']}: {told['reason']}"
        lines.append({"row_id": told["row_id"], "fate": "dropped", "why": why, "troubles": ""})
    return pl.DataFrame(lines, schema=_SCHEMA).sort("row_id")


def count_troubles(templated: list[TemplatedRow]) -> dict[str, int]:
    """Rows by trouble, of those that have any; a row with two troubles counts at both."""
    counts = Counter(name for row in templated for name in row.troubles)
    return {name: counts[name] for name in TROUBLES}


def measure_tokens(ledger: pl.DataFrame) -> dict[str, dict[str, int]]:
    """For each part of a row that the form has: the tokens in all, and of the row at a share of the way up."""
    measured = {}
    for part in ("tokens", "prompt", "completion", "chosen", "rejected"):
        counted = ledger[part].drop_nulls()
        if len(counted):
            steps = {name: int(counted.quantile(share, "nearest") or 0) for name, share in _SHARES.items()}
            measured[part] = {"total": int(counted.sum()), **steps}
    return measured


def _count_learned(templated: list[TemplatedRow], request: CheckRequest) -> int:
    """Tokens that the trainer holds once it has loaded the rows: SFT cuts them by then, the others only in a batch."""
    total = 0
    for row in templated:
        if row.find_fate(request.form, request.max_length)[0] == "too_long":
            continue
        if request.form == "reward":
            total += sum(len(row.context) + len(ids) for ids in row.sides.values())
        else:
            tokens = len(row.context) + sum(len(ids) for ids in row.sides.values())
            total += min(tokens, request.max_length) if request.form == "sft" else tokens
    return total


def write_masks(
    path: Path,
    rows: pl.DataFrame,
    templated: list[TemplatedRow],
    request: CheckRequest,
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    """Some rows token by token: at most half with trouble, then the longest, the rest spread evenly."""
    with path.open("w", encoding="utf-8") as file:
        for place in choose_samples(templated, request.samples):
            row, record = templated[place], rows.row(place, named=True)
            fate, _ = row.find_fate(request.form, request.max_length)
            sides = [
                {"side": side, "tokens": list(_mask(row.context, ids, request, tokenizer))}
                for side, ids in row.sides.items()
            ]
            shown = {"row_id": record["row_id"], "fate": fate, "troubles": row.troubles, "row": record, "sides": sides}
            file.write(json.dumps(shown, ensure_ascii=False) + "\n")


def choose_samples(templated: list[TemplatedRow], count: int) -> list[int]:
    """Places of rows to show, in order of the file."""
    troubled = [place for place, row in enumerate(templated) if row.troubles]
    # One of each kind of trouble first: a common one must not hide a rare one.
    first = {name: place for place in reversed(troubled) for name in templated[place].troubles}
    chosen = dict.fromkeys([*first.values(), *troubled][: (count + 1) // 2])
    longest = sorted(range(len(templated)), key=lambda place: -templated[place].longest)[: max(1, count // 6)]
    step = max(1, len(templated) // max(1, count))
    for place in [*longest, *range(0, len(templated), step), *range(len(templated))]:
        if len(chosen) >= count:
            break
        chosen[place] = None
    return sorted(chosen)[:count]


def _mask(
    context: list[int], side: list[int], request: CheckRequest, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[str, int, str]]:
    """Each token with its text, its id and its use in the trainer of the form."""
    ids = [*context, *side]
    for place, number in enumerate(ids):
        is_learned = place >= len(context)
        if request.form == "reward":  # the score is read at the last token; nothing else carries a loss
            is_learned = place == len(ids) - 1
        use = "cut" if place >= request.max_length else "loss" if is_learned else "context"
        yield _say(number, tokenizer), number, use


def _say(number: int, tokenizer: PreTrainedTokenizerBase) -> str:
    text: str = tokenizer.decode([number], clean_up_tokenization_spaces=False)
    # Part of a character: its own spelling in the vocabulary says more than a replacement sign.
    return str(tokenizer.convert_ids_to_tokens(number)) if "\ufffd" in text else text


def _seal(folder: Path, request: CheckRequest) -> None:
    names = sorted([f"{request.form}.parquet", f"{request.form}.dropped.jsonl", LEDGER, MASKS, SUMMARY])
    files = {name: {"sha256": hash_file(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    write_json(folder / MANIFEST, {"check_id": folder.name, "request": dataclasses.asdict(request), "files": files})
