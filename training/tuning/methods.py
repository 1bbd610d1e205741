"""Methods: what differs between ways of tuning, by the name that a plan uses. Everything else is the same for all.

| method | configuration of TRL | rows of the ledger |
|---|---|---|
| sft | SFTConfig | input_ids, labels |
| dpo | DPOConfig | prompt_ids, chosen_ids, rejected_ids |
"""

from __future__ import annotations

from typing import Any

from pitchpipe.store.errors import UsageError
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.ledger import Ledger, build_dpo_ledger, build_sft_ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder

_CONFIGS = {"sft": "SFTConfig", "dpo": "DPOConfig"}
_LEDGERS = {"sft": build_sft_ledger, "dpo": build_dpo_ledger}


def config_class(method: str) -> type[Any]:
    """TRL's configuration of a method."""
    import trl

    if method == "classify":  # no method of TRL: transformers' own trainer
        import transformers

        own: type[Any] = transformers.TrainingArguments
        return own
    if method not in _CONFIGS:
        raise UsageError(f"The method {method!r} has no trainer here yet.", f"Use one of: {', '.join(_CONFIGS)}.")
    found: type[Any] = getattr(trl, _CONFIGS[method])
    return found


def build_ledger(plan: TrainPlan, result: FormatResult, encoder: ChatEncoder) -> Ledger:
    """The token ids and the fate of every row, as the plan's method needs them."""
    return _LEDGERS[plan.method](result, encoder, plan.max_length, plan.over_length)


def build_trainer(
    plan: TrainPlan,
    config: Any,
    model: Any,
    tokenizer: Any,
    ledger: Ledger,
    adapter: Any | None,
    callbacks: list[Any],
) -> Any:
    """The trainer over every row that the ledger keeps; `adapter` is None when the model brings one to train on."""
    if plan.method == "sft":
        from pitchpipe.training.tuning.sft import build_sft_trainer as build
    else:
        from pitchpipe.training.tuning.dpo import build_dpo_trainer as build
    return build(model, tokenizer, config, ledger, adapter, callbacks)
