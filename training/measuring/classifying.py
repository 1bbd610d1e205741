"""Evaluation of a classifier on the sealed holdout: how often it is right, on which classes, and how far to trust it.

It is held against always saying the commonest class of its training, and against the run that it continued from.
The rows behind every number are kept in `predictions.parquet`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.errors import RunError, SnapshotError, UsageError
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.measuring.class_metrics import (
    bootstrap_macro_f1,
    compare_paired,
    count_confusion,
    macro_f1,
    measure_calibration,
    measure_classes,
)
from pitchpipe.training.measuring.evaluation import teller
from pitchpipe.training.measuring.intervals import wilson
from pitchpipe.training.models.classifiers import (
    load_classifier,
    load_text_encoder,
    predict,
    read_classes,
    resolve_classifier,
)
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.rows.label_references import choose_label_references
from pitchpipe.training.runs.records import check_same_inputs, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, read_json, read_manifest, write_json, write_progress


@dataclass(frozen=True, slots=True)
class _Predictions:
    """What one run says of the holdout's texts."""

    run_id: str
    classes: list[str]
    chances: np.ndarray
    """Shape (rows, classes)."""

    @property
    def labels(self) -> list[str]:
        return [self.classes[place] for place in self.chances.argmax(1)]


def evaluate_classifier(folder: Path, plan: EvaluatePlan) -> None:
    """Measures a finished classify run and writes evaluation.json and predictions.parquet."""
    write_progress(folder, "reading the snapshot")
    if plan.checks:
        raise UsageError(
            "Format checks were given, but a classifier writes no answers.", "Leave `checks` out of the plan."
        )
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    manifest = read_manifest(Path(plan.run))
    references = _find_references(rows)
    resolved = resolve_classifier(plan.run)
    inputs = {
        "snapshot_id": snapshot["snapshot_id"],
        "snapshot_rows_sha256": snapshot["files"]["rows.parquet"]["sha256"],
        "base_model_hash": resolved.base_hash,
        "adapter_hash": resolved.adapter_hash,
    }
    check_same_inputs(folder, inputs)
    write_json(folder / "environment.json", environment())
    texts = [row["text"] for row in references.kept]
    said, cut = predict_texts(folder, plan, Path(plan.run), texts)
    earlier = _find_earlier(plan, manifest)
    before = predict_texts(folder, plan, earlier, texts)[0] if earlier else None
    report = {
        "snapshot_id": snapshot["snapshot_id"],
        "run": said.run_id,
        "base": resolved.name,
        "method": "classify",
        "holdout": {
            "scored": len(texts),
            "cut": cut,
            "left_out": dict(Counter(row.rule for row in references.dropped)),
        },
        **measure_predictions(references.kept, said, plan),
        "comparisons": _compare(references.kept, said, before, _find_commonest(Path(plan.run))),
    }
    _write_predictions(folder, references.kept, said)
    write_json(folder / "evaluation.json", report)
    write_json(folder / SUMMARY, _summarise(report))
    seal_run(folder, plan, snapshot["snapshot_id"], parent=said.run_id)


def _find_references(rows: pl.DataFrame) -> FormatResult:
    result = choose_label_references(rows)
    if not result.kept:
        raise SnapshotError(
            f"The snapshot has no holdout text with one label ({result.considered} labelled, all left out).",
            "Judge tag tasks on examples of the holdout side, and make a new snapshot.",
        )
    return result


def predict_texts(folder: Path, plan: EvaluatePlan, run: Path, texts: list[str]) -> tuple[_Predictions, int]:
    """What a run says of texts, and how many of them it read only the beginning of."""
    resolved, classes = resolve_classifier(str(run)), read_classes(run)
    encoder = load_text_encoder(resolved)
    longest = min(plan.max_length, encoder.longest)
    rows = [encoder.encode(text) for text in texts]
    long = [place for place, ids in enumerate(rows) if len(ids) > longest]
    for place in long:
        rows[place] = encoder.cut(texts[place], longest)
    model = load_classifier(resolved, classes, encoder.tokenizer.pad_token_id, plan.attention)
    chances = predict(model, encoder, rows, teller(folder, f"classifying with {run.name}", len(rows)))
    return _Predictions(run.name, classes, chances), len(long)


