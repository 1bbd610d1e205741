"""Job: what a training run works on, once its inputs are read: the plan, the rows and the model to start from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import FormatResult
from pitchpipe.training.tokens.ledger import Ledger
from pitchpipe.training.tokens.tokenizing import ChatEncoder


@dataclass(frozen=True, slots=True)
class Job:
    """One training run with its inputs; what differs between methods takes it whole."""

    folder: Path
    plan: TrainPlan
    snapshot: dict[str, Any]
    """The manifest of the snapshot."""
    resolved: ResolvedModel
    encoder: ChatEncoder
    result: FormatResult
    ledger: Ledger
    held_back: list[dict[str, Any]] = field(default_factory=list)
    """Rows of the method's form that are measured on the way and not learned."""
