"""Dev measures: how well a model does on the rows that were held back, as numbers that go into metrics.jsonl.

    dev_nll       nats a token of the good answers, summed over all tokens (sft, dpo, kto)
    dev_loss      what is minimised: the NLL for sft, else the mean logistic loss of what follows
    dev_accuracy  share of pairs ranked right, a tie as half (dpo, reward; for kto over all good and bad answers)
    dev_margin    mean reward of good minus bad answers

The reward of an answer is that of DPO: beta times the change of its log-probability against the reference (Rafailov et
al. 2023); a reward model says it itself. Each row counts the same however batches fall.
"""

from __future__ import annotations

from itertools import product
from math import exp, log1p
from statistics import fmean
from typing import Any

import torch

from pitchpipe.training.measuring.scoring import Score, score_answers
from pitchpipe.training.tuning.dev_rows import DevRows
from pitchpipe.training.tuning.monitor import stop_if_asked


def score_dev(model: Any, dev: DevRows, batch_size: int, pad: int) -> list[Score]:
    """The score of every answer of the dev rows."""
    scores: list[Score] = score_answers(model, dev.pieces(), batch_size, pad)
    return scores


def measure_scores(dev: DevRows, scores: list[Score], reference: list[float], beta: float) -> dict[str, float]:
    """The measures of an answering model.

    Args:
        reference: the summed NLL of every answer under the reference; not looked at for sft.
    """
    if dev.method == "sft":
        nll = weigh_nll(scores)
        return {"dev_nll": nll, "dev_loss": nll}
    rewards = [beta * (before - score.nll_sum) for before, score in zip(reference, scores, strict=True)]
    if dev.method == "kto":
        good = [score for score, label in zip(scores, dev.labels, strict=True) if label]
        return ({"dev_nll": weigh_nll(good)} if good else {}) | measure_thumbs(rewards, dev.labels)
    return {"dev_nll": weigh_nll(scores[::2]), **measure_pairs(rewards)}


def weigh_nll(scores: list[Score]) -> float:
    """The token-weighted mean.

    >>> weigh_nll([Score(6.0, 2), Score(4.0, 8)])
    1.0
    """
    return sum(score.nll_sum for score in scores) / sum(score.tokens for score in scores)


def measure_pairs(rewards: list[float]) -> dict[str, float]:
    """Rewards of chosen, rejected, chosen, rejected, … as measures.

    >>> measure_pairs([2.0, 1.0, 1.0, 1.0])["dev_accuracy"]
    0.75
    """
    margins = [good - bad for good, bad in zip(rewards[::2], rewards[1::2], strict=True)]
    return {
        "dev_loss": fmean(_logistic(margin) for margin in margins),
        "dev_accuracy": fmean(_rank(margin) for margin in margins),
        "dev_margin": fmean(margins),
    }


def measure_thumbs(rewards: list[float], labels: list[bool]) -> dict[str, float]:
    """Rewards of answers with a thumb up (True) or down as measures; with thumbs of one kind the loss alone.

    >>> measure_thumbs([2.0, 1.0, 3.0], [True, False, False])["dev_accuracy"]
    0.5
    """
    loss = fmean(_logistic(reward if label else -reward) for reward, label in zip(rewards, labels, strict=True))
    good, bad = (
        [reward for reward, label in zip(rewards, labels, strict=True) if label is side] for side in (True, False)
    )
    if not good or not bad:
        return {"dev_loss": loss}
    ranked = fmean(_rank(one - other) for one, other in product(good, bad))
    return {"dev_loss": loss, "dev_accuracy": ranked, "dev_margin": fmean(good) - fmean(bad)}


def _logistic(margin: float) -> float:
    """-log sigmoid(margin), which neither overflows nor loses small values."""
    return max(-margin, 0.0) + log1p(exp(-abs(margin)))


def _rank(margin: float) -> float:
    return 0.5 if margin == 0 else float(margin > 0)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def reward_dev(model: Any, dev: DevRows, batch_size: int, pad: int) -> list[float]:
    """What a reward model gives each answer of the dev rows."""
    rewards: list[float] = []
    pieces = dev.pieces()
    for start in range(0, len(pieces), batch_size):
        stop_if_asked()
        batch = pieces[start : start + batch_size]
        rows = [prompt + answer for prompt, answer in batch]
        width = max(map(len, rows))
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=model.device)
        rewards += model(input_ids=ids, attention_mask=mask).logits[:, 0].double().tolist()
    return rewards
