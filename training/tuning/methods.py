"""Methods: what differs between ways of tuning, by the name that a plan uses. Everything else is the same for all.

| method | configuration of TRL | rows of the ledger | answers with |
|---|---|---|---|
| sft | SFTConfig | input_ids, labels | words |
| dpo | DPOConfig | prompt_ids, chosen_ids, rejected_ids | words |
| kto | KTOConfig | prompt_ids, completion_ids, label | words |
| reward | RewardConfig | chosen_ids, rejected_ids, margin | a score |
| rloo | RLOOConfig | prompt | words |
| grpo | GRPOConfig | prompt | words |
| classify | transformers' TrainingArguments | input_ids, labels, weight | classes (a flow of its own: `classify.py`) |

With `soft_labels` the rows have `weight` as well, and those of pairs `label_smoothing` (`soft_losses.py`).

To add a method: write `tuning/<method>.py` with `build_trainer` and `tell_facts` (see `sft.py` for the smallest), a
function that fills its ledger, one that turns the plan into TRL's arguments, and an entry in METHODS.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pitchpipe.store.errors import UsageError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.label_ledger import build_label_ledger
from pitchpipe.training.tokens.ledger import (
    Ledger,
    build_dpo_ledger,
    build_kto_ledger,
    build_reward_ledger,
    build_sft_ledger,
)
from pitchpipe.training.tokens.prompt_ledger import build_prompt_ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.rewards import rl_arguments


@dataclass(frozen=True, slots=True)
class Method:
    """One way of tuning."""

    title: str
    """What the model card calls it."""
    form: str
    """The form of `training/rows/formats.py` whose rows it considers."""
    config: str
    """TRL's class of its configuration."""
    ledger: Callable[[FormatResult, Any, int, str, tuple[str, ...]], Ledger]
    """Tokenises the rows: (rows, encoder, max_length, over_length, further columns)."""
    arguments: Callable[[TrainPlan], dict[str, Any]]
    """Arguments of the configuration that only this method has."""
    module: str
    """The module with `build_trainer(job, config, model, adapter, callbacks)` and `tell_facts(job, trainer, metrics)`.

    `adapter` is the configuration of the adapter to put onto the model, or None when it brings one or all of its
    weights are trained. The facts go into summary.json.
    """
    head: Literal["words", "score", "classes"] = "words"
    """What the model ends in: a language-model head, one number, or one number a class."""
    has_reference: bool = False
    """It holds the policy to a frozen reference."""
    soft_columns: tuple[str, ...] = ("weight",)
    """What of a row its loss obeys when the plan says `soft_labels`."""


def _sft_arguments(plan: TrainPlan) -> dict[str, Any]:
    packing = plan.layout == "packed"
    _refuse_other_losses(plan, "loss_type")
    if packing and plan.soft_labels:
        raise UsageError(
            "Packed rows cannot have weights of their own.", "Set `layout` to grouped, or `soft_labels` to false."
        )
    return {
        "max_length": plan.max_length,
        "packing": packing,
        "packing_strategy": "bfd",
        # Rows come tokenised, measured and labelled; only packing still needs TRL's own preparation.
        "dataset_kwargs": {"skip_prepare_dataset": not packing},
        "train_sampling_strategy": "group_by_length" if plan.layout == "grouped" else "random",
    }


def _dpo_arguments(plan: TrainPlan) -> dict[str, Any]:
    losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, plan.sft_weight]} if plan.sft_weight else {}
    _refuse_other_losses(plan, "loss_type", "loss_weights", "ld_alpha", "f_divergence_type", "use_weighting")
    return {"max_length": None, "beta": plan.beta, **losses}


def _kto_arguments(plan: TrainPlan) -> dict[str, Any]:
    if plan.batch_size < 2:
        raise UsageError(
            "KTO estimates how far the policy has moved by the other answers of a batch, and batch_size is 1.",
            "Set `batch_size` to 2 or more.",
        )
    # Each answer is also read with the prompt of its neighbour in the batch, so batches must stay as they were made.
    return {"max_length": None, "beta": plan.beta, "train_sampling_strategy": "sequential"}


