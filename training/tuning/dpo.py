"""Preference tuning: TRL's DPOTrainer on pairs that are tokenised already; `reference.py` says to whom it holds."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import DPOTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.reference import freeze_reference, reference_of


class TokenisedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPOTrainer that takes prompt_ids, chosen_ids and rejected_ids as they are.

    TRL would render and tokenise the texts itself, so that a typed control token becomes one, and would drop long pairs
    without a count.
    """

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> DPOTrainer:
    """The trainer over every pair that the ledger keeps."""
    learned = job.ledger.learned
    trainer = TokenisedDPOTrainer(
        model=model,
        ref_model=freeze_reference(model, adapter),
        args=config,
        train_dataset=Dataset.from_list(learned),
        processing_class=job.encoder.tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if len(trainer.train_dataset) != len(learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} pairs, the ledger {len(learned)}")
    return trainer


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 (see Method)
    """The first margin, which is 0 when policy and reference agree, and who the reference is."""
    return {"step0_margin": metrics[0]["rewards/margins"], "reference": reference_of(job.plan, job.resolved)}
