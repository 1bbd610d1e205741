"""Tuning: carries out a training plan in its run folder, from the snapshot's rows to the sealed adapter."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.store.identity import hash_value
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.models.loading import (
    ADAPTER,
    ResolvedModel,
    choose_precision,
    has_accelerator,
    load_model,
    load_tokenizer,
    resolve_model,
)
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatPolicy, FormatResult, build_rows
from pitchpipe.training.runs.checkpoints import CHECKPOINTS, clear_checkpoints
from pitchpipe.training.runs.records import (
    INPUTS,
    check_continuation,
    check_same_inputs,
    check_same_surroundings,
    environment,
    seal_run,
)
from pitchpipe.training.runs.run_folders import SUMMARY, read_json, read_metrics, write_json, write_progress
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.continuing import MarginCheck, train
from pitchpipe.training.tuning.methods import build_ledger, build_trainer
from pitchpipe.training.tuning.model_card import write_model_card
from pitchpipe.training.tuning.monitor import Monitor, stop_if_asked
from pitchpipe.training.tuning.overrides import build_config


def tune(folder: Path, plan: TrainPlan) -> None:
    """Trains in `folder` as the plan says; continues from the last whole checkpoint when there is one."""
    began = time.monotonic()
    write_progress(folder, "reading the snapshot")
    config = build_config(plan, folder / CHECKPOINTS, has_accelerator(), choose_precision(plan.precision))
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    resolved = resolve_model(plan.model)
    tokenizer = load_tokenizer(resolved.folder)
    encoder = ChatEncoder(tokenizer)
    encoder.check_template()
    result = build_rows(plan.method, rows, FormatPolicy(plan.minimum_rating, minimum_support=plan.minimum_support))
    result = _first_rows(result, plan.max_rows)
    ledger = build_ledger(plan, result, encoder)
    inputs = inputs_of(plan, snapshot, resolved, encoder, result)
    check_same_inputs(folder, inputs)
    if resolved.run_id:
        check_continuation(read_json(Path(plan.model).expanduser() / INPUTS), inputs, resolved.run_id)
    check_same_surroundings(folder, environment())
    ledger.frame().write_parquet(folder / "ledger.parquet")
    stop_if_asked()
    write_progress(folder, "loading the model")
    trainer = _build_trainer(plan, config, resolved, tokenizer, ledger, Monitor(folder))
    train(trainer, folder)
    stop_if_asked()
    _finish(folder, plan, trainer, encoder, resolved, ledger, result, snapshot, time.monotonic() - began)


def inputs_of(
    plan: TrainPlan, snapshot: dict[str, Any], resolved: ResolvedModel, encoder: ChatEncoder, result: FormatResult
) -> dict[str, Any]:
    """Everything that decides what is learned; a run is continued only while all of it is the same."""
    return {
        "plan": {**dataclasses.asdict(plan), "name": ""},
        "snapshot_id": snapshot["snapshot_id"],
        "snapshot_rows_sha256": snapshot["files"]["rows.parquet"]["sha256"],
        "rows_hash": hash_value(result.kept),
        "base_model": resolved.name,
        "base_model_hash": resolved.base_hash,
        "start_run": resolved.run_id,
        "start_adapter_hash": resolved.adapter_hash,
        "chat_template_hash": encoder.template_hash,
        "reference": reference_of(plan, resolved),
    }


def reference_of(plan: TrainPlan, resolved: ResolvedModel) -> str | None:
    """Whom DPO holds the policy to: the run it starts from, or the base model."""
    if plan.method != "dpo":
        return None
    return f"run {resolved.run_id}" if resolved.run_id else f"base {resolved.name}"


def _first_rows(result: FormatResult, count: int) -> FormatResult:
    """Keeps the first `count` rows in id order; the plan asked for no more, so the rest is listed, not lost."""
    if not count or len(result.kept) <= count:
        return result
    from pitchpipe.training.rows.formats import VERSION, DroppedRow

    reason = f"the plan asks for {count} rows"
    beyond = [DroppedRow(row["row_id"], "beyond_max_rows", VERSION, reason) for row in result.kept[count:]]
    return FormatResult(result.kept[:count], result.dropped + beyond, result.considered)


def _build_trainer(
    plan: TrainPlan, config: Any, resolved: ResolvedModel, tokenizer: Any, ledger: Ledger, monitor: Monitor
) -> Any:
    from peft import LoraConfig
    from transformers import PrinterCallback

    from pitchpipe.training.models.fused_head import install_fused_head

    model = load_model(resolved, plan.precision, plan.attention, trainable=True)
    adapter = None
    if resolved.adapter is None:
        adapter = LoraConfig(
            r=plan.lora_rank,
            lora_alpha=plan.lora_alpha,
            lora_dropout=plan.lora_dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
    callbacks = [monitor, MarginCheck()] if plan.method == "dpo" else [monitor]
    trainer = build_trainer(plan, config, model, tokenizer, ledger, adapter, callbacks)
    trainer.remove_callback(PrinterCallback)
    install_fused_head(trainer.model.get_base_model())
    return trainer


def _finish(
    folder: Path,
    plan: TrainPlan,
    trainer: Any,
    encoder: ChatEncoder,
    resolved: ResolvedModel,
    ledger: Ledger,
    result: FormatResult,
    snapshot: dict[str, Any],
    seconds: float,
) -> None:
    """Saves the adapter, answers a few prompts, and seals the folder."""
    write_progress(folder, "saving", trainer.state.global_step, trainer.state.max_steps)
    save_adapter(trainer.model, folder / ADAPTER, resolved)
    metrics = read_metrics(folder)
    summary = {
        "rows": {"considered": result.considered, **ledger.count()},
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "training_seconds": round(sum(_gaps(metrics)), 1),
        "first_loss": metrics[0]["loss"],
        "final_loss": metrics[-1]["loss"],
    }
    if plan.method == "dpo":
        summary |= {"step0_margin": metrics[0]["rewards/margins"], "reference": reference_of(plan, resolved)}
    lost = next((metric["step"] for metric in metrics if metric["loss"] is None), None)
    if lost is not None:
        summary["warning"] = {
            "happened": f"The loss was no finite number at step {lost}; the model has most likely learned nothing.",
            "advice": f"Lower the learning rate, which was {plan.learning_rate:g}, and tune again.",
        }
    write_json(folder / SUMMARY, summary)
    write_samples(folder, plan, trainer.model, encoder, result)
    write_model_card(folder, plan, resolved, snapshot, summary)
    seal_run(folder, plan, snapshot["snapshot_id"], base_model=resolved.name, parent=resolved.run_id)
    clear_checkpoints(folder)


def _gaps(metrics: list[dict[str, Any]]) -> list[float]:
    """Seconds of each step; a resumed run starts counting again."""
    seconds = [metric["seconds"] for metric in metrics]
    return [now - before if now >= before else now for before, now in zip([0.0, *seconds], seconds, strict=False)]


def save_adapter(model: Any, target: Path, resolved: ResolvedModel) -> None:
    """Writes the trained adapter as safetensors, naming its base as the plan does and not by a path of this machine."""
    model.peft_config["default"].base_model_name_or_path = resolved.name
    model.save_pretrained(target, selected_adapters=["default"], safe_serialization=True)
    (target / "README.md").unlink(missing_ok=True)
    if not (target / "adapter_model.safetensors").is_file():
        raise RunError(f"No adapter was written to {target}.", "See log.txt in the run folder.")


def write_samples(folder: Path, plan: TrainPlan, model: Any, encoder: ChatEncoder, result: FormatResult) -> None:
    """A few training prompts with the tuned model's answers, for a first look."""
    from pitchpipe.training.measuring.generation import generate_answers

    chosen = result.kept[: plan.samples]
    prompts = [encoder.prompt(row["prompt"]) for row in chosen]
    answers = generate_answers(model, encoder, prompts, max_new_tokens=64, batch_size=32) if prompts else []
    lines = [
        json.dumps({"row_id": row["row_id"], "prompt": row["prompt"], "answer": answer.text}, ensure_ascii=False) + "\n"
        for row, answer in zip(chosen, answers, strict=True)
    ]
    (folder / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
