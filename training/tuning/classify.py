"""Task fine-tuning: a pretrained model learns to give texts their class, by transformers' own Trainer.

Devlin et al., "BERT" (2019), section 4.1: a linear head on the summary of the text, all weights (or a LoRA adapter and
the head) trained on labelled texts. The run folder is that of any other run, with `classes.json` beside.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.store.identity import hash_value
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.models.classifiers import (
    CLASSES,
    TextEncoder,
    load_classifier,
    load_text_encoder,
    predict,
    read_classes,
    resolve_classifier,
)
from pitchpipe.training.models.loading import WEIGHTS, ResolvedModel, choose_precision, has_accelerator
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatPolicy, FormatResult, build_rows
from pitchpipe.training.runs.checkpoints import CHECKPOINTS, clear_checkpoints
from pitchpipe.training.runs.records import check_same_inputs, check_same_surroundings, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, read_metrics, write_json, write_progress
from pitchpipe.training.tokens.label_ledger import build_label_ledger, list_classes
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tuning.classifier_card import write_classifier_card
from pitchpipe.training.tuning.continuing import train
from pitchpipe.training.tuning.dev_rows import DevRows
from pitchpipe.training.tuning.finishing import _gaps
from pitchpipe.training.tuning.label_trainer import build_label_trainer
from pitchpipe.training.tuning.monitor import Monitor, stop_if_asked
from pitchpipe.training.tuning.overrides import build_config
from pitchpipe.training.tuning.trackers import prepare_trackers
from pitchpipe.training.tuning.tune import _first_rows
from pitchpipe.training.tuning.watching import Watch, check_watch

_FEW_ROWS = 8
"""Training rows of a class below which a warning tells of it."""


def tune_classifier(folder: Path, plan: TrainPlan) -> None:
    """Trains in `folder` as the plan says; continues from the last whole checkpoint when there is one."""
    began = time.monotonic()
    write_progress(folder, "reading the snapshot")
    check_watch(plan)
    _check_dials(plan)
    config = build_config(plan, folder / CHECKPOINTS, has_accelerator(), choose_precision(plan.precision))
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    resolved = resolve_classifier(plan.model)
    encoder = load_text_encoder(resolved, read_classes(Path(plan.model).expanduser()) if resolved.run_id else ())
    policy = FormatPolicy(minimum_support=plan.minimum_support, confidence_weights=plan.soft_labels)
    result = _first_rows(build_rows("classify", rows, policy), plan.max_rows)
    classes = list_classes(result, encoder.classes)
    columns = ("weight",) if plan.soft_labels else ()
    ledger = build_label_ledger(result, encoder, plan.max_length, plan.over_length, columns)
    check_same_inputs(folder, _inputs(plan, snapshot, resolved, result, classes))
    check_same_surroundings(folder, environment())
    write_json(folder / CLASSES, {"classes": classes})
    ledger.frame().write_parquet(folder / "ledger.parquet")
    stop_if_asked()
    write_progress(folder, "loading the model")
    prepare_trackers(plan.report_to, folder)
    watch = Watch(folder, folder / CHECKPOINTS, plan, Monitor(folder, plan), None, DevRows(plan.method))
    trainer = _build_trainer(plan, config, resolved, encoder, ledger, classes, watch.monitor)
    train(trainer, folder, watch)
    stop_if_asked()
    watch.choose_weights(trainer.model)
    write_progress(folder, "saving", trainer.state.global_step, trainer.state.max_steps)
    save_classifier(trainer.model, encoder, folder / WEIGHTS, resolved)
    summary = _summarise(folder, trainer, result, ledger, classes, time.monotonic() - began)
    summary |= watch.summarise(trainer.state.global_step, trainer.state.max_steps)
    write_json(folder / SUMMARY, summary)
    _write_samples((folder, plan, trainer.state.global_step), trainer.model, encoder, result, classes)
    write_classifier_card(folder, plan, resolved, snapshot, summary)
    seal_run(folder, plan, snapshot["snapshot_id"], base_model=resolved.name, parent=resolved.run_id)
    clear_checkpoints(folder)


def _check_dials(plan: TrainPlan) -> None:
    """Refuses what a classifier is not measured by on the way; the other dials are obeyed."""
    check_watch(plan)
    for name in ("dev_share", "measure_every"):
        if getattr(plan, name):
            raise UsageError(
                f"The dial `{name}` is set, but a classifier is measured when it is finished, not on the way.",
                f"Set `{name}` to 0; `pitchpipe evaluate` measures the run on the sealed holdout.",
            )


def _inputs(
    plan: TrainPlan, snapshot: dict[str, Any], resolved: ResolvedModel, result: FormatResult, classes: list[str]
) -> dict[str, Any]:
    """Everything that decides what is learned; a run is continued only while all of it is the same."""
    return {
        "plan": {**dataclasses.asdict(plan), "name": ""},
        "snapshot_id": snapshot["snapshot_id"],
        "snapshot_rows_sha256": snapshot["files"]["rows.parquet"]["sha256"],
        "rows_hash": hash_value(result.kept),
        "classes": classes,
        "base_model": resolved.name,
        "base_model_hash": resolved.base_hash,
        "base_run": resolved.base_run,
        "start_run": resolved.run_id,
        "start_adapter_hash": resolved.adapter_hash,
    }


def _build_trainer(
    plan: TrainPlan,
    config: Any,
    resolved: ResolvedModel,
    encoder: TextEncoder,
    ledger: Ledger,
    classes: list[str],
    monitor: Monitor,
) -> Any:
    from transformers import set_seed

    set_seed(plan.seed)  # the head begins at random
    pad = encoder.tokenizer.pad_token_id
    model = load_classifier(resolved, classes, pad, plan.attention, trainable=True)
    if plan.weights == "lora" and resolved.adapter is None:
        from peft import LoraConfig, get_peft_model

        adapter = LoraConfig(
            r=plan.lora_rank,
            lora_alpha=plan.lora_alpha,
            lora_dropout=plan.lora_dropout,
            target_modules="all-linear",
            task_type="SEQ_CLS",
        )
        model = get_peft_model(model, adapter)
    elif plan.weights == "full" and resolved.adapter is not None:
        model = model.merge_and_unload().requires_grad_(True)
    return build_label_trainer(model, encoder.tokenizer, config, ledger, [monitor])


def save_classifier(model: Any, encoder: TextEncoder, target: Path, resolved: ResolvedModel) -> None:
    """Writes adapter and head, or all weights with the tokenizer, as safetensors."""
    if hasattr(model, "peft_config"):
        model.peft_config["default"].base_model_name_or_path = resolved.name
        model.save_pretrained(target, selected_adapters=["default"], safe_serialization=True)
        (target / "README.md").unlink(missing_ok=True)
    else:
        model.save_pretrained(target)
        encoder.tokenizer.save_pretrained(target)
    if not list(target.glob("*.safetensors")):
        raise RunError(f"No weights were written to {target}.", "See log.txt in the run folder.")


def _summarise(
    folder: Path, trainer: Any, result: FormatResult, ledger: Ledger, classes: list[str], seconds: float
) -> dict[str, Any]:
    metrics = read_metrics(folder)
    counts = Counter(row["labels"] for row in ledger.learned)
    sizes = {label: counts[place] for place, label in enumerate(classes)}
    summary = {
        "rows": {"considered": result.considered, **ledger.count()},
        "classes": sizes,
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "training_seconds": round(sum(_gaps(metrics)), 1),
        "first_loss": metrics[0]["loss"],
        "final_loss": metrics[-1]["loss"],
    }
    warning = _find_warning(sizes, result)
    return summary | ({"warning": warning} if warning else {})


def _find_warning(sizes: dict[str, int], result: FormatResult) -> dict[str, str] | None:
    """The first thing that people should know before they trust the model."""
    several = sum(row.rule == "several_labels" for row in result.dropped)
    if several > len(result.kept):
        return {
            "happened": f"{several} texts have several labels and were left out, more than the "
            f"{len(result.kept)} with one; this method gives a text one class.",
            "advice": "Ask for one label (`multiple = false` in the rubric), or read the ledger for what was left out.",
        }
    few = [f"{label} ({size})" for label, size in sizes.items() if size < _FEW_ROWS]
    if few:
        return {
            "happened": f"Classes with fewer than {_FEW_ROWS} texts to learn from: {', '.join(few)}.",
            "advice": "Judge more texts of these classes, or join classes; look at their recall in the evaluation.",
        }
    return None


def _write_samples(
    job: tuple[Path, TrainPlan, int], model: Any, encoder: TextEncoder, result: FormatResult, classes: list[str]
) -> None:
    """A few training texts with the class that the model gives them, for a first look."""
    folder, plan, step = job
    model.eval()
    chosen = result.kept[: plan.samples]
    rows = [encoder.cut(row["text"], plan.max_length) for row in chosen]
    lines = []
    for row, chances in zip(chosen, predict(model, encoder, rows) if rows else [], strict=True):
        place = int(chances.argmax())
        said, sure = classes[place], round(float(chances[place]), 4)
        # As samples of any method are read: a prompt and what came of it.
        shown = {"prompt": [{"role": "user", "content": row["text"]}], "answer": f"{said} ({sure:.0%} sure)"}
        line = {"step": step, "row_id": row["row_id"], **shown, "label": row["label"], "confidence": sure}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / "samples.jsonl").write_text("".join(lines), encoding="utf-8")
