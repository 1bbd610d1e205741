"""Tasks whose answer is known: they measure annotators. Everybody gets them, and they look like any other.

Their judgements stay out of consensus and datasets. What counts as right is in `is_right`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pitchpipe.store.database import Parameters, Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.judging.judgement_values import to_screen_value, to_stored_value
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import GoldFeedback, QueueRules, TaskKind

Run = Callable[[str, Parameters], list[tuple[Any, ...]]]
"""A store's `read` or a transaction's `run`."""

_UPSERT_GOLD = """
INSERT INTO gold_answers (task_id, project_id, value, explanation, actor, created_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET value = excluded.value, explanation = excluded.explanation, actor = excluded.actor,
created_at = excluded.created_at
"""

_LIST_GOLD = """
SELECT g.task_id, t.kind, g.value, g.explanation, g.actor, g.created_at,
       (SELECT count(*) FROM assignments AS a WHERE a.task_id = g.task_id AND a.leased_until IS NULL)
FROM gold_answers AS g JOIN tasks AS t ON t.id = g.task_id WHERE g.project_id = ? ORDER BY g.created_at, g.task_id
"""

# Where feedback tells the answer, only the first try can measure; else the latest, since a correction is honest.
_READ_RESULTS = """
WITH own AS (
    SELECT task_id, kind, value, entry, status, row_number() OVER (PARTITION BY task_id ORDER BY entry DESC) AS age
    FROM judgements
    WHERE project_id = $project AND annotator = $annotator AND source NOT IN ('adjudication', 'import')
      AND task_id IN (SELECT task_id FROM gold_answers WHERE project_id = $project)
      AND ($since::TIMESTAMP IS NULL OR created_at >= $since)
)
SELECT own.kind, own.value, g.value FROM own JOIN gold_answers AS g ON g.task_id = own.task_id
WHERE own.status = 'submitted' AND ($is_first OR own.age = 1)
QUALIFY row_number() OVER (PARTITION BY own.task_id ORDER BY own.entry) = 1
ORDER BY own.entry
"""

HAS_SKILL = """(t.skill IS NULL OR t.skill IN (
    SELECT unnest(from_json(skills, '["VARCHAR"]')) FROM annotators WHERE name = $annotator AND skills IS NOT NULL))"""
"""Whether the annotator has the skill that a task asks for."""

_COUNT_KNOWN = f"""
SELECT count(*) FILTER (WHERE is_met), count(*) FILTER (WHERE NOT is_met AND NOT is_skipped AND is_skilled) FROM (
SELECT a.task_id IS NOT NULL AS is_met, coalesce(j.status, '') = 'skipped' AS is_skipped, {HAS_SKILL} AS is_skilled
FROM tasks AS t
LEFT JOIN assignments AS a ON a.task_id = t.id AND a.annotator = $annotator
LEFT JOIN (SELECT task_id, arg_max(status, entry) AS status FROM judgements
           WHERE project_id = $project AND annotator = $annotator AND source <> 'adjudication'
           GROUP BY task_id) AS j ON j.task_id = t.id
WHERE t.project_id = $project AND t.purpose = 'gold')
"""


def is_right(kind: TaskKind, value: dict[str, Any], known: dict[str, Any]) -> bool:
    """Whether an answer counts as the known one, both in stored terms.

    compare: the same verdict, whatever the strength. rate and turns: within 1 on every question that the known answer
    has; options, words, and 0 against 1 (which may be yes/no) exactly. tag: the
    same set. rank: the same order, ties included. screen: every part of the known answer by its own rule. Else: equal.

    >>> is_right(TaskKind.COMPARE, {"verdict": "a", "strength": -3}, {"verdict": "a", "strength": -1})
    True
    >>> is_right(TaskKind.RATE, {"helpfulness": 3}, {"helpfulness": 5})
    False
    """
    if kind is TaskKind.COMPARE:
        return bool(value.get("verdict") == known.get("verdict"))
    if kind is TaskKind.RATE:
        return all(_is_near(value.get(question), score) for question, score in known.items())
    if kind is TaskKind.TURNS:
        given = value.get("turns", {})
        return all(is_right(TaskKind.RATE, given.get(turn, {}), scores) for turn, scores in known["turns"].items())
    if kind is TaskKind.TAG:
        return set(value.get("labels", [])) == set(known.get("labels", []))
    if kind is TaskKind.RANK:
        return _order(value.get("ranks", [])) == _order(known.get("ranks", []))
    if kind is TaskKind.SCREEN:
        return all(_is_part_right(part, value.get(part), wanted) for part, wanted in known.items())
    return value == known


def set_gold(
    store: Store, project: str, task_id: str, value: dict[str, Any], explanation: str = "", actor: str = "local"
) -> None:
    """Makes a task one with a known answer, in stored terms (the order of its candidates), or changes the answer.

    Raises:
        NotFoundError: the project has no such task.
        UsageError: the value does not fit the task's kind, or the task repeats another or belongs to a blind review.
    """
    target = get_project(store, project)
    rows = store.read(
        "SELECT kind, candidate_ids, purpose, batch FROM tasks WHERE id = ? AND project_id = ?", [task_id, target.id]
    )
    if not rows:
        raise NotFoundError(f"The project '{project}' has no task '{task_id}'.", "Look up the ids in an export.")
    kind, candidate_ids, purpose, batch = rows[0]
    if purpose == "repeat":
        raise UsageError(f"The task '{task_id}' repeats another one.", "Choose the task that it repeats.")
    if batch:
        raise UsageError(
            f"The task '{task_id}' belongs to the blind review '{batch}', which is sealed.",
            "Choose a task of ordinary work.",
        )
    stored = check_stored_value(TaskKind(kind), value, json.loads(candidate_ids))

    def upsert_gold(transaction: Transaction) -> None:
        transaction.run(_UPSERT_GOLD, [task_id, target.id, canonical_json(stored), explanation, actor, utc_now()])
        transaction.run("UPDATE tasks SET purpose = 'gold' WHERE id = ?", [task_id])
        record_event(transaction, actor, "set_gold", task_id, {"value": stored})
        transaction.afterwards.append(lambda: store.queue_memory.drop_windows(target.id))

    store.write(upsert_gold)


def list_gold(store: Store, project: str) -> list[dict[str, Any]]:
    """The tasks with known answers: task_id, kind, value (stored terms), explanation, actor, created_at, judgements."""
    names = ("task_id", "kind", "value", "explanation", "actor", "created_at", "judgements")
    rows = [dict(zip(names, row, strict=True)) for row in store.read(_LIST_GOLD, [get_project(store, project).id])]
    return [{**row, "value": json.loads(row["value"])} for row in rows]


def read_feedback(store: Store, task_id: str, annotator: str) -> GoldFeedback | None:
    """The known answer and whether the annotator's was right, in screen terms; None before they have submitted it."""
    rows = store.read(
        "SELECT j.kind, j.value, j.shown, g.value, g.explanation, t.candidate_ids FROM judgements AS j "
        "JOIN gold_answers AS g ON g.task_id = j.task_id JOIN tasks AS t ON t.id = j.task_id "
        "WHERE j.task_id = ? AND j.annotator = ? AND j.status = 'submitted' AND j.source = 'studio' "
        "ORDER BY j.entry DESC LIMIT 1",
        [task_id, annotator],
    )
    if not rows:
        return None
    kind, value, shown, known, explanation, candidate_ids = rows[0]
    answer = to_screen_value(TaskKind(kind), json.loads(known), json.loads(candidate_ids), json.loads(shown))
    return GoldFeedback(is_right(TaskKind(kind), json.loads(value), json.loads(known)), answer, explanation)


def read_results(
    run: Run, project_id: str, annotator: str, rules: QueueRules, since: datetime | None = None
) -> list[bool]:
    """Whether each of the annotator's judgements of known answers was right, in the order judged."""
    values = {"project": project_id, "annotator": annotator, "since": since, "is_first": rules.gold_feedback}
    return [is_right(TaskKind(kind), json.loads(v), json.loads(known)) for kind, v, known in run(_READ_RESULTS, values)]


def count_known(run: Run, project_id: str, annotator: str) -> tuple[int, int]:
    """Tasks with a known answer that the annotator has met, and that they are still to meet, having the skill."""
    met, left = run(_COUNT_KNOWN, {"project": project_id, "annotator": annotator})[0]
    return int(met), int(left)


def check_stored_value(kind: TaskKind, value: dict[str, Any], candidate_ids: list[str]) -> dict[str, Any]:
    """A value in stored terms, checked by the kind's own rules.

    Raises:
        UsageError: it does not fit the kind.
    """
    try:
        on_screen = to_screen_value(kind, value, candidate_ids, candidate_ids)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(
            f"The value {value!r} does not fit a task of the kind '{kind}'.",
            'Write it as judgements are stored, such as {"verdict": "a", "strength": -2} or {"helpfulness": 4}.',
        ) from error
    return to_stored_value(kind, on_screen, candidate_ids, candidate_ids)


def _is_near(given: Any, known: Any) -> bool:
    if type(given) is int and type(known) is int and max(given, known) > 1:
        return abs(given - known) <= 1
    return bool(given == known)


def _order(ranks: list[int]) -> list[int]:
    places = sorted(set(ranks))
    return [places.index(rank) for rank in ranks]


def _is_part_right(part: str, given: Any, known: Any) -> bool:
    if given is None:
        return False
    if part == "rate":
        return len(given) == len(known) and all(
            is_right(TaskKind.RATE, one, wanted) for one, wanted in zip(given, known, strict=True)
        )
    return is_right(TaskKind(part), given, known)
