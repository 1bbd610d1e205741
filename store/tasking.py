"""Makes tasks for people and tells how the queue of a project stands."""

from __future__ import annotations

import itertools
import json
from typing import Any

import polars as pl

from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.projects import get_project
from pitchpipe.store.queueing import SERVED_KINDS
from pitchpipe.store.records import TaskKind
from pitchpipe.store.staging import SCHEMAS, make_task_id

CREATABLE_KINDS = SERVED_KINDS

_CANDIDATES = """
WITH dropped AS (
    SELECT target_id FROM decisions WHERE project_id = $project
    GROUP BY target_id HAVING arg_max(verdict, id) = 'drop'
), usable AS (
    -- An answer counts until the judgement that it came with is superseded (taken back or judged anew).
    SELECT c.* FROM candidates AS c
    WHERE c.project_id = $project AND c.id NOT IN (SELECT target_id FROM dropped)
      AND NOT EXISTS (SELECT 1 FROM judgements AS j WHERE j.supersedes = c.judgement_id)
)
SELECT e.id, e.position, list(c.id ORDER BY c.created_at, c.id) FILTER (WHERE c.id IS NOT NULL)
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN usable AS c ON c.example_id = e.id
WHERE e.project_id = $project AND g.split = 'train' AND e.id NOT IN (SELECT target_id FROM dropped)
GROUP BY e.id, e.position ORDER BY e.position, e.id
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
    """Makes tasks of a kind for the training side of a project.

    A task that is there already is kept; where `overlap` asks for more annotators than it has, it is widened, so that
    work which came judged can get more judges. Dropped examples and answers that were taken back get none.

    `rate` and `edit` give one task an answer, `compare` one for each neighbouring pair of an example's answers, `write`
    one for each example without an answer.

    Args:
        overlap: annotators for each task; None takes the project's for new tasks and leaves others as they are.
        limit: make at most so many new ones.

    Returns:
        `{"asked", "made", "widened"}`.

    Raises:
        UsageError: the kind cannot be made, or overlap or limit is below 1.
    """
    target = get_project(store, project)
    if kind not in CREATABLE_KINDS:
        raise UsageError(f"Tasks of the kind '{kind}' cannot be made.", f"Use one of: {', '.join(CREATABLE_KINDS)}.")
    if (overlap is not None and overlap < 1) or (limit is not None and limit < 1):
        raise UsageError(f"overlap is {overlap} and limit is {limit}.", "Both must be 1 or more.")
    now, wanted = utc_now(), overlap or target.overlap
    known = _find_known(store, target.id, kind)
    rows = [
        (known.get((example_id, frozenset(candidate_ids)))
         or make_task_id(example_id, TaskKind(kind), candidate_ids, ""), target.id, example_id, kind,
         canonical_json(candidate_ids), wanted, 0, "", position, now)
        for example_id, position, candidates in store.read(_CANDIDATES, {"project": target.id})
        for candidate_ids in _choose_candidates(kind, candidates or [])
    ]  # fmt: skip

    def insert_tasks(transaction: Transaction) -> dict[str, int]:
        there = dict(transaction.run("SELECT id, overlap FROM tasks WHERE project_id = ?", [target.id]))
        fresh = pl.DataFrame([row for row in rows if row[0] not in there][:limit], SCHEMAS["tasks"], orient="row")
        narrow = [row[0] for row in rows if overlap is not None and there.get(row[0], overlap) < overlap]
        if narrow:
            transaction.run("UPDATE tasks SET overlap = ? WHERE id IN (SELECT unnest(?))", [overlap, narrow])
        done = {"asked": len(rows), "made": transaction.insert_frame("tasks", fresh), "widened": len(narrow)}
        record_event(transaction, actor, "create_tasks", project, {"kind": kind, **done})
        return done

    done = store.write(insert_tasks)
    store.checkpoint()  # the journal brings back judgements only, not what they are about
    return done


def _find_known(store: Store, project_id: str, kind: str) -> dict[tuple[str, frozenset[str]], str]:
    """The tasks of a kind that are there, by example and answers in whatever order (reviews aside)."""
    rows = store.read(
        "SELECT id, example_id, candidate_ids FROM tasks "
        "WHERE project_id = ? AND kind = ? AND batch = '' AND repeat_of IS NULL",
        [project_id, kind],
    )
    return {(example_id, frozenset(json.loads(ids))): task_id for task_id, example_id, ids in rows}


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
