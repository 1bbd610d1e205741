"""Scoring: the negative log-likelihood of answers, row by row.

A trainer's own evaluation loss averages over batches and so changes with the batch size. Here every row gets the sum
over its answer's tokens (end of turn included) and their number; a mean is the sum of sums over the sum of numbers.
Rows are sorted by length, so little is padding, and which rows share a batch does not change a row's number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pitchpipe.training.tuning.monitor import stop_if_asked


@dataclass(frozen=True, slots=True)
class Score:
    """The surprise of one answer, in nats."""

    nll_sum: float
    tokens: int


@torch.inference_mode()  # type: ignore[untyped-decorator]
def score_answers(
    model: Any,
    rows: Sequence[tuple[list[int], list[int]]],
    batch_size: int,
    pad: int,
    tell: Callable[[int], None] | None = None,
) -> list[Score]:
    """The score of each (prompt ids, answer ids), in the order given."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index][0]) + len(rows[index][1]))
    scores: dict[int, Score] = {}
    for start in range(0, len(order), batch_size):
        stop_if_asked()
        batch = order[start : start + batch_size]
        scores |= dict(zip(batch, _score_batch(model, [rows[index] for index in batch], pad), strict=True))
        if tell:
            tell(len(scores))
    return [scores[index] for index in range(len(rows))]


def _score_batch(model: Any, rows: list[tuple[list[int], list[int]]], pad: int) -> list[Score]:
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), width), pad, device=model.device)
    attended = torch.zeros_like(ids)
    scored = torch.zeros_like(ids, dtype=torch.bool)
    for number, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[number, :end] = torch.tensor(prompt + answer, device=model.device)
        attended[number, :end] = 1
        scored[number, len(prompt) : end] = True
    # Only the positions whose next token belongs to an answer go through the head, the dearest part for short rows.
    hidden = _backbone(model)(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state
    before = scored[:, 1:]
    head = model.get_output_embeddings()
    logits = head(hidden[:, :-1][before]).float()
    losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:][before], reduction="none").double()
    sums = torch.zeros(before.shape, dtype=torch.double, device=model.device).masked_scatter(before, losses).sum(1)
    return [Score(float(total), len(answer)) for total, (_, answer) in zip(sums, rows, strict=True)]


def _backbone(model: Any) -> Any:
    """The model without its head; an adapter sits inside the layers and stays in force."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal.base_model
