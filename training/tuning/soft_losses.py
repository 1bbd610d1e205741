"""Soft losses: rows that teach as much as people were sure of them (the dial `soft_labels`).

- A pair has a `label_smoothing` e, the chance that its label is the wrong way round. Its loss is the expected one, as
  in cDPO (Mitchell, "A note on DPO with noisy preferences", 2023).
- Any row has a `weight` that multiplies its loss. Weights are not evened out within a batch, so a batch of doubtful
  rows moves the model less.

TRL's DPO has one smoothing for all pairs (which its default loss ignores) and no weights. The trainers of this package
let TRL compute its own loss, for its metrics, and put this one in its place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import logsigmoid


def soft_pair_loss(difference: torch.Tensor, smoothing: torch.Tensor) -> torch.Tensor:
    """The loss of each pair: (1 - e) x -log sigmoid(z) + e x -log sigmoid(-z), z the reward of chosen minus rejected.

    >>> [round(x, 4) for x in soft_pair_loss(torch.tensor([0.0, 2.0]), torch.tensor([0.3, 0.25])).tolist()]
    [0.6931, 0.6269]
    """
    return -(1 - smoothing) * logsigmoid(difference) - smoothing * logsigmoid(-difference)


def soft_margin_loss(difference: torch.Tensor, smoothing: torch.Tensor, margin: torch.Tensor) -> torch.Tensor:
    """The same for a reward model that is to put `margin` between the sides; a wrong label has it the other way.

    >>> loss = soft_margin_loss(torch.tensor([2.0]), torch.tensor([0.25]), torch.tensor([1.0]))
    >>> [round(x, 4) for x in loss.tolist()]
    [0.9971]
    """
    return -(1 - smoothing) * logsigmoid(difference - margin) - smoothing * logsigmoid(-difference - margin)


class Watched:
    """A model that remembers what it gave out, so that a loss of ours can use the pass that TRL's made."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.outputs: list[Any] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.outputs.append(self._model(*args, **kwargs))
        return self.outputs[-1]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


class _Collator:
    """Collates as the trainer does, and adds columns of one number a row."""

    def __init__(self, inner: Any, columns: tuple[str, ...]) -> None:
        self.inner, self.columns = inner, columns

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        plain = [{name: value for name, value in row.items() if name not in self.columns} for row in rows]
        batch: dict[str, Any] = self.inner(plain)
        return batch | {name: torch.tensor([float(row[name]) for row in rows]) for name in self.columns}


def carry_columns(trainer: Any, columns: tuple[str, ...]) -> None:
    """Lets columns of the rows come into the trainer's batches."""
    trainer._set_signature_columns_if_needed()
    trainer._signature_columns = [*trainer._signature_columns, *columns]
    trainer.data_collator = _Collator(trainer.data_collator, columns)
