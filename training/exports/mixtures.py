"""Mixtures: a configuration of several exported files that TRL loads as one dataset. Free of torch.

The file is what `trl sft --config mixture.yaml` reads and what `trl.DatasetMixtureConfig` takes (TRL 1.16, in
trl/scripts/utils.py): a list `datasets` of path, data_files, split, columns and fraction. A fraction is the share of
the mixture that the file makes up; TRL takes the first rows of each so that no file is repeated. Exported rows lie in
order of their id, which is a hash, so the first rows are as good as drawn by lot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.exporting import refuse_snapshot_folder
from pitchpipe.training.runs.run_folders import read_json, write_atomic

TRAINED_COLUMNS = {
    "sft": ("prompt", "completion"),
    "dpo": ("prompt", "chosen", "rejected"),
    "kto": ("prompt", "completion", "label"),
    "reward": ("prompt", "chosen", "rejected", "margin"),
}
"""The columns that the trainer of a form reads."""
_READERS = {".parquet": "parquet", ".jsonl": "json"}


def write_mixture(files: Sequence[Path], to: Path, shares: Sequence[float] | None = None) -> dict[str, Any]:
    """Writes the YAML and returns `{"path", "form", "rows": rows in all, "files": [{"file", "rows", "taken"}]}`.

    Args:
        files: exported files of one form, Parquet or JSONL, each with its manifest beside it.
        shares: the share of each file in the mixture, above 0; scaled to add up to 1. None takes every row.

    Raises:
        NotFoundError: a file or its manifest is not there. UsageError: the files do not fit together.
    """
    found = [_read_export(file) for file in files]
    forms = sorted({facts["form"] for facts in found})
    if len(forms) != 1 or forms[0] not in TRAINED_COLUMNS:
        raise UsageError(
            f"The files are of the form {' and '.join(forms) or 'of none'}.",
            f"A mixture is of one form: {', '.join(TRAINED_COLUMNS)}.",
        )
    if shares is not None and (len(shares) != len(files) or not all(0 < share < inf for share in shares)):
        raise UsageError(
            f"There are {len(files)} files and the shares {list(shares)}.", "Give one share above 0 for each, or none."
        )
    rows = [facts["kept"] for facts in found]
    taken = count_taken(rows, shares)
    refuse_snapshot_folder(to.parent)
    write_atomic(to, _say_yaml([file.resolve() for file in files], forms[0], shares))
    listed = [
        {"file": str(file), "rows": count, "taken": part} for file, count, part in zip(files, rows, taken, strict=True)
    ]
    return {"path": str(to), "form": forms[0], "rows": sum(taken), "files": listed}


def count_taken(rows: Sequence[int], shares: Sequence[float] | None) -> list[int]:
    """How many rows TRL takes of each file: as many as the shares allow without repeating any.

    >>> count_taken([100, 10], [0.5, 0.5]), count_taken([100, 10], None)
    ([10, 10], [100, 10])
    """
    if shares is None:
        return list(rows)
    weights = [share / sum(shares) for share in shares]
    total = min(count / weight for count, weight in zip(rows, weights, strict=True))
    return [round(weight * total) for weight in weights]


def _read_export(file: Path) -> dict[str, Any]:
    if file.suffix not in _READERS:
        raise UsageError(f"{file} is no Parquet or JSONL file.", "Export as parquet or jsonl; CSV holds no lists.")
    facts = read_json(file.with_suffix(".manifest.json"))
    if not file.is_file() or not facts:
        raise NotFoundError(
            f"{file} is no exported file with its manifest beside it.", "Write one with: pitchpipe export."
        )
    if facts["files"].get(file.name) != hash_file(file):
        raise UsageError(f"{file} is not what its manifest vouches for.", "Export the snapshot again.")
    return facts


def _say_yaml(files: Sequence[Path], form: str, shares: Sequence[float] | None) -> str:
    # JSON text is YAML too, and quotes whatever a path may hold.
    lines = [f"# {form}: trl {form} --config this-file --model_name_or_path MODEL", "datasets:"]
    for place, file in enumerate(files):
        lines += [
            f"  - path: {_READERS[file.suffix]}",
            f"    data_files: {json.dumps(str(file), ensure_ascii=False)}",
            "    split: train",
            f"    columns: {json.dumps(TRAINED_COLUMNS[form])}",
        ]
        if shares is not None:
            lines.append(f"    fraction: {shares[place] / sum(shares):.12g}")
    return "\n".join(lines) + "\n"
