"""Every judgement of a project as it was made, in pieces: what raw exports and other people's analyses start from."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
from pitchpipe.store.reviewing import list_open_reviews

PIECE = 20_000
"""Judgements in a piece."""
JSON_COLUMNS = ("value", "shown", "detail")
"""Columns that hold JSON text."""

_LATEST = """
SELECT max(entry) AS entry FROM judgements WHERE project_id = $project
GROUP BY task_id, annotator, source = 'adjudication'
"""
_PIECE = f"""
SELECT j.id, j.entry, j.created_at, j.task_id, j.example_id, j.kind, t.purpose, t.batch, j.annotator AS rater, j.source,
       j.status, j.value, j.reason, j.seconds, j.shown, j.rubric_hash, j.guideline_hash, j.supersedes, j.detail
FROM judgements AS j LEFT JOIN tasks AS t ON t.id = j.task_id
WHERE j.project_id = $project AND j.entry <= $until AND NOT list_contains($blind::VARCHAR[], coalesce(t.batch, ''))
  AND (j.entry > $entry OR (j.entry = $entry AND j.id > $id))
ORDER BY j.entry, j.id LIMIT {PIECE}
"""


_HELD_BACK = """
SELECT count(*) FROM judgements AS j JOIN tasks AS t ON t.id = j.task_id
WHERE j.project_id = $project AND list_contains($blind::VARCHAR[], t.batch)
"""


def count_held_back(store: Store, project: str) -> int:
    """Judgements of open reviews, which no export holds before their review is closed."""
    values = {"project": get_project(store, project).id, "blind": list_open_reviews(store, project)}
    return int(store.read(_HELD_BACK, values)[0][0])


def read_judgements(store: Store, project: str) -> Iterator[pl.DataFrame]:
    """All rows, skips and retractions too, in the order of entry; what is added meanwhile is left out.

    Judgements of a review that has open tasks are held back: with the answers' models, which other commands tell, they
    would show who leads while people still judge blind.

    Each piece has the columns id, entry, created_at (ISO, UTC), task_id, example_id, kind, purpose (gold, repeat or
    null), batch, rater, source, status, value, reason, seconds, shown, rubric_hash, guideline_hash, supersedes, detail,
    is_superseded (a later row of the same rater on the same task stands in its place; adjudications are apart).
    Of a project without judgements there is one piece without rows.
    """
    values = {"project": get_project(store, project).id}
    latest = store.read_frame(_LATEST, values)
    last = latest["entry"].max()
    blind = list_open_reviews(store, project)
    place = {"entry": "", "id": "", "until": last if isinstance(last, str) else "", "blind": blind}
    while True:
        piece = store.read_frame(_PIECE, {**values, **place})
        if piece.is_empty() and place["id"]:
            return
        yield piece.with_columns(
            pl.col("created_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
            is_superseded=~pl.col("entry").is_in(latest["entry"].implode()),
        )
        if piece.height < PIECE:
            return
        place["entry"], place["id"] = piece["entry"][-1], piece["id"][-1]
