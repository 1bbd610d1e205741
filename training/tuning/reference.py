"""Reference: whom preference tuning holds the policy to. It is a decision, and it is recorded.

| what is trained | the reference |
|---|---|
| a fresh adapter on a plain model | the model without it |
| the adapter of a finished run | a frozen copy of that adapter as it came (TRL's "ref" adapter) |
| all weights | a frozen copy of the model as it came, an adapter of its start folded in |

Either way policy and reference agree at the start, so the first margin is exactly 0.
"""

from __future__ import annotations

import copy
from typing import Any

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.tuning.methods import find_method


def reference_of(plan: TrainPlan, resolved: ResolvedModel) -> str | None:
    """What the records call the reference: the run that the policy starts from, or the base model."""
    if not find_method(plan.method).has_reference:
        return None
    return f"run {resolved.run_id}" if resolved.run_id else f"base {resolved.name}"


def freeze_reference(model: Any, adapter: Any | None) -> Any | None:
    """A frozen copy of a model whose weights are all trained; None where an adapter can be switched off instead.

    TRL would load one from the name in the model's config, which is another model when the start was a tuned one.
    """
    if adapter is not None or hasattr(model, "peft_config"):
        return None
    return copy.deepcopy(model).eval().requires_grad_(False)
