"""Soft labels: how sure people were, carried into what a method learns from. Pure and free of torch.

A pair that two of three raters preferred teaches less than one that all did. Its confidence is the probability of the
consensus where a model of raters gave one (`posterior`), else the share of raters behind it (`support`); what nobody
was asked about has none and is left as it is.

- `label_smoothing` of pairs: the chance that the label is the wrong way round, as in cDPO (Mitchell, "A note on DPO
  with noisy preferences", 2023): P(loser), and half of what says that neither is better, since a tie taken for a
  preference is as often one way as the other. At least 0 and below one half, where a preference says nothing any more.
  Rows without a model tell only how many agree, so all others count as against: 1 - support.
  Rounds obey it with `soft_labels` in their plan (`training/tuning/soft_losses.py`); TRL's own DPO takes one number for
  all pairs.
- `weight`: times the confidence. Of a thumb up or down on a rating with a posterior, the confidence is the probability
  that the rating is on that side of the policy's line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from pitchpipe.training.rows.format_rules import FormatPolicy, Row

MOST_SMOOTHING = 0.49
_PAIR_FORMS = ("dpo", "reward")
_NEEDED = ("row_id", "row_kind", "verdict", "labels", "support", "posterior", "pair_origin", "scores")


def list_soft_columns(form: str, policy: FormatPolicy) -> dict[str, Any]:
    """The columns that the policy adds to a form, with their types; none by default.

    >>> list_soft_columns("dpo", FormatPolicy())
    {}
    """
    return {"label_smoothing": pl.Float64} if policy.soft_labels and form in _PAIR_FORMS else {}


def soften_rows(form: str, kept: Iterable[Row], rows: pl.DataFrame, policy: FormatPolicy) -> None:
    """Adds to the kept rows of a form what the policy asks for, from the rows of the snapshot that they came from."""
    if not (policy.soft_labels or policy.confidence_weights):
        return
    known = rows.select(name for name in _NEEDED if name in rows.columns)
    sources = {row["row_id"]: row for row in known.iter_rows(named=True)}
    for row in kept:
        confidence = tell_confidence(sources[row["row_id"]], policy, row.get("label"))
        if policy.soft_labels and form in _PAIR_FORMS:
            row["label_smoothing"] = smooth(tell_flip(sources[row["row_id"]], confidence))
        if policy.confidence_weights and confidence is not None:
            row["weight"] *= confidence


def tell_flip(row: Row, confidence: float | None) -> float | None:
    """The chance that a pair's label is the wrong way round, 0 to 1; None where nobody was asked.

    >>> tell_flip({"verdict": "a", "posterior": '{"a": 0.7, "b": 0.1, "tie": 0.2}'}, 0.7)
    0.2
    """
    chances = json.loads(row["posterior"]) if row.get("posterior") else {}
    if row["verdict"] not in chances:
        return None if confidence is None else 1.0 - confidence
    loser = "b" if row["verdict"] == "a" else "a"
    undecided = sum(chance for verdict, chance in chances.items() if verdict not in ("a", "b"))
    return float(chances.get(loser, 0.0) + undecided / 2)


def smooth(flip: float | None) -> float:
    """The label smoothing for that chance of a flip.

    >>> smooth(0.25), smooth(0.7), smooth(None)
    (0.25, 0.49, 0.0)
    """
    return 0.0 if flip is None else min(max(flip, 0.0), MOST_SMOOTHING)


def tell_confidence(row: Row, policy: FormatPolicy, is_up: object = None) -> float | None:
    """How sure people are of what a row teaches, 0 to 1; None where nobody was asked.

    Args:
        is_up: of an answer taught as good or bad which of the two it is; taken as good where it is not told.

    >>> posterior = '{"helpfulness": {"2": 0.25, "3": 0.5, "4": 0.25}}'
    >>> row = {"row_kind": "answer", "posterior": posterior, "scores": '{"helpfulness": 3.0}', "support": 0.5}
    >>> tell_confidence(row, FormatPolicy())
    0.75
    """
    posterior = json.loads(row["posterior"]) if row.get("posterior") else {}
    support = row.get("support")
    if row["row_kind"] == "pair":
        return _choose(posterior, row["verdict"], support)
    if row["row_kind"] == "label":
        return _choose(posterior, row["labels"], support)
    chances = posterior.get(policy.rating_question)
    if not chances or not row.get("scores"):
        return None if support is None else float(support)
    above = sum(chance for value, chance in chances.items() if float(value) >= policy.minimum_rating)
    return float(1 - above if is_up is False else above)


def _choose(posterior: dict[str, float], value: str, support: float | None) -> float | None:
    if value in posterior:
        return float(posterior[value])
    return None if support is None else float(support)
