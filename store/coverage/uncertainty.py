"""How unsure the people's answers to each task leave us, 0 to 1, each with its reason in words: pure functions.

    verdicts     the entropy of "the most frequent verdict holds", from the verdicts so far
    ratings      how far apart two raters are on one question, as a share of the scale as far as it was used
    labels       how little support the most frequent label has
    rankings     the share of pairs of answers that two raters put in opposite orders
    untouched    a pair nobody judged: the entropy of the forecast from how the two are rated, or from the strengths of
                 who wrote them; any other task nobody judged counts 0.9

Of several reasons the strongest counts. Where raters agree the entropy falls with every further one, so that a single
verdict still leaves much to learn and five alike leave little.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log2

import polars as pl

from pitchpipe.store.measures.disagreement import measure_labels, measure_reversals, measure_spreads
from pitchpipe.store.review.opinion_reading import Opinions

UNTOUCHED = 0.9
"""Of a task that nobody has judged: below verdicts that stand 1 to 1, above one verdict alone. A choice of ours."""
_WRITING = ("write", "edit")
"""Kinds whose raters each give words of their own: once there are some, nothing is in doubt."""
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Doubt:
    """How unsure a task is, and why."""

    task: str
    uncertainty: float
    """0 to 1."""
    reason: str


Strengths = Mapping[str, tuple[int, float]]
"""By model: the set of models it can be compared with, and the logarithm of its Bradley-Terry strength."""


def find_doubts(
    opinions: Opinions, tasks: Sequence[str], models: Mapping[str, str], strengths: Strengths
) -> list[Doubt]:
    """The strongest doubt about each of the tasks, in their order.

    Args:
        models: by id of an answer, who wrote it.
        strengths: of those who wrote, as far as known.
    """
    wanted = set(tasks)
    chosen: dict[str, Doubt] = {}
    found = [*_doubt_verdicts(opinions), *_doubt_ratings(opinions), *_doubt_labels(opinions), *_doubt_ranks(opinions)]
    for doubt in (doubt for doubt in found if doubt.task in wanted):
        if doubt.task not in chosen or doubt.uncertainty > chosen[doubt.task].uncertainty:
            chosen[doubt.task] = doubt
    rated = _join_ratings(opinions)
    known = {
        task: (kind, ids) for task, kind, ids in opinions.tasks.select("task", "kind", "candidate_ids").iter_rows()
    }
    for task in tasks:
        if task not in chosen:
            kind, ids = known[task]
            raters = opinions.raters.get(task, 0)
            is_new = not raters
            chosen[task] = (
                _doubt_new(task, json.loads(ids), models, strengths, rated)
                if is_new
                else _doubt_agreed(task, kind, raters)
            )
    return [chosen[task] for task in tasks]


def measure_doubt(leading: int, raters: int) -> float:
    """The entropy in bits of "the verdict that `leading` of `raters` gave holds", half a vote for and against before.

    The half votes are the prior of Jeffreys (1946). Without a majority nothing is known: 1. Raters who could not judge
    count among `raters`; a tie that all agree on is as sure as any other verdict.

    >>> [round(measure_doubt(*counts), 2) for counts in ((1, 2), (1, 1), (3, 3), (5, 5))]
    [1.0, 0.81, 0.54, 0.41]
    """
    return _entropy(max(_HALF, (leading + _HALF) / (raters + 1)))


def _entropy(share: float) -> float:
    return -sum(part * log2(part) for part in (share, 1 - share) if part > 0)


def _doubt_verdicts(opinions: Opinions) -> list[Doubt]:
    sides = ("a", "b", "tie", "both_bad")
    counts = opinions.choices.filter(~pl.col("is_ranked")).group_by("task", maintain_order=True).agg(
        *((pl.col("verdict") == side).sum().cast(pl.Int64).alias(side) for side in sides),
        pl.len().cast(pl.Int64).alias("raters"),
    )  # fmt: skip
    return [
        Doubt(task, measure_doubt(max(given), raters), _tell_verdicts(given, raters))
        for task, *given, raters in counts.iter_rows()
    ]


def _tell_verdicts(given: Sequence[int], raters: int) -> str:
    for_a, for_b, ties, both_bad = given
    abstained = raters - sum(given)
    if not sum(given):
        return f"none of {raters} could judge" if raters > 1 else "its only rater could not judge"
    if sum(count > 0 for count in given) == 1 and not abstained:
        return f"{raters} verdicts so far, all alike" if raters > 1 else "1 verdict so far"
    told = [f"{for_a} to {for_b}"] if for_a or for_b else []
    told += [f"{count} {words}" for count, words in ((ties, "for a tie"), (both_bad, "for both bad"),
                                                     (abstained, "could not judge")) if count]  # fmt: skip
    return f"verdicts stand {', '.join(told)}"


def _doubt_ratings(opinions: Opinions) -> list[Doubt]:
    spreads = measure_spreads(opinions.scores)
    return [
        Doubt(task, min(1.0, (high - low) / reach), f"ratings of '{question}' go from {low:g} to {high:g}")
        for task, _, question, low, high, _, reach in spreads.iter_rows()
        if high > low
    ]


def _doubt_labels(opinions: Opinions) -> list[Doubt]:
    return [
        Doubt(task, (1 - support) * distinct / (distinct - 1), f"labels differ: {' or '.join(labels[:4])}")
        for task, _, _, _, distinct, support, _, labels in measure_labels(opinions.labels).iter_rows()
        if distinct > 1
    ]


def _doubt_ranks(opinions: Opinions) -> list[Doubt]:
    turned = measure_reversals(opinions.choices.filter(pl.col("is_ranked")))
    return [
        Doubt(task, reversals / pairs, f"{reversals} of {pairs} pairs are put in opposite orders")
        for task, pairs, reversals in turned.iter_rows()
        if reversals
    ]


def _doubt_agreed(task: str, kind: str, raters: int) -> Doubt:
    """What is left of a task whose raters do not differ: the more there are, the less."""
    if kind in _WRITING:
        return Doubt(task, 0.0, "its words are written")
    return Doubt(task, measure_doubt(raters, raters), f"{raters} agree so far" if raters > 1 else "one rater so far")


def _doubt_new(
    task: str, answers: Sequence[str], models: Mapping[str, str], strengths: Strengths, rated: Mapping[str, float]
) -> Doubt:
    """What is to be expected of a task that nobody has judged."""
    if len(answers) != 2:
        return Doubt(task, UNTOUCHED, "nobody has judged it")
    first, second = answers
    if first in rated and second in rated:
        gap = rated[first] - rated[second]
        share = 1 / (1 + exp(-4 * gap))  # the whole scale apart: 98%
        words = f"nobody has compared its answers, rated at {rated[first]:.0%} and {rated[second]:.0%} of the scale"
        return Doubt(task, _entropy(share), words)
    one, other = strengths.get(models.get(first, "")), strengths.get(models.get(second, ""))
    if one and other and one[0] == other[0] and models[first] != models[second]:
        share = 1 / (1 + exp(other[1] - one[1]))
        words = f"nobody has judged it, and the first answer is expected to win {share:.0%} of the time"
        return Doubt(task, _entropy(share), words)
    return Doubt(task, UNTOUCHED, "nobody has judged it")


def _join_ratings(opinions: Opinions) -> dict[str, float]:
    """The mean rating of each answer, 0 to 1 on the scale as far as each question used it."""
    low, high = pl.col("score").min().over("question"), pl.col("score").max().over("question")
    scaled = opinions.scores.with_columns(((pl.col("score") - low) / (high - low)).alias("scaled"))
    answers = scaled.filter(pl.col("scaled").is_finite()).group_by("subject").agg(pl.col("scaled").mean())
    return dict(answers.iter_rows())
