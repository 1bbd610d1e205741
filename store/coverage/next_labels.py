"""What to label next: what is unsure, what differs from the rest of the choice, and what nobody has touched yet."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pitchpipe.store.coverage.clusters import Matrix, Places
from pitchpipe.store.coverage.covering import Coverage
from pitchpipe.store.coverage.uncertainty import UNTOUCHED, Doubt, Strengths, find_doubts
from pitchpipe.store.curation.standing_marks import SELECT_DROPPED
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.measures.model_ranking import rank_models
from pitchpipe.store.projects import get_project
from pitchpipe.store.review.opinion_reading import Opinions, read_opinions

_MODELS = "SELECT id, model FROM candidates WHERE project_id = ? AND model IS NOT NULL"
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class NextLabel:
    """An example to label next."""

    example_id: str
    task_id: str | None
    """The task that is least sure; None where the example has none yet."""
    kind: str
    """Of that task, or of the one that the example should get: compare, rate or write."""
    cluster: int
    uncertainty: float
    """0 to 1."""
    reason: str
    request: str


def find_next(store: Store, project: str, coverage: Coverage, limit: int = 20) -> list[NextLabel]:
    """The examples to label next, the first one first: of the training side, neither dropped nor settled.

    Clusters in which nobody has judged anything come first, the largest first, with one example each. Then examples
    by how unsure their least sure task is, times how far they are from all that is chosen already.

    Raises:
        UsageError: the limit is out of range.
    """
    if not 1 <= limit <= _MOST:
        raise UsageError(f"The limit is {limit}.", f"Give a number from 1 to {_MOST:,}.")
    target = get_project(store, project)
    opinions, models = read_opinions(store, target.id), dict(store.read(_MODELS, [target.id]))
    dropped = {row[0] for row in store.read(SELECT_DROPPED, {"project": target.id})}
    worst = _find_worst(opinions, models, dropped)
    requests = coverage.requests
    rows = list(requests.select("example", "split", "answers", "judgements", "cluster", "request").iter_rows())
    doubts = [_propose(example, answers, worst) if split == "train" else None for example, split, answers, *_ in rows]
    unsure = np.array([doubt.uncertainty if doubt else 0.0 for doubt in doubts])
    labels = coverage.clusters.labels
    judged = requests["judgements"].to_numpy() > 0
    found = []
    for row, is_first in choose_next(coverage.topics, unsure, judged, labels, limit):
        example, _, answers, _, cluster, request = rows[row]
        doubt = doubts[row]
        assert doubt is not None, "an example was chosen that nobody can label"
        task = doubt.task or None
        kind = _find_kind(opinions, task, answers)
        size = int((labels == cluster).sum())
        reason = f"nobody has judged anything among the {size:,} of '{coverage.names[cluster]}'"
        found.append(
            NextLabel(example, task, kind, cluster, doubt.uncertainty, reason if is_first else doubt.reason, request)
        )
    return found


def choose_next(matrix: Matrix, unsure: Any, judged: Any, labels: Places, limit: int) -> list[tuple[int, bool]]:
    """Rows in the order to label them, each with whether it is the first of a cluster that nobody has touched.

    Args:
        matrix: unit rows, [n, d].
        unsure: 0 to 1, [n]; a row with 0 is never chosen.
        judged: whether the row has a judgement, [n].
        labels: the cluster of each row, [n].
        limit: rows at most.

    >>> near = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> choose_next(near, np.array([0.9, 0.8, 0.5]), np.array([True] * 3), np.array([0, 0, 1]), 2)
    [(0, False), (2, False)]
    """
    taken: list[tuple[int, bool]] = []
    novelty = np.ones(len(matrix))

    def take(row: int, is_first: bool) -> None:
        taken.append((row, is_first))
        np.minimum(novelty, np.maximum(0.0, 1.0 - matrix @ matrix[row]), out=novelty)

    sizes = np.bincount(labels) if len(labels) else np.zeros(0, int)
    touched = np.bincount(labels, weights=np.asarray(judged, float), minlength=len(sizes)) > 0
    for cluster in np.argsort(-sizes, kind="stable"):
        rows = np.flatnonzero((labels == cluster) & (unsure > 0))
        if touched[cluster] or not len(rows) or len(taken) >= limit:
            continue
        # Among equally unsure ones the one in the middle of the cluster speaks for it.
        middle = matrix[rows] @ matrix[rows].mean(axis=0)
        take(int(rows[np.lexsort((-middle, -unsure[rows]))[0]]), True)
    score = np.where(unsure > 0, unsure, -1.0)
    while len(taken) < limit:
        # A copy of what is chosen is worth nothing now, but a tenth keeps it before what is not unsure at all.
        worth = np.where(score > 0, score * (0.1 + 0.9 * novelty), -1.0)
        worth[[row for row, _ in taken]] = -1.0
        best = int(np.argmax(worth)) if len(worth) else -1
        if best < 0 or worth[best] <= 0:
            break
        take(best, False)
    return taken


def _find_worst(opinions: Opinions, models: dict[str, str], dropped: Set[str]) -> dict[str, Doubt]:
    """By example, the doubt about the least sure of its ordinary, open-ended tasks; examples without one are absent."""
    ordinary = opinions.tasks.filter(
        (pl.col("batch") == "") & pl.col("purpose").is_null() & ~pl.col("task").is_in(list(opinions.settled))
    )
    tasks = [
        task
        for task, ids in ordinary.select("task", "candidate_ids").iter_rows()
        if dropped.isdisjoint(json.loads(ids))
    ]
    examples = dict(ordinary.select("task", "example").iter_rows())
    worst: dict[str, Doubt] = {}
    for doubt in find_doubts(opinions, tasks, models, _read_strengths(opinions, models)):
        example = examples[doubt.task]
        if example not in worst or doubt.uncertainty > worst[example].uncertainty:
            worst[example] = doubt
    # Settled examples are no open question even where a task of theirs was never judged.
    for example in opinions.tasks.filter(pl.col("task").is_in(list(opinions.settled)))["example"]:
        worst.setdefault(example, Doubt("", 0.0, ""))
    return worst


def _read_strengths(opinions: Opinions, models: dict[str, str]) -> Strengths:
    """The Bradley-Terry strengths of those who wrote, from all choices so far."""
    names = {"answer": list(models), "model": list(models.values())}
    named = pl.DataFrame(names, {"answer": pl.String, "model": pl.String})
    table = opinions.choices.filter(pl.col("verdict").is_in(["a", "b", "tie"]))
    for side in "ab":
        table = table.join(
            named.rename({"answer": f"answer_{side}", "model": f"model_{side}"}), on=f"answer_{side}", how="inner"
        )
    compared = table.select(
        pl.col("example").alias("prompt"), "model_a", "model_b", pl.col("verdict").alias("outcome"),
        pl.lit(1.0).alias("weight"),
    )  # fmt: skip
    return {one.model: (one.component, one.strength) for one in rank_models(compared, resamples=0).standings}


def _propose(example: str, answers: int, worst: dict[str, Doubt]) -> Doubt:
    if example in worst:
        return worst[example]
    return Doubt("", UNTOUCHED, "no task asks about it" if answers else "it has no answer yet")


def _find_kind(opinions: Opinions, task: str | None, answers: int) -> str:
    if task is not None:
        return str(opinions.tasks.filter(pl.col("task") == task)["kind"][0])
    return "compare" if answers > 1 else "rate" if answers else "write"
