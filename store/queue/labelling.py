"""Labelling: the texts that still wait for a label, for whatever proposes one."""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.projects import get_project

# A known answer and a repeat measure their rater, so nothing is proposed for them.
_OPEN_TEXTS = """
WITH slots AS (
    SELECT task_id, count(*) FILTER (WHERE leased_until IS NULL OR leased_until > $now) AS taken
    FROM assignments WHERE project_id = $project GROUP BY task_id
)
SELECT t.id, t.rubric, t.candidate_ids, e.messages FROM tasks AS t JOIN examples AS e ON e.id = t.example_id
LEFT JOIN slots ON slots.task_id = t.id
WHERE t.project_id = $project AND t.kind = 'tag' AND t.purpose IS NULL AND coalesce(slots.taken, 0) < t.overlap
ORDER BY t.id
"""
_ANSWERS = "SELECT id, text FROM candidates WHERE id IN (SELECT unnest(?))"


def list_open_texts(store: Store, project: str) -> list[dict[str, Any]]:
    """The tag tasks of a project that still ask for somebody, in order of id: task_id, rubric, messages, answer.

    `messages` is JSON as examples have it; `answer` is the one that is labelled, None where the request is.
    """
    rows = store.read(_OPEN_TEXTS, {"project": get_project(store, project).id, "now": utc_now()})
    labelled = {row[0]: json.loads(row[2]) for row in rows}
    wanted = [ids[0] for ids in labelled.values() if len(ids) == 1]
    answers = dict(store.read(_ANSWERS, [wanted])) if wanted else {}
    found = []
    for task_id, rubric, _, messages in rows:
        ids = labelled[task_id]
        answer = answers[ids[0]] if len(ids) == 1 else None
        found.append({"task_id": task_id, "rubric": rubric, "messages": messages, "answer": answer})
    return found
