"""What a judgement sets off by the rules of its project's queue, decided in its own transaction.

Adaptive overlap: a task is complete at the project's overlap when all its raters agree; where they do not, it gets one
more rater at a time until a majority of them agrees or there are `most_raters`. (HelpSteer2, arXiv:2406.08673, section
2: two more raters where helpfulness differs by more than 2, and then the three closest.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.database import Store, Transaction
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.gold import read_results
from pitchpipe.store.queue.standing import note_skip, pause_in
from pitchpipe.store.records import JudgementStatus, QueueRules

_LEAST_GOLD = 5
"""Known answers judged before anybody is paused for them."""

_READ_TASK = """
SELECT t.purpose, t.overlap, p.overlap FROM tasks AS t JOIN projects AS p ON p.id = t.project_id WHERE t.id = ?
"""
_READ_VALUES = """
SELECT value FROM (
    SELECT value, status FROM judgements WHERE task_id = ? AND source <> 'adjudication'
    QUALIFY row_number() OVER (PARTITION BY annotator ORDER BY entry DESC) = 1
) WHERE status = 'submitted'
"""
_READ_SINCE = "SELECT gold_since, paused_reason FROM standings WHERE project_id = ? AND annotator = ?"

_COUNT_COST = """
WITH slots AS (
    SELECT task_id, count(*) AS taken, bool_or(token = 'import') AS is_imported FROM assignments
    WHERE project_id = $project AND leased_until IS NULL GROUP BY task_id
), ordinary AS (
    -- What came judged has as many slots as raters; that says nothing about disagreement.
    SELECT t.overlap, coalesce(s.taken, 0) AS taken,
           coalesce(s.taken, 0) >= $overlap AND NOT coalesce(s.is_imported, FALSE) AS is_decided
    FROM tasks AS t LEFT JOIN slots AS s ON s.task_id = t.id
    WHERE t.project_id = $project AND t.purpose IS NULL
)
SELECT coalesce(sum(greatest(overlap - taken, 0)), 0), count(*) FILTER (WHERE taken < $overlap),
       count(*) FILTER (WHERE is_decided), count(*) FILTER (WHERE is_decided AND overlap > $overlap)
FROM ordinary
"""


@dataclass(frozen=True, slots=True)
class CostLeft:
    """Judgements that a project still asks for."""

    slots_left: int
    """Of the tasks as they stand."""
    disagreement: float | None
    """Share of the tasks judged at the project's overlap that got more raters; None before the first."""
    expected_extra: float
    """More raters to be expected for tasks not yet judged, if disagreement goes on as it was."""


def apply_rules(transaction: Transaction, row: dict[str, Any], rules: QueueRules) -> None:
    """Widens the task of a judgement just recorded, or pauses its annotator, where the rules say so."""
    if row["status"] == JudgementStatus.SKIPPED and transaction.queue_memory.is_shared:
        note_skip(transaction, row)
    if row["status"] != JudgementStatus.SUBMITTED or not (rules.most_raters or rules.gold_least_accuracy):
        return
    if transaction.queue_memory.is_shared:  # of two processes, the second sees what the first has recorded
        transaction.run("UPDATE tasks SET overlap = overlap WHERE id = ?", [row["task_id"]])
    purpose, overlap, base = transaction.run(_READ_TASK, [row["task_id"]])[0]
    if purpose is None and base <= overlap < rules.most_raters:
        _widen_if_divided(transaction, row, rules, overlap, base)
    if purpose == "gold" and rules.gold_least_accuracy:
        _pause_if_poor(transaction, row, rules)


def estimate_cost_left(store: Store, project: str) -> CostLeft:
    """The judgements that are still asked for, and how many more adaptive overlap may add.

    A task not yet judged at the project's overlap is expected to get 1 more rater with the share p of tasks that
    disagreed so far, another with p squared, and so on up to `most_raters`.
    """
    target = get_project(store, project)
    slots, undecided, decided, widened = store.read(_COUNT_COST, {"project": target.id, "overlap": target.overlap})[0]
    if not target.rules.most_raters or not decided:
        return CostLeft(int(slots), widened / decided if decided else None, 0.0)
    share = widened / decided
    steps = max(0, target.rules.most_raters - target.overlap)
    return CostLeft(int(slots), share, undecided * sum(share**step for step in range(1, steps + 1)))