def _find_earlier(plan: EvaluatePlan, manifest: dict[str, Any]) -> Path | None:
    """The run to compare with: the one that the plan names, else the one that this run continued from."""
    if plan.against:
        if read_manifest(Path(plan.against)).get("method") != "classify":
            raise RunError(f"The run {plan.against} is no classify run.", "Name a finished classify run.")
        return Path(plan.against)
    parent = manifest.get("parent_run_id")
    folder = Path(plan.run).parent / str(parent)
    return folder if parent and folder.is_dir() else None


def _find_commonest(run: Path) -> str:
    sizes: dict[str, int] = read_json(run / SUMMARY)["classes"]
    return max(sizes, key=lambda label: (sizes[label], label))


def measure_predictions(rows: list[dict[str, Any]], said: _Predictions, plan: EvaluatePlan) -> dict[str, Any]:
    """Accuracy, macro F1, each class, the confusion and the calibration, with intervals where rows are few."""
    known = sorted({*said.classes, *(row["label"] for row in rows)})
    places = {label: place for place, label in enumerate(known)}
    truth, predicted = [places[row["label"]] for row in rows], [places[label] for label in said.labels]
    right = [one == other for one, other in zip(truth, predicted, strict=True)]
    confusion = count_confusion(truth, predicted, len(known))
    groups = [row["group_id"] for row in rows]
    low, high = wilson(sum(right), len(right))
    f1_low, f1_high = bootstrap_macro_f1(truth, predicted, len(known), groups, plan.resamples, plan.seed)
    return {
        "accuracy": {"share": sum(right) / len(right), "low": low, "high": high, "n": len(right)},
        "macro_f1": {"mean": macro_f1(confusion), "low": f1_low, "high": f1_high},
        "classes": dict(zip(known, measure_classes(confusion), strict=True)),
        "unknown_classes": sorted(set(known) - set(said.classes)),
        "confusion": {"labels": known, "rows": confusion.tolist()},
        "calibration": measure_calibration(said.chances.max(1).tolist(), right),
    }


def _compare(
    rows: list[dict[str, Any]], said: _Predictions, before: _Predictions | None, commonest: str
) -> dict[str, Any]:
    """McNemar's test against always saying the commonest class, and against an earlier run."""
    truth = [row["label"] for row in rows]
    others = {"commonest": [commonest] * len(truth)} | ({"earlier": before.labels} if before else {})
    right = [one == true for one, true in zip(said.labels, truth, strict=True)]
    found = {}
    for name, labels in others.items():
        hits = [one == true for one, true in zip(labels, truth, strict=True)]
        low, high = wilson(sum(hits), len(hits))
        facts = {"what": commonest if name == "commonest" else before.run_id if before else ""}
        found[name] = {**facts, "accuracy": sum(hits) / len(hits), "low": low, "high": high} | compare_paired(
            right, hits
        )
    return found


def _write_predictions(folder: Path, rows: list[dict[str, Any]], said: _Predictions) -> None:
    table = {
        "row_id": [row["row_id"] for row in rows],
        "group_id": [row["group_id"] for row in rows],
        "label": [row["label"] for row in rows],
        "predicted": said.labels,
        "confidence": said.chances.max(1),
        "probabilities": said.chances.tolist(),
    }
    pl.DataFrame(table).write_parquet(folder / "predictions.parquet")


def _summarise(report: dict[str, Any]) -> dict[str, Any]:
    """The small numbers of an evaluation, for pages and tables."""
    return {
        "method": "classify",
        "holdout": report["holdout"],
        "accuracy": report["accuracy"],
        "macro_f1": report["macro_f1"],
        "calibration_error": report["calibration"]["ece"],
        "comparisons": report["comparisons"],
    }
