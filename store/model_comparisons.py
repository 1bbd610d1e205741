"""Which answers of which models were compared, and how it ended: what a ranking of models is computed from."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from itertools import combinations
from math import comb
from typing import Any

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.knowledge import Knowledge, read_parts
from pitchpipe.store.measures.model_ranking import ModelRanking, rank_models
from pitchpipe.store.projects import get_project
from pitchpipe.store.reviewing import list_blind_tasks
from pitchpipe.store.snapshot_reading import read_knowledge

_ENDINGS = {"a": "a", "b": "b", "tie": "tie", "both_bad": "tie"}
"""Two bad answers are no preference. Who cannot judge says nothing."""
_ORIGINS = {"person": "a person", "demonstration": "the demonstration"}
_SCHEMA = {
    "prompt": pl.String, "model_a": pl.String, "model_b": pl.String, "outcome": pl.String, "weight": pl.Float64,
}  # fmt: skip


def rank_project_models(store: Store, project: str, resamples: int = 300) -> ModelRanking:
    """The standings of the models of a project by every comparison and ranking that counts."""
    known = read_knowledge(store, get_project(store, project).id)
    return rank_models(list_comparisons(known, list_blind_tasks(store, project)), resamples)


def list_comparisons(known: Knowledge, blind: Container[str] = ()) -> pl.DataFrame:
    """One row a judged pair of named models: prompt (the example's id), model_a, model_b, outcome, weight.

    Every rater counts, but of an adjudicated task the curator alone. Repeats and known answers are left out, and so are
    answers of which no model is known; what persons wrote and demonstrations stand under names of their own.

    Args:
        blind: tasks of open reviews, which tell nothing yet (`reviewing.list_blind_tasks`).
    """
    return pl.DataFrame(list(_list_rows(known, blind)), schema=_SCHEMA, orient="row")


def _list_rows(known: Knowledge, blind: Container[str]) -> Iterator[tuple[Any, ...]]:
    for task in known.tasks.values():
        if task["id"] in blind or task["purpose"] is not None or task["kind"] not in ("compare", "rank", "screen"):
            continue
        names = [_name_model(known.candidates[candidate]) for candidate in json.loads(task["candidate_ids"])]
        example = task["example_id"]
        if task["kind"] != "rank":
            for _, value in read_parts(known, task, "compare"):
                if names[0] and names[1] and value["verdict"] in _ENDINGS:
                    yield example, names[0], names[1], _ENDINGS[value["verdict"]], 1.0
        if task["kind"] != "compare":
            for _, value in read_parts(known, task, "rank"):
                for first, second in combinations(range(len(names)), 2):
                    if names[first] and names[second]:
                        gap = value["ranks"][first] - value["ranks"][second]
                        outcome = "tie" if not gap else "a" if gap < 0 else "b"
                        yield example, names[first], names[second], outcome, 1 / comb(len(names), 2)


def _name_model(candidate: dict[str, Any]) -> str | None:
    return candidate["model"] or _ORIGINS.get(candidate["origin"])
