"""What is handed out between ordinary tasks, looking just like them: tasks with a known answer, and repeats."""

from __future__ import annotations

import json
from datetime import datetime

from pitchpipe.store.database import Transaction
from pitchpipe.store.identity import content_id
from pitchpipe.store.judging.judgement_rows import insert_row
from pitchpipe.store.queue.gold import HAS_SKILL
from pitchpipe.store.queue.leases import EVERYBODY, Lease, shuffle, take_slot
from pitchpipe.store.queue.queue_memory import Window
from pitchpipe.store.records import Project, QueueRules

_NEXT_KNOWN = f"""
SELECT t.id, t.candidate_ids FROM tasks AS t
WHERE t.project_id = $project AND t.purpose = 'gold'
  AND {HAS_SKILL}
  AND t.id NOT IN (SELECT task_id FROM assignments WHERE project_id = $project AND annotator = $annotator)
  AND t.id NOT IN (SELECT task_id FROM judgements
                   WHERE project_id = $project AND annotator = $annotator AND source <> 'adjudication'
                   GROUP BY task_id HAVING arg_max(status, entry) = 'skipped')
ORDER BY t.priority DESC, t.position, t.id LIMIT 1
"""

# The oldest of the annotator's own that was not repeated yet. Reviews have a protocol of their own.
_NEXT_REPEAT = """
WITH latest AS (
    SELECT task_id, status, shown, entry FROM judgements
    WHERE project_id = $project AND annotator = $annotator AND source NOT IN ('adjudication', 'import')
    QUALIFY row_number() OVER (PARTITION BY task_id ORDER BY entry DESC) = 1
)
SELECT t.id, t.example_id, t.kind, t.candidate_ids, t.priority, t.position, t.rubric, latest.shown
FROM latest JOIN tasks AS t ON t.id = latest.task_id
WHERE latest.status = 'submitted' AND t.purpose IS NULL AND t.batch = ''
  AND t.id NOT IN (SELECT repeat_of FROM tasks WHERE project_id = $project AND only_for = $annotator
                   AND repeat_of IS NOT NULL)
ORDER BY latest.entry LIMIT 1
"""

_COUNT_REPEATS = "SELECT count(*) FROM tasks WHERE project_id = ? AND only_for = ? AND purpose = 'repeat'"


def take_special(
    transaction: Transaction, project: Project, annotator: str, now: datetime, window: Window
) -> str | None:
    """The id of the known answer or the repeat that is due for the annotator, leased to them; None when none is due."""
    if _is_known_due(project.rules, window):
        found = transaction.run(_NEXT_KNOWN, {"project": project.id, "annotator": annotator})
        if found:
            task_id, candidate_ids = found[0]
            lease = Lease(str(task_id), project, annotator, now)
            take_slot(transaction, lease, EVERYBODY, shuffle(json.loads(candidate_ids)))
            window.known_met, window.known_left, window.since_known = window.known_met + 1, window.known_left - 1, 0
            return str(task_id)
        window.known_left = 0
    if project.rules.repeat_every and window.since_repeat >= project.rules.repeat_every:
        window.since_repeat = 0
        return _take_repeat(transaction, project, annotator, now)
    return None


def count_special(rules: QueueRules, window: Window) -> int:
    """About how many known answers and repeats the annotator will still meet, so that progress never jumps at one."""
    known = max(0, rules.calibration_tasks - window.known_met)
    if rules.gold_every:
        known += (window.open_left + window.since_known) // rules.gold_every
    repeats = (window.open_left + window.since_repeat) // rules.repeat_every if rules.repeat_every else 0
    return min(window.known_left, known) + repeats


def _is_known_due(rules: QueueRules, window: Window) -> bool:
    if window.known_left <= 0:
        return False
    is_due = rules.gold_every > 0 and window.since_known >= rules.gold_every
    return is_due or window.known_met < rules.calibration_tasks


def _take_repeat(transaction: Transaction, project: Project, annotator: str, now: datetime) -> str | None:
    own = {"project": project.id, "annotator": annotator}
    found = transaction.run(_NEXT_REPEAT, own)
    if not found:
        return None
    repeat_of, example_id, kind, candidate_ids, priority, position, rubric, shown = found[0]
    row = {
        "id": content_id("task", ["repeat", repeat_of, annotator]), "project_id": project.id, "example_id": example_id,
        "kind": kind, "candidate_ids": candidate_ids, "overlap": 1, "priority": priority, "batch": "",
        "position": position, "created_at": now, "rubric": rubric, "purpose": "repeat", "repeat_of": repeat_of,
        "only_for": annotator,
    }  # fmt: skip
    is_swapped = transaction.run(_COUNT_REPEATS, [project.id, annotator])[0][0] % 2 == 1
    insert_row(transaction, "tasks", row)
    transaction.journal({"task": row})
    order = json.loads(shown)
    take_slot(transaction, Lease(row["id"], project, annotator, now), 1, order[::-1] if is_swapped else order)
    return str(row["id"])
