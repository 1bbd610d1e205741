"""Methods: what differs between ways of tuning, by the name that a plan uses. Everything else is the same for all.

| method | configuration of TRL | rows of the ledger | answers with |
|---|---|---|---|
| sft | SFTConfig | input_ids, labels | words |
| dpo | DPOConfig | prompt_ids, chosen_ids, rejected_ids | words |

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
from pitchpipe.training.tokens.ledger import Ledger, build_dpo_ledger, build_sft_ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.job import Job


@dataclass(frozen=True, slots=True)
class Method:
    """One way of tuning."""

    title: str
    """What the model card calls it."""
    form: str
    """The form of `training/rows/formats.py` whose rows it considers."""
    config: str
    """TRL's class of its configuration."""
    ledger: Callable[[FormatResult, ChatEncoder, int, str], Ledger]
    """Tokenises the rows: (rows, encoder, max_length, over_length)."""
    arguments: Callable[[TrainPlan], dict[str, Any]]
    """Arguments of the configuration that only this method has."""
    module: str
    """The module with `build_trainer(job, config, model, adapter, callbacks)` and `tell_facts(job, trainer, metrics)`.

    `adapter` is the configuration of the adapter to put onto the model, or None when it brings one or all of its
    weights are trained. The facts go into summary.json.
    """
    head: Literal["words", "score"] = "words"
    """What the model ends in: a language-model head, or one number."""
    has_reference: bool = False
    """It holds the policy to a frozen reference."""


def _sft_arguments(plan: TrainPlan) -> dict[str, Any]:
    packing = plan.layout == "packed"
    return {
        "max_length": plan.max_length,
        "packing": packing,
        "packing_strategy": "bfd",
        # Rows come tokenised, measured and labelled; only packing still needs TRL's own preparation.
        "dataset_kwargs": {"skip_prepare_dataset": not packing},
    }


def _dpo_arguments(plan: TrainPlan) -> dict[str, Any]:
    losses = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, plan.sft_weight]} if plan.sft_weight else {}
    return {"max_length": None, "beta": plan.beta, **losses}


_HERE = "pitchpipe.training.tuning"
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
    ),
}


def find_method(name: str) -> Method:
    """The method of that name."""
    if name not in METHODS:
        raise UsageError(f"The method {name!r} has no trainer here yet.", f"Use one of: {', '.join(METHODS)}.")
    return METHODS[name]


def config_class(method: str) -> type[Any]:
    """TRL's configuration of a method."""
    import trl

    found: type[Any] = getattr(trl, find_method(method).config)
    return found


def build_ledger(plan: TrainPlan, result: FormatResult, encoder: ChatEncoder) -> Ledger:
    """The token ids and the fate of every row, as the plan's method needs them."""
    return find_method(plan.method).ledger(result, encoder, plan.max_length, plan.over_length)


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> Any:
    """The trainer over every row that the ledger keeps."""
    return _module(job).build_trainer(job, config, model, adapter, callbacks)


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """What the summary of a run says beside what all runs say."""
    facts: dict[str, Any] = _module(job).tell_facts(job, trainer, metrics)
    return facts


def _module(job: Job) -> Any:
    return importlib.import_module(find_method(job.plan.method).module)
