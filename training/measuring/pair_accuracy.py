"""Pair accuracy: how often a model ranks the two answers of a sealed pair as people did.

A reward model ranks by its score. A model that writes ranks by its implicit reward, how much more likely than its base
it finds an answer (Rafailov et al., "Direct Preference Optimization", 2023): the margin of a pair is
(tuned - base log-probability of the chosen answer) - (the same of the rejected one). A pair counts as right when its
margin is above 0. Models like long answers, and so do people; so the share is told by thirds of the difference in
length too, and a model that only counts tokens is good in one third and bad in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from pitchpipe.store.errors import SnapshotError
from pitchpipe.training.measuring.arms import Arms
from pitchpipe.training.measuring.intervals import wilson
from pitchpipe.training.measuring.scoring import Score
from pitchpipe.training.rows.formats import build_dpo_rows
from pitchpipe.training.runs.run_folders import finite, write_progress
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from pitchpipe.training.tuning.monitor import stop_if_asked

PAIRS = "pairs.parquet"
_THIRDS = ("chosen shorter", "about as long", "chosen longer")


@dataclass(frozen=True, slots=True)
class HoldoutPair:
    """A pair of the holdout that people decided, in tokens."""

    row_id: str
    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    @property
    def longer_by(self) -> int:
        """Tokens by which the chosen answer is longer than the rejected one."""
        return len(self.chosen) - len(self.rejected)


def read_holdout_pairs(rows: pl.DataFrame, encoder: ChatEncoder, max_length: int) -> tuple[list[HoldoutPair], int]:
    """The decided pairs of the holdout in id order, and how many more are too long."""
    sealed = rows.filter((pl.col("split") == "holdout") & (pl.col("row_kind") == "pair"))
    # The builder of pairs lets no holdout row through, as it should; nothing is learned here, so the seal is lifted.
    kept = build_dpo_rows(sealed.with_columns(split=pl.lit("train"))).kept
    pairs = [
        HoldoutPair(
            row["row_id"],
            encoder.prompt(row["prompt"]),
            encoder.answer(row["chosen"][0]["content"]),
            encoder.answer(row["rejected"][0]["content"]),
        )
        for row in kept
    ]
    fitting = [pair for pair in pairs if len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)) <= max_length]
    return fitting, len(pairs) - len(fitting)


def implicit_margins(scores: dict[str, list[Score]]) -> list[float]:
    """The margin of each pair, from the scores of both arms over all chosen answers and then all rejected ones.

    >>> base, tuned = [Score(4.0, 2), Score(5.0, 2)], [Score(3.0, 2), Score(6.5, 2)]
    >>> implicit_margins({"base": base, "tuned": tuned})
    [2.5]
    """
    gains = [base.nll_sum - tuned.nll_sum for base, tuned in zip(scores["base"], scores["tuned"], strict=True)]
    half = len(gains) // 2
    return [chosen - rejected for chosen, rejected in zip(gains[:half], gains[half:], strict=True)]


def report_accuracy(pairs: Sequence[HoldoutPair], margins: Sequence[float], too_long: int = 0) -> dict[str, Any]:
    """The share of pairs that are ranked as people did, with its Wilson interval, in all and by third of length."""
    order = sorted(range(len(pairs)), key=lambda index: (pairs[index].longer_by, pairs[index].row_id))
    count = len(order)
    bounds = [round(count * third / 3) for third in range(4)]
    thirds = []
    for name, start, end in zip(_THIRDS, bounds, bounds[1:], strict=False):
        part = order[start:end]
        lengths = [pairs[index].longer_by for index in part]
        span = {"longer_by": [min(lengths), max(lengths)] if lengths else None}
        thirds.append({"third": name, **span, **_share([margins[index] for index in part])})
    mean = finite(sum(margins) / count) if count else None
    return {**_share(margins), "mean_margin": mean, "too_long": too_long, "by_length": thirds}


def _share(margins: Sequence[float]) -> dict[str, Any]:
    right = sum(margin > 0 for margin in margins)
    low, high = wilson(right, len(margins))
    return {"pairs": len(margins), "accuracy": right / len(margins) if margins else None, "low": low, "high": high}


def write_pairs(folder: Path, pairs: Sequence[HoldoutPair], margins: Sequence[float]) -> None:
    """Writes pairs.parquet, the rows behind the shares."""
    table = [
        {"row_id": pair.row_id, "margin": margin, "chosen_tokens": len(pair.chosen), "longer_by": pair.longer_by}
        for pair, margin in zip(pairs, margins, strict=True)
    ]
    schema = {"row_id": pl.String, "margin": pl.Float64, "chosen_tokens": pl.Int64, "longer_by": pl.Int64}
    pl.DataFrame(table, schema=schema).write_parquet(folder / PAIRS)


def measure_rewards(folder: Path, arms: Arms, rows: pl.DataFrame, max_length: int, batch_size: int) -> dict[str, Any]:
    """The accuracy of a reward model on the holdout pairs; its base has no score to compare with."""
    pairs, too_long = read_holdout_pairs(rows, arms.encoder, max_length)
    if not pairs:
        raise SnapshotError(
            f"The holdout has no decided pair to measure a reward model on ({too_long} are too long).",
            "Have people compare answers to prompts of the holdout, and make a new snapshot.",
        )
    texts = [pair.prompt + side for pair in pairs for side in (pair.chosen, pair.rejected)]
    stage = "scoring the pairs"
    write_progress(folder, stage, 0, len(texts))
    with arms.enter("tuned") as model:
        pad = arms.encoder.tokenizer.pad_token_id
        scored = score_texts(
            model, texts, batch_size, pad, lambda done: write_progress(folder, stage, done, len(texts))
        )
    margins = [chosen - rejected for chosen, rejected in zip(scored[::2], scored[1::2], strict=True)]
    write_pairs(folder, pairs, margins)
    return {"by": "score", **report_accuracy(pairs, margins, too_long)}


@torch.inference_mode()  # type: ignore[untyped-decorator]
def score_texts(
    model: Any, texts: Sequence[list[int]], batch_size: int, pad: int, tell: Callable[[int], None] | None = None
) -> list[float]:
    """The score that a reward model gives to each text of token ids, in the order given."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    scores: dict[int, float] = {}
    for start in range(0, len(order), batch_size):
        stop_if_asked()
        batch = order[start : start + batch_size]
        width = max(len(texts[index]) for index in batch)
        ids = torch.full((len(batch), width), pad, device=model.device)
        attended = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, : len(texts[index])] = torch.tensor(texts[index], device=model.device)
            attended[row, : len(texts[index])] = 1
        logits = model(input_ids=ids, attention_mask=attended, use_cache=False).logits
        scores |= dict(zip(batch, logits[:, 0].float().tolist(), strict=True))
        if tell:
            tell(len(scores))
    return [scores[index] for index in range(len(texts))]
