"""Instruction tuning: TRL's SFTTrainer on rows that are tokenised and labelled already."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import SFTTrainer

from pitchpipe.training.tuning.job import Job


def build_trainer(job: Job, config: Any, model: Any, adapter: Any | None, callbacks: list[Any]) -> SFTTrainer:
    """The trainer over every row that the ledger keeps."""
    learned = job.ledger.learned
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(learned),
        processing_class=job.encoder.tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if not config.packing and len(trainer.train_dataset) != len(learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} rows, the ledger {len(learned)}")
    return trainer


def tell_facts(job: Job, trainer: Any, metrics: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG001 (see Method)
    """Nothing beyond what every run tells."""
    return {}
