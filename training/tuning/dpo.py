"""Preference tuning: TRL's DPOTrainer on pairs that are tokenised already; `reference.py` says to whom it holds."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import DPOTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.reference import freeze_reference, reference_of
from pitchpipe.training.tuning.reference_cache import Reference, ReferenceCache, name_pairs, name_references
from pitchpipe.training.tuning.soft_losses import Watched, carry_columns, soft_pair_loss


class TokenisedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPOTrainer that takes prompt_ids, chosen_ids and rejected_ids as they are.

    TRL would render and tokenise the texts itself, so that a typed control token becomes one, and would drop long pairs
    without a count. It asks the reference about each pair only once, see `reference_cache.py`.
    """

    precompute_ref_logps: bool
    references: ReferenceCache

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False) -> Any:
        soft: dict[str, Any] = {name: inputs.pop(name) for name in ("label_smoothing", "weight") if name in inputs}
        chosen, rejected = self._ask_reference(model, inputs)
        device = inputs["input_ids"].device
        known = {"ref_chosen_logps": chosen.to(device), "ref_rejected_logps": rejected.to(device)}
        # Only here: set for good, TRL would ask the reference about every row of an evaluation beforehand.
        self.precompute_ref_logps = True
        try:
            if soft:
                return self._soft_loss(model, {**inputs, **known}, soft, return_outputs)
            return super()._compute_loss(model, {**inputs, **known}, return_outputs)
        finally:
            self.precompute_ref_logps = False

    def _soft_loss(self, model: Any, inputs: dict[str, Any], soft: dict[str, Any], return_outputs: bool) -> Any:
        """The loss in which each pair has a smoothing and a weight of its own."""
        watched = Watched(model)
        super()._compute_loss(watched, inputs, return_outputs)  # for its metrics
        log_probs = watched.outputs[0].log_probs[:, -(inputs["completion_mask"].size(1) - 1) :]
        chosen, rejected = log_probs.sum(1).chunk(2)
        moved = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
        loss = (soft["weight"] * soft_pair_loss(self.beta * moved, soft["label_smoothing"])).mean()
        if "sft" in self.loss_types:
            tokens = inputs["completion_mask"][:, 1:].chunk(2)[0].sum()
            loss = loss - self.loss_weights[self.loss_types.index("sft")] * (soft["weight"] * chosen).sum() / tokens
        return loss

    def _ask_reference(self, model: Any, inputs: dict[str, Any]) -> Reference:
        pairs = name_pairs(inputs)
        is_first = self.state.global_step == 0
        known = None if is_first else self.references.find(pairs)
        if known is not None:
            return known
        found: Reference = self.compute_ref_log_probs(self.ref_model or model, inputs)
        if is_first:
            self.references.check(pairs, found)
        self.references.keep(pairs, found)
        return found


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
    trainer.references = ReferenceCache(name_references(job))
    if len(trainer.train_dataset) != len(learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} pairs, the ledger {len(learned)}")
    if job.plan.soft_labels:
        carry_columns(trainer, ("weight", "label_smoothing"))
    return trainer


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 (see Method)
    """The first margin, which is 0 when policy and reference agree, and who the reference is."""
    return {"step0_margin": metrics[0]["rewards/margins"], "reference": reference_of(job.plan, job.resolved)}
