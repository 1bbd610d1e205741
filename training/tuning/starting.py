"""Starting: the model as a run begins to train it, by what it starts from and what of it is trained.

| starts from | adapter (`weights = "lora"`) | all weights (`weights = "full"`) |
|---|---|---|
| a base model, or a run that trained all weights | a fresh adapter | its weights |
| a run with an adapter | that adapter, trained further | its weights with the adapter folded in |

A model that scores may start from one that writes: body and adapter are taken over, and the head is new.
"""

from __future__ import annotations

from typing import Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.models.loading import ResolvedModel, load_plain_model
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.tuning.methods import find_method

_TASKS = {"words": "CAUSAL_LM", "score": "SEQ_CLS"}


def load_start(plan: TrainPlan, resolved: ResolvedModel) -> tuple[Any, Any | None]:
    """The model to train, and the configuration of the fresh adapter that the trainer is to put onto it, if any."""
    from transformers import set_seed

    head = find_method(plan.method).head
    if resolved.head not in ("words", head):
        raise RunError(
            f"The run {resolved.run_id} made a model that ends in a {resolved.head}, which cannot learn to write.",
            "Start from a base model or from a run of a method that writes.",
        )
    set_seed(plan.seed)  # a new head is drawn at random
    is_full = plan.weights == "full"
    # In bf16 most steps of a weight are smaller than its rounding; so what is trained is fp32, and autocast computes.
    model = load_plain_model(resolved, "fp32" if is_full else plan.precision, plan.attention, head)
    if head == "score":
        model.score.float()
    if resolved.adapter is not None:
        model = _take_over(model, resolved, head)
        return (_all_trainable(model.merge_and_unload()), None) if is_full else (model, None)
    return (_all_trainable(model), None) if is_full else (model, _fresh_adapter(plan, head))


def _all_trainable(model: Any) -> Any:
    return model.requires_grad_(True)


def _fresh_adapter(plan: TrainPlan, head: str) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=plan.lora_rank,
        lora_alpha=plan.lora_alpha,
        lora_dropout=plan.lora_dropout,
        target_modules="all-linear",
        task_type=_TASKS[head],
        modules_to_save=["score"] if head == "score" else None,
    )


def _take_over(model: Any, resolved: ResolvedModel, head: str) -> Any:
    """The model with the adapter of the run that it starts from, ready to be trained."""
    from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
    from safetensors.torch import load_file

    if resolved.adapter is None:
        raise AssertionError("there is no adapter to take over")
    if resolved.head == head:
        return PeftModel.from_pretrained(model, resolved.adapter, is_trainable=True)
    # An adapter of a writing model knows no head, so its matrices go into one that does.
    config = LoraConfig.from_pretrained(resolved.adapter)
    config.task_type, config.modules_to_save, config.inference_mode = _TASKS[head], ["score"], False
    matrices = load_file(resolved.adapter / "adapter_model.safetensors")
    matrices["base_model.model.score.weight"] = model.score.weight.detach().clone()
    model = get_peft_model(model, config)
    left = set_peft_model_state_dict(model, matrices)
    if left.unexpected_keys:
        raise RunError(
            f"The adapter of the run {resolved.run_id} does not fit: {left.unexpected_keys[:3]}.",
            "Start from the base model.",
        )
    return model
