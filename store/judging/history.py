"""An annotator's own history in a project: what they judged, newest first, to look through and to reopen."""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.judgement_values import to_screen_value
from pitchpipe.store.judging.taking_back import OWN_SOURCES
from pitchpipe.store.projects import get_project
from pitchpipe.store.records import HistoryEntry, JudgementStatus, TaskKind

_LONGEST_REQUEST = 300

# The conversation ends with the request; an adjudication is a curator's work and stands in no one's history.
_READ_HISTORY = f"""
WITH latest AS (
    SELECT task_id, kind, status, created_at, value, reason, seconds, shown, example_id, entry FROM judgements
    WHERE project_id = $project AND annotator = $annotator AND source IN {OWN_SOURCES}
    QUALIFY row_number() OVER (PARTITION BY task_id ORDER BY entry DESC) = 1
), described AS (
    SELECT l.*, coalesce(json_extract_string(e.messages, '$[#-1].content'), '') AS request, t.candidate_ids
    FROM latest AS l JOIN examples AS e ON e.id = l.example_id JOIN tasks AS t ON t.id = l.task_id
    WHERE ($status IS NULL OR l.status = $status) AND ($kind IS NULL OR l.kind = $kind)
)
SELECT d.task_id, d.kind, d.status, d.created_at, d.request, d.value, d.reason, d.seconds, d.shown, d.candidate_ids,
       EXISTS (SELECT 1 FROM flags AS f
               WHERE f.task_id = d.task_id AND f.annotator = $annotator AND f.closed_at IS NULL)
FROM described AS d
WHERE $words = '' OR contains(lower(d.request), $words) OR contains(lower(d.reason), $words)
ORDER BY d.entry DESC LIMIT $limit OFFSET $offset
"""


def list_history(
    store: Store,
    project: str,
    annotator: str,
    *,
    status: JudgementStatus | None = None,
    kind: TaskKind | None = None,
    words: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[HistoryEntry]:
    """The annotator's tasks as their latest judgements left them, the latest first.

    Args:
        words: kept are those with these words in the request or in the reason, whatever their case.
        limit: 1 to 1000.

    Raises:
        UsageError: limit or offset is out of range.
    """
    if not 1 <= limit <= 1000 or offset < 0:
        raise UsageError(f"limit is {limit} and offset is {offset}.", "Use 1 to 1000, and 0 or more.")
    values = {
        "project": get_project(store, project).id, "annotator": annotator, "status": status and str(status),
        "kind": kind and str(kind), "words": words.strip().lower(), "limit": limit, "offset": offset,
    }  # fmt: skip
    return [_describe(row) for row in store.read(_READ_HISTORY, values)]


def _describe(row: tuple[Any, ...]) -> HistoryEntry:
    task_id, kind, status, created_at, request, value, reason, seconds, shown, candidate_ids, has_flag = row
    stored = json.loads(value)
    return HistoryEntry(
        task_id=task_id,
        kind=TaskKind(kind),
        status=JudgementStatus(status),
        created_at=created_at,
        request=request[:_LONGEST_REQUEST],
        # A skip and a judgement that was taken back hold no value.
        value=to_screen_value(TaskKind(kind), stored, json.loads(candidate_ids), json.loads(shown)) if stored else {},
        reason=reason,
        seconds=seconds,
        has_open_flag=has_flag,
    )
