"""Preflight: goes through a plan as its run would, up to the weights, and writes down what it found.

What is wrong with the plan, the model or the rows is a finding, and the report is written all the same; only a fault of
the preflight itself fails it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.identity import hash_file
from pitchpipe.training.exports.checking import tell
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.models.classifiers import load_text_encoder, resolve_classifier
from pitchpipe.training.models.loading import (
    ResolvedModel,
    choose_precision,
    has_accelerator,
    load_tokenizer,
    resolve_model,
)
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.cost import estimate_costs
from pitchpipe.training.preflight.findings import Finding, block, block_for, judge, sort_findings
from pitchpipe.training.preflight.hardware_look import look_at_hardware
from pitchpipe.training.preflight.plan_checks import (
    check_configuration,
    check_dials,
    compare_with_recipe,
    tell_reference,
)
from pitchpipe.training.preflight.planned_rows import (
    PlannedRows,
    build_format,
    choose_shown,
    show_tokens,
    tokenise_rows,
)
from pitchpipe.training.preflight.preflight_folders import LEDGER, MASKS, REPORT, read_train_plan
from pitchpipe.training.preflight.rows_report import check_rows, describe_rows
from pitchpipe.training.preflight.template_checks import check_stops, check_tokenizer
from pitchpipe.training.runs.run_folders import MANIFEST, PLAN, write_json
from pitchpipe.training.tokens.ledger import Ledger

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SHOWN = 12
"""Rows that are shown token by token."""


def look_ahead(folder: Path, runs_dir: Path) -> dict[str, Any]:
    """Fills the folder of a preflight and returns its report; `manifest.json` comes last.

    Args:
        runs_dir: where earlier runs lie, whose speed tells how fast this one would be.
    """
    plan = read_train_plan(folder)
    tell(folder, "looking at the plan")
    precision = choose_precision(plan.precision)
    hardware = {**look_at_hardware(plan.threads), "precision": precision}
    report: dict[str, Any] = {
        "plan": dataclasses.asdict(plan),
        **compare_with_recipe(plan),
        "hardware": hardware,
    }
    findings = [*check_configuration(plan, folder, has_accelerator(), precision), *check_dials(plan)]
    planned, model = _look_at_rows(folder, plan, findings)
    if planned is not None:
        report |= describe_rows(plan, planned)
        findings += check_rows(plan, planned)
        if model is not None and planned.learned:
            tell(folder, "estimating memory and time")
            costs, told = estimate_costs(plan, planned, model, hardware, runs_dir)
            report |= costs
            findings += told
    else:
        Ledger(plan.max_length, plan.over_length).frame().write_parquet(folder / LEDGER)
        (folder / MASKS).write_text("", encoding="utf-8")
    report |= {"verdict": judge(findings).value, "findings": [entry.describe() for entry in sort_findings(findings)]}
    write_json(folder / REPORT, report)
    _seal(folder)
    return report


def _look_at_rows(
    folder: Path, plan: TrainPlan, findings: list[Finding]
) -> tuple[PlannedRows | None, ResolvedModel | None]:
    """The rows with their tokens, the ledger and the masks written; what stands in the way becomes a finding."""
    topic = "rows"
    try:
        tell(folder, "reading the snapshot")
        _, rows = read_snapshot(Path(plan.snapshot))
        result = build_format(plan, rows)
        topic = "model"
        tell(folder, "loading the tokenizer")
        model = _resolve(plan)
        findings += tell_reference(plan, model.run_id)
        topic = "template"
        tokenizer = _load_tokenizer(plan, model)
        findings += check_tokenizer(plan, model, tokenizer)
        planned = tokenise_rows(plan, result, tokenizer, _teller(folder))
        findings += check_stops(plan, planned, tokenizer)
    except PitchpipeError as error:
        findings.append(block_for(topic, error))
        return None, None
    planned.ledger.frame().write_parquet(folder / LEDGER)
    _write_masks(folder / MASKS, plan, planned, tokenizer)
    if not planned.learned:
        advice = (
            "Look at the reasons below; a lower `minimum_rating`, or a longer `max_length`, may be what is missing."
        )
        findings.append(block("rows", f"Of {result.considered} rows none is left to learn from.", advice))
    return planned, model


def _teller(folder: Path) -> Callable[[int, int], None]:
    return lambda done, total: tell(folder, "tokenising", done, total)


def _resolve(plan: TrainPlan) -> ResolvedModel:
    return resolve_classifier(plan.model) if plan.method == "classify" else resolve_model(plan.model)


def _load_tokenizer(plan: TrainPlan, model: ResolvedModel) -> PreTrainedTokenizerBase:
    if plan.method == "classify":  # an encoder has no chat template
        return load_text_encoder(model).tokenizer
    return load_tokenizer(model.folder)


def _write_masks(path: Path, plan: TrainPlan, planned: PlannedRows, tokenizer: PreTrainedTokenizerBase) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in choose_shown(planned.tokenised, _SHOWN):
            sides = show_tokens(row, plan.max_length, tokenizer, plan.method)
            file.write(json.dumps({"row_id": row.row_id, "fate": row.fate, "sides": sides}, ensure_ascii=False) + "\n")


def _seal(folder: Path) -> None:
    names = (PLAN, REPORT, LEDGER, MASKS)
    files = {name: {"sha256": hash_file(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    write_json(folder / MANIFEST, {"preflight_id": folder.resolve().name, "files": files})
