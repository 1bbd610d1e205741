"""Makes tasks for people and tells how the queue of a project stands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pitchpipe.store.curation.standing_marks import SELECT_DROPPED
from pitchpipe.store.database import Store, Transaction, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.importing.staging import SCHEMAS, make_task_id
from pitchpipe.store.judging.value_checks import MOST_RANKED
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.queueing import SERVED_KINDS
from pitchpipe.store.records import Project, TaskKind

CREATABLE_KINDS = SERVED_KINDS
_RUBRIC_KINDS = ("tag", "span", "turns", "screen")
"""Kinds that ask nothing without a rubric or a screen; the others take the project's, or need none."""
_SCHEMA = {**SCHEMAS["tasks"], "rubric": pl.String, "skill": pl.String}
_HIGHEST_PRIORITY = 1_000_000
_FEWEST_RANKED = 3
"""Two answers are compared; imported rankings of two stay rankings."""

# An answer or example counts until the judgement that it came with is superseded (taken back or judged anew), and
# again while a judgement stands that says the same (a redo, an adjudication). What was written to a known answer or in
# a repeat measures its writer, and is nothing to judge.
_EXAMPLES = f"""
WITH dropped AS ({SELECT_DROPPED}), replaced AS (
    SELECT supersedes FROM judgements WHERE project_id = $project AND supersedes IS NOT NULL
), superseded AS (
    SELECT supersedes FROM replaced EXCEPT
    SELECT json_extract_string(detail, '$.same_as') FROM judgements
    WHERE project_id = $project AND detail IS NOT NULL AND id NOT IN (SELECT supersedes FROM replaced)
), special AS (
    SELECT j.id FROM judgements AS j JOIN tasks AS t ON t.id = j.task_id
    WHERE j.project_id = $project AND t.purpose IS NOT NULL
), usable AS (
    SELECT c.* FROM candidates AS c
    WHERE c.project_id = $project AND c.id NOT IN (SELECT target_id FROM dropped)
      AND (c.judgement_id IS NULL OR c.judgement_id NOT IN (SELECT supersedes FROM superseded))
      AND (c.judgement_id IS NULL OR c.judgement_id NOT IN (SELECT id FROM special))
)
SELECT e.id, e.position, list(c.id ORDER BY c.created_at, c.id) FILTER (WHERE c.id IS NOT NULL),
       contains(e.messages, '"role":"assistant"')
FROM examples AS e
JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id
LEFT JOIN usable AS c ON c.example_id = e.id
WHERE e.project_id = $project AND g.split = 'train' AND e.id NOT IN (SELECT target_id FROM dropped)
  AND e.import_id NOT IN (SELECT supersedes FROM superseded)
  AND e.import_id NOT IN (SELECT id FROM special)
GROUP BY e.id, e.position, e.messages ORDER BY e.position, e.id
"""

_COUNT_TASKS = """
SELECT t.kind, t.batch, count(*) AS tasks, count(*) FILTER (WHERE coalesce(s.slots, 0) >= t.overlap) AS complete,
       coalesce(sum(s.slots), 0) AS judgements
FROM tasks AS t
LEFT JOIN (SELECT task_id, count(*) AS slots FROM assignments
           WHERE project_id = $project AND leased_until IS NULL GROUP BY task_id) AS s ON s.task_id = t.id
WHERE t.project_id = $project GROUP BY t.kind, t.batch ORDER BY t.kind, t.batch
"""


@dataclass(frozen=True, slots=True)
class TaskOrder:
    """What tasks are wanted; see `create_tasks`."""

    kind: str
    overlap: int | None = None
    rubric: str | None = None
    parts: tuple[str, ...] = ()
    priority: int = 0
    skill: str | None = None


def create_tasks(
    store: Store,
    project: str,
    kind: str,
    overlap: int | None = None,
    limit: int | None = None,
    actor: str = "local",
    *,
    rubric: str | None = None,
    parts: Sequence[str] = (),
    priority: int = 0,
    skill: str | None = None,
) -> dict[str, int]:
    """Makes tasks of a kind for the training side of a project.

    A task that is there already is kept; where `overlap` asks for more annotators than it has, it is widened, so that
    work which came judged can get more judges. Dropped examples and answers that were taken back get none.

    `rate`, `edit` and `span` give one task an answer, `compare` one for each neighbouring pair of an example's answers,
    `rank` one for all answers of an example (3 to 9, of more the first 9), `write` one for each example without an
    answer, `tag` one for each example, `turns` one for each conversation with a turn to rate (with the answer, where
    there is one), `screen` a pair where it compares, 3 to 9 answers where it ranks, else one answer.

    Args:
        overlap: annotators for each task; None takes the project's for new tasks and leaves others as they are.
        limit: make at most so many new ones.
        rubric: name of the rubric or screen, which the caller has checked; `tag`, `span`, `turns` and `screen` need it.
        parts: of a screen: the kinds of its parts.
        priority: of new tasks; higher ones are handed out first.
        skill: language or skill that annotators of new tasks must have.

    Returns:
        `{"asked", "made", "widened"}`, and `"shortened"`, where there are any: rankings that left answers out.

    Raises:
        UsageError: the kind cannot be made, what it needs is missing, or a number is out of range.
    """
    target = get_project(store, project)
    order = TaskOrder(kind, overlap, rubric, tuple(parts), priority, skill)
    rows, counts = plan_tasks(store, target, order, limit)

    def insert_tasks(transaction: Transaction) -> dict[str, int]:
        done = {**counts, **insert_tasks_of(transaction, target.id, rows, overlap, limit)}
        record_event(transaction, actor, "create_tasks", project, {"kind": kind, "rubric": rubric, **done})
        return done

    done = store.write(insert_tasks)
    store.checkpoint()  # the journal brings back judgements only, not what they are about
    return done


