"""Preference tuning: TRL's DPOTrainer on pairs that are tokenised already; `reference.py` says to whom it holds."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import DPOTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.reference import freeze_reference, reference_of
from pitchpipe.training.tuning.soft_losses import Watched, carry_columns, soft_pair_loss


class TokenisedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPOTrainer that takes prompt_ids, chosen_ids and rejected_ids as they are.

    TRL would render and tokenise the texts itself, so that a typed control token becomes one, and would drop long pairs
    without a count.
    """

    precompute_ref_logps: bool

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False) -> Any:
        if "label_smoothing" not in inputs:
            return super()._compute_loss(model, inputs, return_outputs)
        smoothing, weight = inputs.pop("label_smoothing"), inputs.pop("weight")
        known = self.precompute_ref_logps
        if not known:
            references = self.compute_ref_log_probs(self.ref_model or self.model, inputs)
            inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = references
        watched, self.precompute_ref_logps = Watched(model), True
        try:
            super()._compute_loss(watched, inputs, return_outputs)  # for its metrics
        finally:
            self.precompute_ref_logps = known
        log_probs = watched.outputs[0].log_probs[:, -(inputs["completion_mask"].size(1) - 1) :]
        chosen, rejected = log_probs.sum(1).chunk(2)
        moved = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
        loss = (weight * soft_pair_loss(self.beta * moved, smoothing)).mean()
        if "sft" in self.loss_types:
            tokens = inputs["completion_mask"][:, 1:].chunk(2)[0].sum()
            loss = loss - self.loss_weights[self.loss_types.index("sft")] * (weight * chosen).sum() / tokens
        return loss


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
    if job.plan.soft_labels:
        carry_columns(trainer, ("weight", "label_smoothing"))
    return trainer


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 (see Method)
    """The first margin, which is 0 when policy and reference agree, and who the reference is."""
    return {"step0_margin": metrics[0]["rewards/margins"], "reference": reference_of(job.plan, job.resolved)}
