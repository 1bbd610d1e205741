"""How much of an evaluation set a project's open side contains: what must be said beside any result on that set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.evaluation_sets import read_evaluation_sets
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.contamination import build_index

TOLERATED_SHARE = 0.02
"""Tulu 3 leaves out what contains more than 2 % of an evaluation set (Lambert et al. 2024, 3.2)."""

_TEXTS = """
SELECT e.id AS example_id, e.messages, CAST(NULL AS VARCHAR) AS candidate_id, CAST(NULL AS VARCHAR) AS answer
FROM examples AS e JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
WHERE e.project_id = $project AND g.split = 'train'
UNION ALL
SELECT c.example_id, NULL, c.id, c.text
FROM candidates AS c JOIN examples AS e ON e.id = c.example_id
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
WHERE c.project_id = $project AND g.split = 'train'
ORDER BY 1, 3 NULLS FIRST
"""


@dataclass(frozen=True, slots=True)
class ContaminationReport:
    """What of an evaluation set stands in a project's training side."""

    set_name: str
    items: int
    hit_items: int
    exact_items: int
    """Of those, items that stand there word by word as a whole request or answer."""
    share: float
    """Of the items, 0 to 1."""
    is_flagged: bool
    """Whether more than 2 % of the items were found."""
    hits: list[dict[str, Any]]
    """The surest for each item: item, score, exact, example_id, candidate_id (None for the request)."""


def report_contamination(store: Store, project: str, set_name: str) -> ContaminationReport:
    """Looks for every item of a set in all requests and answers of a project's training side.

    Raises:
        NotFoundError: there is no such project or set.
    """
    sets = read_evaluation_sets(store, project)
    if set_name not in sets:
        raise NotFoundError(
            f"There is no evaluation set '{set_name}'.",
            f"Sets here: {', '.join(sets) or 'none yet'}. Add one with: pitchpipe evaluation-sets add.",
        )
    items = sets[set_name]
    index = build_index({set_name: items})
    hits: dict[str, dict[str, Any]] = {}
    for example_id, candidate_id, text in _list_texts(store, get_project(store, project).id):
        for match in index.find_matches(text):
            known = hits.get(match.item_id)
            if known is None or (match.is_exact, match.score) > (known["exact"], known["score"]):
                hits[match.item_id] = {
                    "item": match.item_id, "score": match.score, "exact": match.is_exact, "example_id": example_id,
                    "candidate_id": candidate_id,
                }  # fmt: skip
    share = len(hits) / len(items)
    exact = sum(hit["exact"] for hit in hits.values())
    found = sorted(hits.values(), key=lambda hit: (-hit["score"], hit["item"]))
    return ContaminationReport(set_name, len(items), len(hits), exact, share, share > TOLERATED_SHARE, found)


def _list_texts(store: Store, project_id: str) -> Iterator[tuple[str, str | None, str]]:
    for example_id, messages, candidate_id, answer in store.read(_TEXTS, {"project": project_id}):
        if messages is None:
            yield example_id, candidate_id, answer
        else:
            turns = (message for message in json.loads(messages) if message["role"] == "user")
            yield from ((example_id, None, turn["content"]) for turn in turns)
