"""Makes tasks for people and tells how the queue of a project stands."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import Split, TaskKind
from pitchpipe.store.staging import SCHEMAS, make_task_id

CREATABLE_KINDS = ("rate", "compare", "edit", "write")

_CANDIDATES = """
SELECT e.id, e.position, g.split, list(c.id ORDER BY c.created_at, c.id) FILTER (WHERE c.id IS NOT NULL)
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN candidates AS c ON c.example_id = e.id
WHERE e.project_id = ? GROUP BY e.id, e.position, g.split ORDER BY e.position, e.id
"""

_COUNT_TASKS = """
SELECT t.kind, t.batch, count(*) AS tasks, count(*) FILTER (WHERE coalesce(s.slots, 0) >= t.overlap) AS complete,
       coalesce(sum(s.slots), 0) AS judgements
FROM tasks AS t
LEFT JOIN (SELECT task_id, count(*) AS slots FROM assignments
           WHERE project_id = $project AND leased_until IS NULL GROUP BY task_id) AS s ON s.task_id = t.id
WHERE t.project_id = $project GROUP BY t.kind, t.batch ORDER BY t.kind, t.batch
"""


def create_tasks(
    store: Store, project: str, kind: str, overlap: int | None = None, limit: int | None = None, actor: str = "local"
) -> dict[str, int]:
    """Makes tasks of a kind for the training side of a project; one that is there already is left as it was.

    `rate` and `edit` give one task an answer, `compare` one for each neighbouring pair of an example's answers, `write`
    one for each example without an answer.

    Raises:
        UsageError: the kind cannot be made, or overlap or limit is below 1.
    """
    target = get_project(store, project)
    if kind not in CREATABLE_KINDS:
        raise UsageError(f"Tasks of the kind '{kind}' cannot be made.", f"Use one of: {', '.join(CREATABLE_KINDS)}.")
    if min(overlap or 1, limit or 1) < 1:
        raise UsageError(f"overlap is {overlap} and limit is {limit}.", "Both must be 1 or more.")
    now = utc_now()
    rows = []
    for example_id, position, split, candidates in store.read(_CANDIDATES, [target.id]):
        if split == Split.TRAIN:
            for candidate_ids in _choose_candidates(kind, candidates or []):
                task_id = make_task_id(example_id, TaskKind(kind), candidate_ids, "")
                rows.append((task_id, target.id, example_id, kind, canonical_json(candidate_ids),
                             overlap or target.overlap, 0, "", position, now))  # fmt: skip
    frame = pl.DataFrame(rows[:limit], schema=SCHEMAS["tasks"], orient="row")

    def insert_tasks(transaction: Transaction) -> int:
        made = transaction.insert_frame("tasks", frame)
        record_event(transaction, actor, "create_tasks", project, {"kind": kind, "made": made})
        return made

    made = store.write(insert_tasks)
    return {"asked": frame.height, "made": made}


def count_tasks(store: Store, project: str) -> list[dict[str, Any]]:
    """Tasks, complete ones and judgements by kind and batch (an empty batch is ordinary work, else a review's run)."""
    rows = store.read(_COUNT_TASKS, {"project": get_project(store, project).id})
    return [
        {"kind": kind, "batch": batch, "tasks": tasks, "complete": complete, "open": tasks - complete,
         "judgements": int(judgements)}
        for kind, batch, tasks, complete, judgements in rows
    ]  # fmt: skip


def _choose_candidates(kind: str, candidates: list[str]) -> list[list[str]]:
    if kind == "write":
        return [] if candidates else [[]]
    if kind == "compare":
        return [list(pair) for pair in itertools.pairwise(candidates)]
    return [[candidate] for candidate in candidates]