def plan_tasks(
    store: Store, project: Project, order: TaskOrder, limit: int | None = None, examples: Collection[str] | None = None
) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    """The rows of all tasks that an order asks for, those that are there already included, and what to tell of them.

    Args:
        examples: ids of the examples to make tasks for; None takes all.

    Raises:
        UsageError: as `create_tasks`.
    """
    kind, rubric = order.kind, order.rubric
    _check_order(order, limit)
    if rubric == {"rate": project.rate_rubric, "compare": project.compare_rubric}.get(kind):
        rubric = None  # the project's own: the tasks that are there ask the same
    now, wanted = utc_now(), order.overlap or project.overlap
    known = _find_known(store, project.id, kind, rubric)
    shape = _find_shape(kind, order.parts)
    found = store.read(_EXAMPLES, {"project": project.id})
    if examples is not None:
        chosen = set(examples)
        found = [row for row in found if row[0] in chosen]
    rows = [
        (known.get((example_id, frozenset(ids))) or make_task_id(example_id, TaskKind(kind), ids, "", rubric),
         project.id, example_id, kind, canonical_json(ids), wanted, order.priority, "", position, now, rubric,
         order.skill)
        for example_id, position, candidates, has_turn in found
        for ids in _choose_candidates(shape, candidates or [], has_turn)
    ]  # fmt: skip
    counts = {"asked": len(rows)}
    shortened = sum(len(candidates or []) > MOST_RANKED for _, _, candidates, _ in found)
    if shape == "rank" and shortened:
        counts["shortened"] = shortened
    return rows, counts


def insert_tasks_of(
    transaction: Transaction,
    project_id: str,
    rows: list[tuple[Any, ...]],
    overlap: int | None = None,
    limit: int | None = None,
    action_id: str | None = None,
) -> dict[str, int]:
    """Adds the tasks that are not there, and widens those that are where more annotators are asked for."""
    there = dict(transaction.run("SELECT id, overlap FROM tasks WHERE project_id = ?", [project_id]))
    fresh = pl.DataFrame([row for row in rows if row[0] not in there][:limit], _SCHEMA, orient="row")
    narrow = [row[0] for row in rows if overlap is not None and there.get(row[0], overlap) < overlap]
    if narrow:
        transaction.run("UPDATE tasks SET overlap = ? WHERE id IN (SELECT unnest(?))", [overlap, narrow])
    made = transaction.insert_frame("tasks", fresh.with_columns(action_id=pl.lit(action_id, pl.String)))
    return {"made": made, "widened": len(narrow)}


def _check_order(order: TaskOrder, limit: int | None) -> None:
    kind, overlap, rubric, parts, priority = order.kind, order.overlap, order.rubric, order.parts, order.priority
    if kind not in CREATABLE_KINDS:
        raise UsageError(f"Tasks of the kind '{kind}' cannot be made.", f"Use one of: {', '.join(CREATABLE_KINDS)}.")
    if (overlap is not None and overlap < 1) or (limit is not None and limit < 1):
        raise UsageError(f"overlap is {overlap} and limit is {limit}.", "Both must be 1 or more.")
    if kind in _RUBRIC_KINDS and not rubric:
        raise UsageError(f"Tasks of the kind '{kind}' need to know what to ask.", "Name a rubric, or a screen.")
    if (kind == "screen") != bool(parts):
        raise UsageError(f"The parts {list(parts)} do not fit tasks of the kind '{kind}'.", "Give a screen its parts.")
    if abs(priority) > _HIGHEST_PRIORITY:
        raise UsageError(
            f"priority is {priority}.", f"It must be between -{_HIGHEST_PRIORITY} and {_HIGHEST_PRIORITY}."
        )


def _find_known(store: Store, project_id: str, kind: str, rubric: str | None) -> dict[tuple[str, frozenset[str]], str]:
    """The tasks that ask the same, by example and answers in whatever order (reviews and repeats aside)."""
    rows = store.read(
        "SELECT id, example_id, candidate_ids FROM tasks WHERE project_id = ? AND kind = ? AND batch = '' "
        "AND coalesce(rubric, '') = ? AND repeat_of IS NULL",
        [project_id, kind, rubric or ""],
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


def _find_shape(kind: str, parts: Sequence[str]) -> str:
    """The kind that says how many answers a task has: of a screen, that of its part which needs most."""
    return next((part for part in ("compare", "rank") if part in parts), "rate") if kind == "screen" else kind


def _choose_candidates(shape: str, candidates: list[str], has_turn: bool) -> list[list[str]]:
    """The answers of each task that an example gives."""
    if shape == "write":
        return [] if candidates else [[]]
    if shape == "tag":
        return [[]]
    if shape == "compare":
        return [list(pair) for pair in itertools.pairwise(candidates)]
    if shape == "rank":
        return [candidates[:MOST_RANKED]] if len(candidates) >= _FEWEST_RANKED else []
    if shape == "turns" and has_turn and not candidates:
        return [[]]
    return [[candidate] for candidate in candidates]
