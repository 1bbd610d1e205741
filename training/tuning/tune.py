"""Tuning: carries out a training plan in its run folder, from the snapshot's rows to the sealed adapter."""

from __future__ import annotations

import dataclasses
import re
import shutil
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
from pitchpipe.training.runs.records import check_same_inputs, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, read_metrics, write_json, write_progress
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.dev_rows import hold_back
from pitchpipe.training.tuning.methods import build_ledger, build_trainer
from pitchpipe.training.tuning.model_card import write_model_card
from pitchpipe.training.tuning.monitor import WHOLE, stop_if_asked
from pitchpipe.training.tuning.overrides import build_config
from pitchpipe.training.tuning.samples import answer_samples, append_samples
from pitchpipe.training.tuning.watching import Watch, build_watch, check_watch

CHECKPOINTS = "checkpoints"


def tune(folder: Path, plan: TrainPlan) -> None:
    """Trains in `folder` as the plan says; continues from the last whole checkpoint when there is one."""
    began = time.monotonic()
    write_progress(folder, "reading the snapshot")
    check_watch(plan)
    config = build_config(plan, folder / CHECKPOINTS, has_accelerator(), choose_precision(plan.precision))
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    resolved = resolve_model(plan.model)
    tokenizer = load_tokenizer(resolved.folder)
    encoder = ChatEncoder(tokenizer)
    encoder.check_template()
    result = build_rows(plan.method, rows, FormatPolicy(plan.minimum_rating, minimum_support=plan.minimum_support))
    result, held_back = hold_back(result, rows, plan.dev_share)
    result = _first_rows(result, plan.max_rows)
    ledger = build_ledger(plan, result, encoder)
    check_same_inputs(folder, inputs_of(plan, snapshot, resolved, encoder, result))
    write_json(folder / "environment.json", environment())
    ledger.frame().write_parquet(folder / "ledger.parquet")
    stop_if_asked()
    write_progress(folder, "loading the model")
    watch = build_watch(folder, folder / CHECKPOINTS, plan, encoder, result.kept, held_back)
    trainer = _build_trainer(plan, config, resolved, tokenizer, ledger, watch)
    checkpoint = last_whole_checkpoint(folder)
    if checkpoint is None:
        (folder / "metrics.jsonl").unlink(missing_ok=True)
    _train(trainer, checkpoint, watch)
    stop_if_asked()
    watch.choose_weights(trainer.model)
    _finish(folder, plan, trainer, watch, encoder, resolved, ledger, result, snapshot, time.monotonic() - began)


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
    plan: TrainPlan, config: Any, resolved: ResolvedModel, tokenizer: Any, ledger: Ledger, watch: Watch
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
    trainer = build_trainer(plan, config, model, tokenizer, ledger, adapter, [])
    trainer.remove_callback(PrinterCallback)
    watch.attach(trainer)
    install_fused_head(trainer.model.get_base_model())
    return trainer


def _train(trainer: Any, checkpoint: Path | None, watch: Watch) -> None:
    """Trains to the end, from the checkpoint when there is one."""
    from transformers import TrainerState

    state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json")) if checkpoint else None
    if state is not None and watch.is_done(state.global_step, state.max_steps):
        # Resumed at its last step, the trainer would take one more, so the weights are only loaded.
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = state
    else:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; half-written ones are cleared away."""
    found = {}
    for path in (folder / CHECKPOINTS).glob("checkpoint-*"):
        number = re.fullmatch(r"checkpoint-(\d+)", path.name)
        if number and (path / WHOLE).is_file():
            found[int(number[1])] = path
        else:
            shutil.rmtree(path)
    return found[max(found)] if found else None


def _finish(
    folder: Path,
    plan: TrainPlan,
    trainer: Any,
    watch: Watch,
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
    metrics = [metric for metric in read_metrics(folder) if "loss" in metric]
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
    summary |= watch.summarise(trainer.state.global_step, trainer.state.max_steps)
    write_json(folder / SUMMARY, summary)
    step = watch.best_step or trainer.state.global_step
    answered = answer_samples(trainer.model, encoder, result.kept[: plan.samples], step, plan.max_new_tokens)
    append_samples(folder, answered)
    write_model_card(folder, plan, resolved, snapshot, summary)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    seal_run(folder, plan, snapshot["snapshot_id"], base_model=resolved.name, parent=resolved.run_id)


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
