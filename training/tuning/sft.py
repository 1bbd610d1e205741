"""Instruction tuning: TRL's SFTTrainer on rows that are tokenised and labelled already."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import SFTTrainer

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.soft_losses import Watched, carry_columns


class WeightedSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer whose rows teach by their `weight`, where they have one."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of a batch; with weights, the mean over its learned tokens of weight x surprise."""
        if "weight" not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        weight = inputs.pop("weight")
        watched = Watched(model)
        plain = super().compute_loss(watched, inputs, False, num_items_in_batch)
        output = watched.outputs[0]
        tokens = output.label_mask.sum() if num_items_in_batch is None else num_items_in_batch
        # TRL counts the tokens of all devices and then sums what they give; see its own loss.
        devices = self.accelerator.num_processes if num_items_in_batch is not None else 1
        return plain - ((weight - 1) * output.log_probs.sum(1)).sum() / tokens * devices


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> SFTTrainer:
    """The trainer over every row that the ledger keeps."""
    learned = job.ledger.learned
    trainer = WeightedSFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(learned),
        processing_class=job.encoder.tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if not config.packing and len(trainer.train_dataset) != len(learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} rows, the ledger {len(learned)}")
    if job.plan.soft_labels:
        carry_columns(trainer, ("weight",))
    return trainer


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 (see Method)
    """Nothing beyond what every run tells."""
    return {}
