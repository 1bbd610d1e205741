"""Preference tuning on thumbs: TRL's KTOTrainer on answers that are tokenised already.

Kahneman-Tversky optimisation (Ethayarajh et al., 2024) needs no pairs: each answer is good or bad. How far the policy
has moved in general (the KL term) is estimated from answers put to the prompt of another row of their batch, so batches
are made here and keep their order. Where good and bad answers are not equally many, the rarer ones weigh as much more,
as equation 8 of the paper asks for.
"""

from __future__ import annotations

import random
from typing import Any

from datasets import Dataset
from trl import KTOTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.reference import freeze_reference, reference_of
from pitchpipe.training.tuning.soft_losses import carry_columns


class TokenisedKTOTrainer(KTOTrainer):  # type: ignore[misc]
    """KTOTrainer that takes prompt_ids, completion_ids and KL_completion_ids as they are, and obeys `weight`."""

    desirable_weight: Any
    undesirable_weight: Any

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False) -> Any:
        if "weight" not in inputs:
            return super()._compute_loss(model, inputs, return_outputs)
        weight, good = inputs.pop("weight"), inputs["label"].bool()
        before = self.desirable_weight, self.undesirable_weight
        self.desirable_weight, self.undesirable_weight = before[0] * weight[good], before[1] * weight[~good]
        try:
            return super()._compute_loss(model, inputs, return_outputs)
        finally:
            self.desirable_weight, self.undesirable_weight = before


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> KTOTrainer:
    """The trainer over every answer that the ledger keeps."""
    learned = list(job.ledger.learned)
    # TRL goes through them in order, at every epoch; in the order of ids, batches would be of one origin.
    random.Random(job.plan.seed).shuffle(learned)
    for name, value in balance_weights([row["label"] for row in learned]).items():
        if name not in job.plan.trl_overrides:
            setattr(config, name, value)
    trainer = TokenisedKTOTrainer(
        model=model,
        ref_model=freeze_reference(model, adapter),
        args=config,
        train_dataset=Dataset.from_list(mismatch(learned, config.per_device_train_batch_size)),
        processing_class=job.encoder.tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if len(trainer.train_dataset) != len(learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} answers, the ledger {len(learned)}")
    if job.plan.soft_labels:
        carry_columns(trainer, ("weight",))
    return trainer


def balance_weights(labels: list[bool]) -> dict[str, float]:
    """The weights that make good and bad answers count the same in all; both 1 where one kind is missing.

    >>> balance_weights([True, True, True, False])
    {'desirable_weight': 1.0, 'undesirable_weight': 3.0}
    """
    good, bad = sum(labels), len(labels) - sum(labels)
    if not good or not bad:
        return {"desirable_weight": 1.0, "undesirable_weight": 1.0}
    return {"desirable_weight": max(1.0, bad / good), "undesirable_weight": max(1.0, good / bad)}


def mismatch(rows: list[dict[str, Any]], batch_size: int) -> list[dict[str, Any]]:
    """Gives rows the answer of a neighbour in their batch as KL_completion_ids. A last row alone takes the row before.

    >>> [row["KL_completion_ids"] for row in mismatch([{"completion_ids": [n]} for n in range(5)], 2)]
    [[1], [0], [3], [2], [3]]
    """
    answers = [row["completion_ids"] for row in rows]
    others: list[list[int]] = []
    for start in range(0, len(answers), batch_size):
        batch = answers[start : start + batch_size]
        others += [batch[-1], *batch[:-1]] if len(batch) > 1 or not start else [answers[start - 1]]
    return [{**row, "KL_completion_ids": other} for row, other in zip(rows, others, strict=True)]


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """The first margin, which is 0 when policy and reference agree, who the reference is, and how thumbs weigh."""
    labels = [row["label"] for row in job.ledger.learned]
    first = [abs(metrics[0].get(f"rewards/{side}") or 0.0) for side in ("chosen", "rejected")]
    return {
        "step0_margin": max(first),
        "reference": reference_of(job.plan, job.resolved),
        "thumbs": {"up": sum(labels), "down": len(labels) - sum(labels)},
        "desirable_weight": trainer.desirable_weight,
        "undesirable_weight": trainer.undesirable_weight,
    }
