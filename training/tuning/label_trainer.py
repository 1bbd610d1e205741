"""The trainer of classifiers: transformers' Trainer with rows that weigh and metrics that watchers know."""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from transformers import DataCollatorWithPadding, PrinterCallback, Trainer

from pitchpipe.training.tokens.ledger import Ledger


class _LabelTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose loss is the mean over rows of weight x cross entropy, and which logs the share it got right."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # The loss is a mean over rows, so passes that make one step are averaged.
        self.model_accepts_loss_kwargs = False
        self._right = self._seen = 0

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        labels, weights = inputs["labels"], inputs.get("weight")
        outputs = model(**{name: inputs[name] for name in inputs if name not in ("labels", "weight")})
        losses = torch.nn.functional.cross_entropy(outputs.logits.float(), labels, reduction="none")
        loss = losses.mean() if weights is None else (losses * weights).mean()
        self._right += int((outputs.logits.argmax(-1) == labels).sum())
        self._seen += len(labels)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], *rest: Any, **more: Any) -> None:
        if "loss" in logs and self._seen:
            logs["accuracy"] = self._right / self._seen
            logs["num_tokens"] = float(self.state.num_input_tokens_seen)
            self._right = self._seen = 0
        super().log(logs, *rest, **more)


def build_label_trainer(model: Any, tokenizer: Any, config: Any, ledger: Ledger, callbacks: list[Any]) -> _LabelTrainer:
    """The trainer over every row that the ledger keeps."""
    trainer = _LabelTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(ledger.learned),
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    if len(trainer.train_dataset) != len(ledger.learned):
        raise AssertionError(f"the trainer has {len(trainer.train_dataset)} rows, the ledger {len(ledger.learned)}")
    return trainer
