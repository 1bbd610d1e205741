"""Puts chosen tasks at the head of the queue, and puts them back where they were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.database import Store, Transaction
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import new_id
from pitchpipe.store.projects import get_project

_HIGHEST_PRIORITY = 1_000_000
_TASKS = """
SELECT t.id, t.priority, t.overlap, coalesce(s.submitted, 0), coalesce(s.held, 0) FROM tasks AS t
LEFT JOIN (SELECT task_id, count(*) FILTER (WHERE leased_until IS NULL) AS submitted, count(*) AS held
           FROM assignments WHERE project_id = $project GROUP BY task_id) AS s ON s.task_id = t.id
WHERE t.project_id = $project
"""
# What was asked and not put back yet, the latest first.
_ASKED = """
SELECT detail FROM events WHERE subject = $project AND action = 'ask_next'
  AND json_extract_string(detail, '$.asked') NOT IN (
    SELECT json_extract_string(detail, '$.asked') FROM events WHERE subject = $project AND action = 'undo_ask_next')
ORDER BY id DESC
"""


@dataclass(frozen=True, slots=True)
class AskedNext:
    """What was put at the head of the queue."""

    id: str
    raised: int
    """Tasks that come first now."""
    widened: int
    """Of these, tasks that were complete and ask for one more rater."""
    priority: int


def ask_next(store: Store, project: str, task_ids: Sequence[str], actor: str) -> AskedNext:
    """Puts tasks at the head of the queue; a complete one asks for one more rater.

    Raises:
        UsageError: no task was named, or priorities have come to their end.
        NotFoundError: the project has not all of the tasks; nothing was done.
    """
    target = get_project(store, project)
    ids = list(dict.fromkeys(task_ids))
    if not ids:
        raise UsageError("No task was named.", "Choose some; an example without a task needs one made first.")
    asked_id = new_id("ask")

    def raise_them(transaction: Transaction) -> AskedNext:
        known = {row[0]: row[1:] for row in transaction.run(_TASKS, {"project": target.id})}
        missing = [task for task in ids if task not in known]
        if missing:
            raise NotFoundError(f"There is no task '{missing[0]}' in '{project}'.", "Look at what to label next anew.")
        top = 1 + _find_top(known.values())
        if top > _HIGHEST_PRIORITY:
            raise UsageError(f"A task in '{project}' has the highest priority there is.", "Judge or lower it first.")
        changes = {
            task: {"from": [priority, overlap], "to": [top, max(overlap, done + 1)]}
            for task, (priority, overlap, done, _) in known.items()
            if task in set(ids)
        }
        _change_tasks(transaction, {task: change["to"] for task, change in changes.items()})
        widened = sum(change["to"][1] > change["from"][1] for change in changes.values())
        record_event(transaction, actor, "ask_next", project, {"asked": asked_id, "tasks": changes})
        return AskedNext(asked_id, len(changes), widened, top)

    asked = store.write(raise_them)
    store.checkpoint()  # the journal brings back judgements only
    return asked


def find_top_priority(store: Store, project: str) -> int:
    """The highest priority of an open task, at least 0."""
    rows = store.read(_TASKS, {"project": get_project(store, project).id})
    return _find_top(row[1:] for row in rows)


def find_latest_asked(store: Store, project: str) -> tuple[str, int] | None:
    """The id of what was asked last and not put back, and how many tasks it raised; None where nothing was."""
    found = store.read(f"{_ASKED} LIMIT 1", {"project": project})
    if not found:
        return None
    detail = json.loads(found[0][0])
    return detail["asked"], len(detail["tasks"])


def undo_ask_next(store: Store, project: str, asked_id: str, actor: str) -> int:
    """Puts tasks back to the priority and the number of raters that they had; returns how many it changed.

    What was changed since then stays, and so does a further rater's place that somebody has taken.

    Raises:
        NotFoundError: there is nothing of that id to put back.
    """
    target = get_project(store, project)

    def put_back(transaction: Transaction) -> int:
        asked = [json.loads(row[0]) for row in transaction.run(_ASKED, {"project": project})]
        detail = next((detail for detail in asked if detail["asked"] == asked_id), None)
        if detail is None:
            raise NotFoundError(
                f"There is nothing '{asked_id}' to put back in '{project}'.", "It was put back already."
            )
        back: dict[str, list[int]] = {}
        for task, priority, overlap, _, held in transaction.run(_TASKS, {"project": target.id}):
            change = detail["tasks"].get(task)
            if change is not None:
                is_ours, is_free = priority == change["to"][0], overlap == change["to"][1] and held <= change["from"][1]
                wanted = [change["from"][0] if is_ours else priority, change["from"][1] if is_free else overlap]
                back |= {task: wanted} if wanted != [priority, overlap] else {}
        _change_tasks(transaction, back)
        record_event(transaction, actor, "undo_ask_next", project, {"asked": asked_id, "tasks": sorted(back)})
        return len(back)

    changed = store.write(put_back)
    store.checkpoint()
    return changed


def _find_top(tasks: Iterable[tuple[Any, ...]]) -> int:
    return max([0, *(int(priority) for priority, overlap, done, _ in tasks if done < overlap)])


def _change_tasks(transaction: Transaction, wanted: dict[str, list[int]]) -> None:
    """Sets priority and overlap of tasks, and makes the queue look anew."""
    alike: dict[tuple[int, int], list[str]] = {}
    for task, (priority, overlap) in wanted.items():
        alike.setdefault((priority, overlap), []).append(task)
    for (priority, overlap), tasks in alike.items():
        transaction.run(
            "UPDATE tasks SET priority = ?, overlap = ? WHERE id IN (SELECT unnest(?))", [priority, overlap, tasks]
        )
    memory = transaction.queue_memory
    transaction.afterwards += [memory.drop_windows, lambda: memory.full.difference_update(wanted)]
