"""Preference tuning: TRL's DPOTrainer on pairs that are tokenised already.

The reference is a decision, and it is recorded. A model that brings an adapter (a finished instruction-tuned run) is
its own reference: TRL keeps a frozen copy of the adapter as it came. A plain model gets a fresh adapter, and the
reference is the model without it. Either way policy and reference agree at the start, so the first margin is exactly 0.
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import DPOTrainer

from pitchpipe.training.tokens.ledger import Ledger


class _TokenisedDPOTrainer(DPOTrainer):  # type: ignore[misc]
    """DPOTrainer that takes prompt_ids, chosen_ids and rejected_ids as they are.

    TRL would render and tokenise the texts itself, so that a typed control token becomes one, and would drop long pairs
    without a count.
    """

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def build_dpo_trainer(
    model: Any, tokenizer: Any, config: Any, ledger: Ledger, adapter: Any | None, callbacks: list[Any]
) -> DPOTrainer:
    """The trainer over every pair that the ledger keeps; `adapter` is None when the model brings one to train on."""
    trainer = _TokenisedDPOTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(ledger.learned),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
    )
    if len(trainer.train_dataset) != len(ledger.learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} pairs, the ledger {len(ledger.learned)}")
    return trainer
