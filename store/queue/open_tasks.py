"""Reads the next stretch of open tasks of an annotator: one scan of the queue, many claims."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pitchpipe.store.database import Parameters, Store
from pitchpipe.store.queue.gold import count_known
from pitchpipe.store.queue.queue_memory import OpenTask, Window
from pitchpipe.store.records import Project, TaskKind

SERVED_KINDS = tuple(kind.value for kind in TaskKind)
"""Kinds of task that the annotate page can show: all of them."""

_WINDOW_SIZE = 2_000
_SHORTEST_LIFE = timedelta(seconds=10)
_MOST_OF_THE_TIME = 100
"""A window lives at least so many times as long as it took to read, so that reading stays below one percent."""

# The latest row decides: a skip that was taken back no longer keeps the task away.
_OWN = """
SELECT task_id, arg_max(status, entry) AS status FROM judgements
WHERE project_id = $project AND annotator = $annotator AND source <> 'adjudication' GROUP BY task_id
"""

_READ_OPEN = f"""
WITH own AS ({_OWN}), held AS (
    SELECT task_id FROM assignments WHERE project_id = $project AND annotator = $annotator
), slots AS (
    SELECT task_id, count(*) FILTER (WHERE leased_until IS NULL OR leased_until > $now) AS taken,
           count(*) FILTER (WHERE leased_until <= $now) AS expired
    FROM assignments WHERE project_id = $project GROUP BY task_id
), open AS (
    SELECT t.id, t.priority, t.position, t.overlap, coalesce(slots.taken, 0) AS taken,
           coalesce(slots.expired, 0) AS expired, own.status
    FROM tasks AS t LEFT JOIN slots ON slots.task_id = t.id LEFT JOIN own ON own.task_id = t.id
    WHERE t.project_id = $project AND coalesce(slots.taken, 0) < t.overlap AND t.kind IN {SERVED_KINDS}
      AND t.purpose IS NULL AND (t.only_for IS NULL OR t.only_for = $annotator)
      AND (t.skill IS NULL OR list_contains($skills::VARCHAR[], t.skill))
      AND t.id NOT IN (SELECT task_id FROM held) AND coalesce(own.status, '') <> 'skipped'
), next AS (
    SELECT *, (SELECT count(*) FROM open) AS total FROM open ORDER BY priority DESC, position, id LIMIT {_WINDOW_SIZE}
)
SELECT next.id, t.candidate_ids, next.overlap, next.taken, next.expired, d.shown, d.body, next.status, t.kind,
       t.example_id, t.rubric, next.total
FROM next JOIN tasks AS t ON t.id = next.id
LEFT JOIN drafts AS d ON d.task_id = next.id AND d.annotator = $annotator
ORDER BY next.priority DESC, next.position, next.id
"""

_READ_STATE = "SELECT paused_reason IS NOT NULL, latest_skip FROM standings WHERE project_id = ? AND annotator = ?"

_READ_ASKED = "SELECT count(*) FROM asked_again WHERE project_id = ? AND annotator = ? AND reopened_at IS NULL"
_READ_LATEST = """
SELECT t.purpose FROM assignments AS a JOIN tasks AS t ON t.id = a.task_id
WHERE a.project_id = ? AND a.annotator = ? AND a.token <> 'import' ORDER BY a.claimed_at DESC, a.task_id LIMIT ?
"""

_COUNT_OWN = f"""
SELECT (SELECT count(*) FROM assignments
        WHERE project_id = $project AND annotator = $annotator AND leased_until IS NULL),
       (SELECT count(*) FROM ({_OWN}) WHERE status = 'skipped')
"""


def read_window(store: Store, project: Project, annotator: str, now: datetime) -> Window:
    """What the annotator can be served next, in the order of the queue, and the counts that go with it."""
    began = time.perf_counter()
    own = {"project": project.id, "annotator": annotator}
    paused, latest_skip = read_state(store.read, project.id, annotator)  # first, so that no skip is overlooked
    skills = store.read("SELECT skills FROM annotators WHERE name = ?", [annotator])
    values = {**own, "now": now, "skills": json.loads(skills[0][0] or "[]") if skills else []}
    rows = store.read(_READ_OPEN, values)
    done, skipped = store.read(_COUNT_OWN, own)[0]
    known_met, known_left, since_known, since_repeat = _read_special(store, project, annotator)
    took = timedelta(seconds=time.perf_counter() - began)
    return Window(
        read_at=now,
        lives=max(_SHORTEST_LIFE, _MOST_OF_THE_TIME * took),
        tasks=deque(OpenTask(*row[:-1]) for row in rows),
        open_left=rows[0][-1] if rows else 0,
        done=done,
        skipped=skipped,
        is_paused=paused,
        latest_skip=latest_skip,
        asked_again=store.read(_READ_ASKED, [project.id, annotator])[0][0],
        known_met=known_met,
        known_left=known_left,
        since_known=since_known,
        since_repeat=since_repeat,
    )


def _read_special(store: Store, project: Project, annotator: str) -> tuple[int, int, int, int]:
    """Known answers met and left, and ordinary tasks since the last of them and since the last repeat."""
    rules = project.rules
    met, left = (0, 0)
    if rules.gold_every or rules.calibration_tasks:
        met, left = count_known(store.read, project.id, annotator)
    most = rules.gold_every + rules.repeat_every
    if not most:
        return met, left, 0, 0
    latest = [row[0] for row in store.read(_READ_LATEST, [project.id, annotator, 2 * most + 2])]
    return met, left, _count_ordinary(latest, "gold"), _count_ordinary(latest, "repeat")


def _count_ordinary(latest: list[str | None], purpose: str) -> int:
    """Ordinary tasks before the first of that purpose.

    >>> _count_ordinary([None, "repeat", None, "gold", None], "gold")
    2
    """
    return sum(found is None for found in itertools.takewhile(lambda found: found != purpose, latest))


def read_state(
    run: Callable[[str, Parameters], list[tuple[Any, ...]]], project_id: str, annotator: str
) -> tuple[bool, str | None]:
    """Whether no tasks are handed out to the annotator, and their latest skip where several studios share the tables.

    `run` is a store's `read` or a transaction's `run`.
    """
    found = run(_READ_STATE, [project_id, annotator])
    return (bool(found[0][0]), found[0][1]) if found else (False, None)
