"""How much of an evaluation set a project's open side contains: what must be said beside any result on that set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.curation.evaluation_sets import Items, read_evaluation_sets
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
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
            f"Sets here: {', '.join(sets) or 'none yet'}. Add one with: pitchpipe evaluation-sets --file FILE.",
        )
    return _report(store, project, {set_name: sets[set_name]})[0]


def report_all_contamination(store: Store, project: str) -> list[ContaminationReport]:
    """The report on each evaluation set of a project, by name; every text is read once for all of them."""
    return _report(store, project, read_evaluation_sets(store, project))


def _report(store: Store, project: str, sets: Mapping[str, Items]) -> list[ContaminationReport]:
    hits: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in sets}
    if sets:
        index = build_index(sets)
        for example_id, candidate_id, text in _list_texts(store, get_project(store, project).id):
            for match in index.find_matches(text, is_answer=candidate_id is not None):
                known = hits[match.set_name].get(match.item_id)
                if known is None or (match.is_exact, match.score) > (known["exact"], known["score"]):
                    hits[match.set_name][match.item_id] = {
                        "item": match.item_id, "score": match.score, "exact": match.is_exact,
                        "example_id": example_id, "candidate_id": candidate_id,
                    }  # fmt: skip
    return [_describe(name, len(items), list(hits[name].values())) for name, items in sets.items()]


def _describe(name: str, items: int, hits: list[dict[str, Any]]) -> ContaminationReport:
    share = len(hits) / items
    exact = sum(hit["exact"] for hit in hits)
    found = sorted(hits, key=lambda hit: (-hit["score"], hit["item"]))
    return ContaminationReport(name, items, len(hits), exact, share, share > TOLERATED_SHARE, found)


def _list_texts(store: Store, project_id: str) -> Iterator[tuple[str, str | None, str]]:
    for example_id, messages, candidate_id, answer in store.read(_TEXTS, {"project": project_id}):
        if messages is None:
            yield example_id, candidate_id, answer
        else:
            turns = (message for message in json.loads(messages) if message["role"] == "user")
            yield from ((example_id, None, turn["content"]) for turn in turns)
