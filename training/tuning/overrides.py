"""Overrides: turns a plan into TRL's own configuration, and refuses arguments that TRL does not know or we own."""

from __future__ import annotations

import dataclasses
import difflib
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.tuning.methods import config_class, find_method

_DIALS = {
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulation",
    "learning_rate": "learning_rate",
    "lr_scheduler_type": "schedule",
    "warmup_steps": "warmup",
    "num_train_epochs": "epochs",
    "max_steps": "max_steps",
    "max_length": "max_length",
    "seed": "seed",
    "beta": "beta",
    "num_generations": "generations",
    "max_completion_length": "max_new_tokens",
    "temperature": "temperature",
    "save_steps": "checkpoint_every",
    "gradient_checkpointing": "checkpointing",
    "bf16": "precision",
    "packing": "layout",
    "train_sampling_strategy": "layout",
    "report_to": "report_to",
}
"""TRL's arguments that have a dial of ours."""
_OURS = (
    "output_dir",
    "dataloader_drop_last",
    "save_only_model",
    "ignore_data_skip",
    "hub_token",
    "auto_find_batch_size",
    "dataset_kwargs",
    "logging_strategy",
    "load_best_model_at_end",
    "resume_from_checkpoint",
    "eval_strategy",
    "save_strategy",
    "save_total_limit",
    "logging_steps",
    "use_cpu",
    "trust_remote_code",
    "push_to_hub",
    "trackio_space_id",
    "trackio_bucket_id",
    "trackio_static_space_id",
)
"""TRL's arguments on which the promises of a run folder rest."""


def check_overrides(plan: TrainPlan) -> None:
    """Raises a UsageError for an override that TRL does not know or that a dial or a promise of ours covers."""
    known = {entry.name for entry in dataclasses.fields(config_class(plan.method)) if entry.init}
    for name in plan.trl_overrides:
        if name in _DIALS:
            raise UsageError(
                f"The override {name!r} has a dial of its own.", f"Set `{_DIALS[name]}` in the plan instead."
            )
        if name in _OURS:
            raise UsageError(f"The override {name!r} is not free.", "Pitchpipe sets it itself; leave it out.")
        if name not in known:
            close = difflib.get_close_matches(name, sorted(known), n=3)
            raise UsageError(
                f"TRL's {config_class(plan.method).__name__} has no argument {name!r}.",
                f"Did you mean {' or '.join(close)}?" if close else "See TRL's documentation of its arguments.",
            )
    strategy = plan.trl_overrides.get("packing_strategy", "bfd")
    if strategy not in ("bfd", "bfd_split"):
        raise UsageError(
            f"The packing strategy {strategy!r} lets rows see each other.", "Use `bfd`, which keeps rows apart."
        )
    if plan.layout == "packed" and plan.method != "sft":
        raise UsageError(f"The method {plan.method!r} cannot pack rows.", "Set `layout` to grouped or shuffled.")


def build_config(plan: TrainPlan, scratch: Path, on_accelerator: bool, precision: str = "bf16") -> Any:
    """TRL's configuration for this plan on this machine; `scratch` takes the checkpoints."""
    check_overrides(plan)
    arguments: dict[str, Any] = {
        "output_dir": str(scratch),
        "use_cpu": not on_accelerator,
        "bf16": precision == "bf16",
        "num_train_epochs": plan.epochs,
        "max_steps": plan.max_steps or -1,
        "per_device_train_batch_size": plan.batch_size,
        "gradient_accumulation_steps": plan.accumulation,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.schedule,
        "warmup_steps": plan.warmup,
        "gradient_checkpointing": plan.checkpointing,
        "seed": plan.seed,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps" if plan.checkpoint_every else "no",
        "save_steps": plan.checkpoint_every or 1,
        "save_total_limit": 2,
        "report_to": plan.report_to or "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": on_accelerator,
        "train_sampling_strategy": "random",
    }
    arguments |= find_method(plan.method).arguments(plan) | plan.trl_overrides
    try:
        return config_class(plan.method)(**arguments)
    except (TypeError, ValueError) as error:
        raise UsageError(f"TRL refuses the plan: {error}", "Correct the dial or override that it names.") from error
