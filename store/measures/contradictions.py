"""Answers that cannot all be meant: circles of preferences, ratings against choices, and people against themselves.

Everything here is pure mathematics over frames; `store/review/disputes.py` makes them of judgements and says what was
found in words. A contradiction is no fault of the rater's by itself: it is a place where reading again pays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Cycle:
    """A circle of preferences: each answer beats the next, the last beats the first."""

    group: str
    answers: tuple[str, ...]
    """Three or more, beginning with the smallest id."""
    tasks: tuple[str, ...]
    """`tasks[i]` is where `answers[i]` was preferred to the next."""


def find_cycles(preferences: pl.DataFrame) -> list[Cycle]:
    """The shortest circle through each preference that lies on one, each circle once.

    Two answers that beat each other are no circle (see `find_reversals`); so a circle has three answers or more.
    Circular triads as signs of an inconsistent judge: Kendall and Babington Smith, "On the method of paired
    comparisons" (Biometrika 31, 1940).

    Args:
        preferences: one row a preference, with the columns `group` (the answers to one request, by one rater or by
            all), `task`, `winner` and `loser`.

    >>> found = find_cycles(pl.DataFrame(
    ...     [("e", "t1", "A", "B"), ("e", "t2", "B", "C"), ("e", "t3", "C", "A")],
    ...     schema=["group", "task", "winner", "loser"], orient="row"))
    >>> found[0].answers, found[0].tasks
    (('A', 'B', 'C'), ('t1', 't2', 't3'))
    """
    # A circle needs three pairs of answers, and a ranking alone never has one: most groups are out at once.
    large = preferences.filter(
        (pl.len().over("group") >= 3) & (pl.col("task").n_unique().over("group") >= 2)
    )  # fmt: skip
    cycles: dict[tuple[str, tuple[str, ...]], Cycle] = {}
    for (group,), part in large.group_by(["group"], maintain_order=True):
        beaten: dict[str, dict[str, str]] = {}
        for task, winner, loser in part.select("task", "winner", "loser").iter_rows():
            beaten.setdefault(winner, {}).setdefault(loser, task)
        for winner, losers in beaten.items():
            for loser in losers:
                path = _find_way_back(beaten, loser, winner)
                if path is not None:
                    cycle = _make_cycle(str(group), [winner, *path], beaten)
                    cycles.setdefault((cycle.group, cycle.answers), cycle)
    return list(cycles.values())


def _find_way_back(beaten: Mapping[str, Mapping[str, str]], start: str, goal: str) -> list[str] | None:
    """The shortest way from `start` to the answer that beats `goal`, without the step from `start` to `goal` itself."""
    before: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        answer = waiting.popleft()
        for loser in beaten.get(answer, {}):
            if loser == goal and answer != start:
                path: list[str] = []
                step: str | None = answer
                while step is not None:
                    path.append(step)
                    step = before[step]
                return path[::-1]
            if loser != goal and loser not in before:
                before[loser] = answer
                waiting.append(loser)
    return None


def _make_cycle(group: str, answers: list[str], beaten: Mapping[str, Mapping[str, str]]) -> Cycle:
    first = answers.index(min(answers))
    turned = answers[first:] + answers[:first]
    tasks = [beaten[winner][loser] for winner, loser in zip(turned, turned[1:] + turned[:1], strict=True)]
    return Cycle(group, tuple(turned), tuple(tasks))


def find_rating_conflicts(ratings: pl.DataFrame, preferences: pl.DataFrame, smallest_gap: float = 2.0) -> pl.DataFrame:
    """The choices in which a rater preferred the answer that they themselves had rated lower.

    A rater who gave an answer several ratings is taken at their mean.

    Args:
        ratings: columns `rater`, `answer`, `score`.
        preferences: columns `rater`, `task`, `winner`, `loser`.
        smallest_gap: in points of the scale; a smaller gap is noise.

    Returns:
        The rows of `preferences` concerned, with `winner_score` and `loser_score`.

    >>> find_rating_conflicts(
    ...     pl.DataFrame({"rater": ["ana", "ana"], "answer": ["A", "B"], "score": [2.0, 4.0]}),
    ...     pl.DataFrame({"rater": ["ana"], "task": ["t"], "winner": ["A"], "loser": ["B"]}),
    ... ).rows()
    [('ana', 't', 'A', 'B', 2.0, 4.0)]
    """
    means = ratings.group_by("rater", "answer", maintain_order=True).agg(pl.col("score").mean())
    joined = preferences.select("rater", "task", "winner", "loser")
    for side in ("winner", "loser"):
        scores = means.rename({"answer": side, "score": f"{side}_score"})
        joined = joined.join(scores, on=["rater", side], how="inner", maintain_order="left")
    return joined.filter(pl.col("loser_score") - pl.col("winner_score") >= smallest_gap)


def find_reversals(answers: pl.DataFrame, widest_spread: float, *, has_sides: bool = False) -> pl.DataFrame:
    """Where one rater answered the same thing twice, in two tasks, and differently.

    Args:
        answers: columns `rater`, `subject` (what was judged), `task`, `value` (a number).
        widest_spread: a larger difference counts.
        has_sides: of preferences, negative for one answer and positive for the other: opposite signs count too.

    Returns:
        `rater`, `subject`, `task`, `value`, `other_task`, `other_value`; each pair of tasks once.

    >>> find_reversals(pl.DataFrame({"rater": ["ana", "ana"], "subject": ["A|B", "A|B"], "task": ["t1", "t2"],
    ...     "value": [-1.0, 1.0]}), 2, has_sides=True).rows()
    [('ana', 'A|B', 't1', -1.0, 't2', 1.0)]
    """
    twice = answers.filter(pl.col("task").n_unique().over("rater", "subject") >= 2)
    others = twice.rename({"task": "other_task", "value": "other_value"})
    pairs = twice.join(others, on=["rater", "subject"], how="inner", maintain_order="left_right")
    pairs = pairs.filter(pl.col("task") < pl.col("other_task"))
    differs = (pl.col("value") - pl.col("other_value")).abs() > widest_spread
    if has_sides:
        differs = differs | (pl.col("value") * pl.col("other_value") < 0)
    return pairs.filter(differs).select("rater", "subject", "task", "value", "other_task", "other_value")
