"""What was answered in a project, read once for everything that consensus shows."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from pitchpipe.store.consensus_plan import is_scale
from pitchpipe.store.database import Store
from pitchpipe.store.gold import list_gold
from pitchpipe.store.model_comparisons import list_comparisons
from pitchpipe.store.projects import get_project
from pitchpipe.store.question_answers import VERDICT, Given, collect_answers, split_value
from pitchpipe.store.reviewing import list_blind_tasks
from pitchpipe.store.snapshot_reading import read_knowledge

_READ_REQUESTS = "SELECT id, messages FROM examples WHERE id IN (SELECT unnest($ids::VARCHAR[]))"


@dataclass(frozen=True, slots=True)
class ProjectAnswers:
    """What was answered in a project, question by question."""

    answers: dict[str, list[Given]]
    known: dict[str, dict[str, Any]]
    """By question, the known answers by unit."""
    comparisons: pl.DataFrame
    """What models are ranked by; see `list_comparisons`."""

    def describe_questions(self) -> list[tuple[str, bool, int]]:
        """Name, whether it is a scale of numbers, and units; the comparison first, then by name."""
        found = [
            (name, is_scale(name, given), len({one.unit for one in given if not one.is_known}))
            for name, given in self.answers.items()
        ]
        return sorted(found, key=lambda one: (one[0] != VERDICT, one[0]))


def read_answers(store: Store, project: str) -> ProjectAnswers:
    """What was answered in a project and which answers are known."""
    known = read_knowledge(store, get_project(store, project).id)
    facts: dict[str, dict[str, Any]] = {}
    for gold in list_gold(store, project):
        if gold["task_id"] in known.tasks:
            for part in split_value(known, known.tasks[gold["task_id"]], gold["value"]):
                facts.setdefault(part.question, {})[part.unit] = part.value
    return ProjectAnswers(collect_answers(known), facts, list_comparisons(known, list_blind_tasks(store, project)))


def read_requests(store: Store, example_ids: Collection[str]) -> dict[str, str]:
    """The last request of each example, by its id; ids that are not known are left out."""
    rows = store.read(_READ_REQUESTS, {"ids": sorted(set(example_ids))})
    return {
        str(id): next((m["content"] for m in reversed(json.loads(messages)) if m["role"] == "user"), "")
        for id, messages in rows
    }
