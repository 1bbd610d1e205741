"""Instruction tuning: TRL's SFTTrainer on rows that are tokenised and labelled already."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import SFTTrainer

from pitchpipe.training.tokens.ledger import Ledger


def build_sft_trainer(
    model: Any, tokenizer: Any, config: Any, ledger: Ledger, adapter: Any | None, callbacks: list[Any]
) -> SFTTrainer:
    """The trainer over every row that the ledger keeps; `adapter` is None when the model brings one to train on."""
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(ledger.learned),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if not config.packing and len(trainer.train_dataset) != len(ledger.learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} rows, the ledger {len(ledger.learned)}")
    return trainer