def _reward_arguments(plan: TrainPlan) -> dict[str, Any]:  # noqa: ARG001 (all methods are called alike)
    return {"max_length": None}


def _classify_arguments(plan: TrainPlan) -> dict[str, Any]:
    return {
        "remove_unused_columns": False,
        "include_num_input_tokens_seen": "non_padding",
        "train_sampling_strategy": "group_by_length" if plan.layout == "grouped" else "random",
    }


def _refuse_other_losses(plan: TrainPlan, *names: str) -> None:
    """Soft labels are defined for the plain loss; a change to it by an override would be lost without a word."""
    changed = [name for name in names if name in plan.trl_overrides]
    if plan.soft_labels and changed:
        raise UsageError(
            f"Soft labels have a loss of their own, and the plan overrides {', '.join(changed)}.",
            "Leave out one of the two.",
        )


_HERE = "pitchpipe.training.tuning"
_PAIR = ("weight", "label_smoothing")
METHODS = {
    "sft": Method("instruction tuning", "sft", "SFTConfig", build_sft_ledger, _sft_arguments, f"{_HERE}.sft"),
    "dpo": Method(
        "preference tuning (DPO)",
        "dpo",
        "DPOConfig",
        build_dpo_ledger,
        _dpo_arguments,
        f"{_HERE}.dpo",
        has_reference=True,
        soft_columns=_PAIR,
    ),
    "kto": Method(
        "preference tuning on thumbs (KTO)",
        "kto",
        "KTOConfig",
        build_kto_ledger,
        _kto_arguments,
        f"{_HERE}.kto",
        has_reference=True,
    ),
    "reward": Method(
        "reward modelling",
        "reward",
        "RewardConfig",
        build_reward_ledger,
        _reward_arguments,
        f"{_HERE}.reward",
        head="score",
        soft_columns=_PAIR,
    ),
    "rloo": Method(
        "refinement against rewards (RLOO)",
        "prompts",
        "RLOOConfig",
        build_prompt_ledger,
        rl_arguments,
        f"{_HERE}.rl",
        has_reference=True,
    ),
    "grpo": Method(
        "refinement against rewards (GRPO)",
        "prompts",
        "GRPOConfig",
        build_prompt_ledger,
        rl_arguments,
        f"{_HERE}.rl",
        has_reference=True,
    ),
    "classify": Method(
        "task fine-tuning",
        "classify",
        "TrainingArguments",
        build_label_ledger,
        _classify_arguments,
        f"{_HERE}.classify",
        head="classes",
    ),
}


def find_method(name: str) -> Method:
    """The method of that name."""
    if name not in METHODS:
        raise UsageError(f"The method {name!r} has no trainer here yet.", f"Use one of: {', '.join(METHODS)}.")
    return METHODS[name]


def config_class(method: str) -> type[Any]:
    """TRL's configuration of a method."""
    import transformers
    import trl

    name = find_method(method).config
    found: type[Any] = getattr(trl if hasattr(trl, name) else transformers, name)
    return found


def build_ledger(plan: TrainPlan, result: FormatResult, encoder: ChatEncoder) -> Ledger:
    """The token ids and the fate of every row, as the plan's method needs them."""
    method = find_method(plan.method)
    columns = method.soft_columns if plan.soft_labels else ()
    # Prompts leave room for the answers that are drawn to them.
    longest = plan.max_length - (plan.max_new_tokens if method.form == "prompts" else 0)
    return method.ledger(result, encoder, longest, plan.over_length, columns)


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> Any:
    """The trainer over every row that the ledger keeps."""
    return _module(job).build_trainer(job, config, model, adapter, callbacks)


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """What the summary of a run says beside what all runs say."""
    facts: dict[str, Any] = _module(job).tell_facts(job, trainer, metrics)
    return facts


def _module(job: Job) -> Any:
    return importlib.import_module(find_method(job.plan.method).module)
