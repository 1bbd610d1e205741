"""Tuning: carries out a training plan in its run folder, from the snapshot's rows to the sealed weights.

read_job        snapshot -> rows of the method's form -> ledger of tokens
build           model to start from (starting.py) -> the method's trainer (methods.py)
train           to the end, or on from the last whole checkpoint
finish          weights, summary, samples, model card, manifest (finishing.py)
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from pitchpipe.store.identity import hash_value
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.hardware.sharing import share_rows
from pitchpipe.training.models.loading import choose_precision, has_accelerator, load_tokenizer, resolve_model
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatPolicy, FormatResult, build_rows
from pitchpipe.training.runs.checkpoints import CHECKPOINTS
from pitchpipe.training.runs.records import (
    INPUTS,
    check_continuation,
    check_same_inputs,
    check_same_surroundings,
    environment,
)
from pitchpipe.training.runs.run_folders import read_json, write_progress
from pitchpipe.training.tokens.token_cache import TokenCache
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.continuing import MarginCheck, train
from pitchpipe.training.tuning.dev_rows import hold_back
from pitchpipe.training.tuning.finishing import finish
from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.methods import build_ledger, build_trainer, find_method
from pitchpipe.training.tuning.monitor import stop_if_asked
from pitchpipe.training.tuning.overrides import build_config
from pitchpipe.training.tuning.reference import reference_of
from pitchpipe.training.tuning.rewards import tell_reward_inputs
from pitchpipe.training.tuning.starting import load_start
from pitchpipe.training.tuning.watching import build_watch, check_watch


def tune(folder: Path, plan: TrainPlan) -> None:
    """Trains in `folder` as the plan says; continues from the last whole checkpoint when there is one."""
    began = time.monotonic()
    write_progress(folder, "reading the snapshot")
    check_watch(plan)
    config = build_config(plan, folder / CHECKPOINTS, has_accelerator(), choose_precision(plan.precision))
    job = read_job(folder, plan)
    inputs = inputs_of(job)
    check_same_inputs(folder, inputs)
    if job.resolved.run_id:
        check_continuation(read_json(Path(plan.model).expanduser() / INPUTS), inputs, job.resolved.run_id)
    check_same_surroundings(folder, environment())
    job.ledger.frame().write_parquet(folder / "ledger.parquet")
    stop_if_asked()
    write_progress(folder, "loading the model")
    watch = build_watch(job)
    trainer = _build(job, config, [watch.monitor])
    watch.attach(trainer)
    train(trainer, folder, watch)
    stop_if_asked()
    watch.choose_weights(trainer.model)
    finish(job, trainer, watch, time.monotonic() - began)


def read_job(folder: Path, plan: TrainPlan) -> Job:
    """The plan's rows, tokenised and measured, and the model that it starts from, not yet loaded."""
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    resolved = resolve_model(plan.model)
    encoder = ChatEncoder(load_tokenizer(resolved.folder), TokenCache())
    encoder.check_template()
    method = find_method(plan.method)
    # How sure people were of a pair is its smoothing, and of an answer its weight; both at once would count it twice.
    is_pair = "label_smoothing" in method.soft_columns
    policy = FormatPolicy(
        plan.minimum_rating,
        minimum_support=plan.minimum_support,
        soft_labels=plan.soft_labels,
        confidence_weights=plan.soft_labels and not is_pair,
    )
    result, held_back = hold_back(build_rows(method.form, rows, policy), rows, plan.dev_share)
    result = _first_rows(result, plan.max_rows)
    return Job(folder, plan, snapshot, resolved, encoder, result, build_ledger(plan, result, encoder), held_back)


def inputs_of(job: Job) -> dict[str, Any]:
    """Everything that decides what is learned; a run is continued only while all of it is the same."""
    resolved = job.resolved
    return {
        "plan": {**dataclasses.asdict(job.plan), "name": ""},
        "snapshot_id": job.snapshot["snapshot_id"],
        "snapshot_rows_sha256": job.snapshot["files"]["rows.parquet"]["sha256"],
        "rows_hash": hash_value(job.result.kept),
        "base_model": resolved.name,
        "base_model_hash": resolved.base_hash,
        "base_run": resolved.base_run,
        "start_run": resolved.run_id,
        "start_adapter_hash": resolved.adapter_hash,
        "chat_template_hash": job.encoder.template_hash,
        "reference": reference_of(job.plan, resolved),
        **tell_reward_inputs(job.plan),
    }


def _first_rows(result: FormatResult, count: int) -> FormatResult:
    """Keeps the first `count` rows in id order; the plan asked for no more, so the rest is listed, not lost."""
    if not count or len(result.kept) <= count:
        return result
    from pitchpipe.training.rows.formats import VERSION, DroppedRow

    reason = f"the plan asks for {count} rows"
    beyond = [DroppedRow(row["row_id"], "beyond_max_rows", VERSION, reason) for row in result.kept[count:]]
    return FormatResult(result.kept[:count], result.dropped + beyond, result.considered)


def _build(job: Job, config: Any, callbacks: list[Any]) -> Any:
    """The trainer of the plan's method on the model that the plan starts from."""
    from transformers import PrinterCallback

    from pitchpipe.training.models.fused_head import install_fused_head

    model, adapter = load_start(job.plan, job.resolved)
    if job.plan.method == "dpo":
        callbacks = [*callbacks, MarginCheck()]
    trainer = build_trainer(job, config, model, adapter, callbacks)
    share_rows(trainer, job.plan.method)
    trainer.remove_callback(PrinterCallback)
    method = find_method(job.plan.method)
    # Refinement asks its head for the temperature of its draws, which ours does not know.
    if method.head == "words" and method.form != "prompts" and hasattr(trainer.model, "peft_config"):
        install_fused_head(trainer.model.get_base_model())
    return trainer