def do_agree(kind: str, values: Sequence[dict[str, Any]], widest_spread: int, how_many: int) -> bool:
    """Whether so many of the raters agree: ratings of every question, or strengths of one side, within the spread.

    A tie goes with either side at strength 0; both_bad agrees with itself alone; who cannot judge says nothing. A
    screen's comparison and ratings both count. Kinds without ratings or sides always agree.

    >>> do_agree("rate", [{"q": 1}, {"q": 4}], 2, 2), do_agree("rate", [{"q": 1}, {"q": 4}, {"q": 3}], 2, 2)
    (False, True)
    """
    if kind == "screen":
        compared = [value["compare"] for value in values if value.get("compare")]
        rated = [_flatten(value["rate"]) for value in values if value.get("rate")]
        return do_agree("compare", compared, widest_spread, min(how_many, len(compared))) and do_agree(
            "rate", rated, widest_spread, min(how_many, len(rated))
        )
    if kind == "rate":
        questions = {question for value in values for question in value}
        columns = [[v[question] for v in values if type(v.get(question)) is int] for question in questions]
        return all(_are_close(column, widest_spread, min(how_many, len(column))) for column in columns)
    if kind != "compare":
        return True
    heard = [value for value in values if value.get("verdict") != "cannot_judge"]
    sides = [[_read_strength(value) for value in heard if value["verdict"] in (side, "tie")] for side in ("a", "b")]
    sides.append([0 for value in heard if value["verdict"] == "both_bad"])
    return any(_are_close(side, widest_spread, min(how_many, len(heard))) for side in sides)


def _widen_if_divided(
    transaction: Transaction, row: dict[str, Any], rules: QueueRules, overlap: int, base: int
) -> None:
    values = [json.loads(found[0]) for found in transaction.run(_READ_VALUES, [row["task_id"]])]
    if len(values) < overlap:
        return
    how_many = len(values) if len(values) <= base else len(values) // 2 + 1
    if not do_agree(str(row["kind"]), values, rules.widest_spread, how_many):
        transaction.run("UPDATE tasks SET overlap = ? WHERE id = ?", [overlap + 1, row["task_id"]])
        transaction.journal({"caused_by": row["id"], "widened": row["task_id"], "overlap": overlap + 1})
        transaction.afterwards.append(lambda: transaction.queue_memory.full.discard(row["task_id"]))


def _pause_if_poor(transaction: Transaction, row: dict[str, Any], rules: QueueRules) -> None:
    standing = transaction.run(_READ_SINCE, [row["project_id"], row["annotator"]])
    since, reason = standing[0] if standing else (None, None)
    results = read_results(transaction.run, row["project_id"], row["annotator"], rules, since)
    if reason is None and len(results) >= _LEAST_GOLD and sum(results) < rules.gold_least_accuracy * len(results):
        reason = (
            f"{sum(results)} of your {len(results)} answers to tasks with a known answer were right; "
            f"{rules.gold_least_accuracy:.0%} are asked for here. A lead will look at them with you."
        )
        pause_in(transaction, row["project_id"], row["annotator"], reason, "queue", row["created_at"])
        pause = {key: row[key] for key in ("project_id", "annotator")}
        pause |= {"paused_reason": reason, "paused_at": row["created_at"]}
        transaction.journal({"caused_by": row["id"], "pause": pause})


def _are_close(numbers: Sequence[int], widest: int, how_many: int) -> bool:
    if how_many < 1:
        return True
    ordered = sorted(numbers)
    return any(high - low <= widest for low, high in zip(ordered, ordered[how_many - 1 :], strict=False))


def _read_strength(value: dict[str, Any]) -> int:
    return value.get("strength") or 0


def _flatten(rates: list[dict[str, Any]]) -> dict[str, Any]:
    """The ratings of several answers as those of one.

    >>> _flatten([{"tone": 1}, {"tone": 3}])
    {'0.tone': 1, '1.tone': 3}
    """
    return {f"{place}.{question}": score for place, one in enumerate(rates) for question, score in one.items()}
