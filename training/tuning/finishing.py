"""Finishing: saves what was trained, tells what came of it, and seals the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.models.loading import WEIGHTS, ResolvedModel
from pitchpipe.training.runs.checkpoints import clear_checkpoints
from pitchpipe.training.runs.records import seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, read_metrics, write_json, write_progress
from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.methods import find_method, tell_facts
from pitchpipe.training.tuning.model_card import write_model_card
from pitchpipe.training.tuning.samples import answer_samples, append_samples
from pitchpipe.training.tuning.watching import Watch


def finish(job: Job, trainer: Any, watch: Watch, seconds: float) -> None:
    """Saves the weights, has the model do what it learned on a few rows, and seals the folder."""
    folder = job.folder
    write_progress(folder, "saving", trainer.state.global_step, trainer.state.max_steps)
    save_weights(trainer.model, job)
    summary = _summarise(job, trainer, seconds) | watch.summarise(trainer.state.global_step, trainer.state.max_steps)
    write_json(folder / SUMMARY, summary)
    write_samples(job, trainer.model, watch.best_step or trainer.state.global_step)
    write_model_card(job, summary)
    resolved = job.resolved
    seal_run(folder, job.plan, job.snapshot["snapshot_id"], base_model=resolved.name, parent=resolved.run_id)
    clear_checkpoints(folder)


def _summarise(job: Job, trainer: Any, seconds: float) -> dict[str, Any]:
    metrics = [line for line in read_metrics(job.folder) if "loss" in line]
    return {
        "rows": {"considered": job.result.considered, **job.ledger.count()},
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "training_seconds": round(sum(_gaps(metrics)), 1),
        "weights": job.plan.weights,
        "trained_parameters": sum(weight.numel() for weight in trainer.model.parameters() if weight.requires_grad),
        "first_loss": metrics[0]["loss"],
        "final_loss": metrics[-1]["loss"],
        **tell_facts(job, trainer, metrics),
    }


def _gaps(metrics: list[dict[str, Any]]) -> list[float]:
    """Seconds of each step; a resumed run starts counting again."""
    seconds = [metric["seconds"] for metric in metrics]
    return [now - before if now >= before else now for before, now in zip([0.0, *seconds], seconds, strict=False)]


def save_weights(model: Any, job: Job) -> None:
    """Writes what was trained as safetensors: the adapter, or the whole model with its tokenizer and chat template."""
    target = job.folder / WEIGHTS
    if hasattr(model, "peft_config"):
        save_adapter(model, target, job.resolved)
    else:
        save_whole_model(model, job.encoder.tokenizer, target, job.resolved)


def save_adapter(model: Any, target: Path, resolved: ResolvedModel) -> None:
    """Writes the trained adapter as safetensors, naming its base as the plan does and not by a path of this machine."""
    model.peft_config["default"].base_model_name_or_path = resolved.name
    model.save_pretrained(target, selected_adapters=["default"], safe_serialization=True)
    (target / "README.md").unlink(missing_ok=True)
    if not (target / "adapter_model.safetensors").is_file():
        raise RunError(f"No adapter was written to {target}.", "See log.txt in the run folder.")


def save_whole_model(model: Any, tokenizer: Any, target: Path, resolved: ResolvedModel) -> None:
    """Writes a model folder that stands alone; what pads is never what ends, or a loaded model would not stop."""
    settings = getattr(model, "generation_config", None)
    if settings is not None:
        settings.pad_token_id = tokenizer.pad_token_id
        ends = settings.eos_token_id if isinstance(settings.eos_token_id, list) else [settings.eos_token_id]
        if settings.pad_token_id in ends:
            raise AssertionError(f"the padding token {settings.pad_token_id} would end answers")
    model.config._name_or_path = resolved.name
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    write_json(target / "origin.json", {"licence": resolved.licence, "tuned_from": resolved.name})
    if not list(target.glob("*.safetensors")):
        raise RunError(f"No weights were written to {target}.", "See log.txt in the run folder.")


def write_samples(job: Job, model: Any, step: int) -> None:
    """A few training prompts with the tuned model's answers, for a first look; a model that scores writes none."""
    is_writer = find_method(job.plan.method).head == "words"
    chosen = job.result.kept[: job.plan.samples] if is_writer else []
    append_samples(job.folder, answer_samples(model, job.encoder, chosen, step, job.plan.max_new_tokens))
