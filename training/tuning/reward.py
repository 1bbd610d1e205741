"""Reward modelling: TRL's RewardTrainer on pairs that are tokenised already.

The model ends in one number, the score of a conversation, read at its last token. It learns that the chosen answer
scores higher than the rejected one, by the pair's margin where it has one (Bradley-Terry with a margin, as in Llama 2).
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from torch.nn.functional import logsigmoid
from trl import RewardTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.soft_losses import carry_columns, soft_margin_loss


class SoftRewardTrainer(RewardTrainer):  # type: ignore[misc]
    """RewardTrainer that obeys the `label_smoothing` and `weight` of its pairs, where they have them."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of a batch of pairs."""
        if "label_smoothing" not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        smoothing, weight = inputs.pop("label_smoothing"), inputs.pop("weight")
        hard, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        margin = inputs["margin"]
        soft = (weight * soft_margin_loss(chosen - rejected, smoothing, margin)).mean()
        # What TRL adds to the loss of pairs (centred rewards) stays.
        loss = soft + (hard + logsigmoid(chosen - rejected - margin).mean())
        return (loss, outputs) if return_outputs else loss


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> RewardTrainer:
    """The trainer over every pair that the ledger keeps."""
    learned = job.ledger.learned
    trainer = SoftRewardTrainer(
        model=model,
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
    """How many pairs bring a margin, and the share of the last batch that the model ranks as people did."""
    return {
        "pairs_with_margin": sum(row["margin"] > 0 for row in job.ledger.learned),
        "final_accuracy": metrics[-1]["accuracy"],
    }
