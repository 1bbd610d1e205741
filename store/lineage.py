"""Lineage, both ways: annotator -> judgement -> row -> snapshot -> run -> candidate -> task -> judgement.

Each step is one query over all ids of a kind at once; the walk follows the steps until nothing new is found.
"""

from __future__ import annotations

from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError

LISTED_IDS = 20

_IN_JUDGEMENTS = "list_has_any(from_json(judgement_ids, '[\"VARCHAR\"]'), $ids)"
_IN_CANDIDATES = "list_has_any(from_json(candidate_ids, '[\"VARCHAR\"]'), $ids)"
# What was written stays with the judgement that it came with first; a redo and an adjudication name that one.
_WITH_ROOTS = (
    "(SELECT unnest($ids) UNION ALL "
    "SELECT json_extract_string(detail, '$.same_as') FROM judgements WHERE id IN (SELECT unnest($ids)))"
)

# (from, to) -> the ids of kind `to` that follow from the ids of kind `from`.
_DOWN = {
    ("annotator", "judgement"): "SELECT id FROM judgements WHERE annotator IN (SELECT unnest($ids))",
    ("import", "example"): "SELECT id FROM examples WHERE import_id IN (SELECT unnest($ids))",
    ("import", "judgement"): "SELECT id FROM judgements WHERE source IN (SELECT unnest($ids))",
    ("example", "candidate"): "SELECT id FROM candidates WHERE example_id IN (SELECT unnest($ids))",
    ("example", "task"): "SELECT id FROM tasks WHERE example_id IN (SELECT unnest($ids))",
    ("candidate", "task"): f"SELECT id FROM tasks WHERE {_IN_CANDIDATES}",
    ("candidate", "row"): f"SELECT DISTINCT row_id FROM snapshot_rows WHERE {_IN_CANDIDATES}",
    ("task", "judgement"): "SELECT id FROM judgements WHERE task_id IN (SELECT unnest($ids))",
    ("judgement", "example"): f"SELECT id FROM examples WHERE import_id IN {_WITH_ROOTS}",
    ("judgement", "candidate"): f"SELECT id FROM candidates WHERE judgement_id IN {_WITH_ROOTS}",
    ("judgement", "row"): f"SELECT DISTINCT row_id FROM snapshot_rows WHERE {_IN_JUDGEMENTS}",
    ("row", "snapshot"): "SELECT DISTINCT snapshot_id FROM snapshot_rows WHERE row_id IN (SELECT unnest($ids))",
    ("row", "run"): "SELECT DISTINCT run_id FROM run_rows WHERE row_id IN (SELECT unnest($ids))",
    ("run", "run"): "SELECT id FROM runs WHERE parent_run_id IN (SELECT unnest($ids))",
    ("run", "candidate"): "SELECT id FROM candidates WHERE run_id IN (SELECT unnest($ids))",
}

_UP = {
    ("judgement", "annotator"): "SELECT DISTINCT annotator FROM judgements WHERE id IN (SELECT unnest($ids))",
    ("judgement", "import"): (
        "SELECT DISTINCT j.source FROM judgements AS j JOIN imports AS i ON i.id = j.source "
        "WHERE j.id IN (SELECT unnest($ids))"
    ),
    ("judgement", "task"): "SELECT DISTINCT task_id FROM judgements WHERE id IN (SELECT unnest($ids))",
    ("task", "example"): "SELECT DISTINCT example_id FROM tasks WHERE id IN (SELECT unnest($ids))",
    ("task", "candidate"): (
        "SELECT DISTINCT unnest(from_json(candidate_ids, '[\"VARCHAR\"]')) FROM tasks WHERE id IN (SELECT unnest($ids))"
    ),
    ("candidate", "example"): "SELECT DISTINCT example_id FROM candidates WHERE id IN (SELECT unnest($ids))",
    ("candidate", "run"): (
        "SELECT DISTINCT run_id FROM candidates WHERE run_id IS NOT NULL AND id IN (SELECT unnest($ids))"
    ),
    ("candidate", "judgement"): (
        "SELECT DISTINCT judgement_id FROM candidates WHERE judgement_id IS NOT NULL AND id IN (SELECT unnest($ids))"
    ),
    # An example that an annotator wrote bears the id of its judgement in the place of an import's.
    ("example", "import"): (
        "SELECT DISTINCT e.import_id FROM examples AS e JOIN imports AS i ON i.id = e.import_id "
        "WHERE e.id IN (SELECT unnest($ids))"
    ),
    ("example", "judgement"): (
        "SELECT DISTINCT e.import_id FROM examples AS e JOIN judgements AS j ON j.id = e.import_id "
        "WHERE e.id IN (SELECT unnest($ids))"
    ),
    ("row", "candidate"): (
        "SELECT DISTINCT unnest(from_json(candidate_ids, '[\"VARCHAR\"]')) FROM snapshot_rows "
        "WHERE row_id IN (SELECT unnest($ids))"
    ),
    ("row", "judgement"): (
        "SELECT DISTINCT unnest(from_json(judgement_ids, '[\"VARCHAR\"]')) FROM snapshot_rows "
        "WHERE row_id IN (SELECT unnest($ids))"
    ),
    ("row", "example"): "SELECT DISTINCT example_id FROM snapshot_rows WHERE row_id IN (SELECT unnest($ids))",
    ("run", "snapshot"): (
        "SELECT DISTINCT snapshot_id FROM runs WHERE snapshot_id IS NOT NULL AND id IN (SELECT unnest($ids))"
    ),
    ("run", "run"): (
        "SELECT DISTINCT parent_run_id FROM runs WHERE parent_run_id IS NOT NULL AND id IN (SELECT unnest($ids))"
    ),
    ("run", "row"): "SELECT DISTINCT row_id FROM run_rows WHERE run_id IN (SELECT unnest($ids))",
}

# A snapshot's or a run's whole round is below it; what is below a snapshot is the runs made of it.
# Only from the snapshot itself: a run was made from the rows it learned, not from all of its snapshot.
_UP_FROM_SNAPSHOT = {
    ("snapshot", "row"): "SELECT DISTINCT row_id FROM snapshot_rows WHERE snapshot_id IN (SELECT unnest($ids))"
}
_DOWN_FROM_SNAPSHOT = {("snapshot", "run"): "SELECT id FROM runs WHERE snapshot_id IN (SELECT unnest($ids))"}

_HOMES = {
    "annotator": "SELECT DISTINCT annotator FROM judgements WHERE annotator = $id",
    "import": "SELECT id FROM imports WHERE id = $id",
    "example": "SELECT id FROM examples WHERE id = $id OR external_id = $id",
    "candidate": "SELECT id FROM candidates WHERE id = $id",
    "task": "SELECT id FROM tasks WHERE id = $id",
    "judgement": "SELECT id FROM judgements WHERE id = $id",
    "row": "SELECT DISTINCT row_id FROM snapshot_rows WHERE row_id = $id",
    "snapshot": "SELECT DISTINCT id FROM snapshots WHERE id = $id OR name = $id",
    "run": "SELECT id FROM runs WHERE id = $id",
}


def trace_lineage(store: Store, id: str) -> dict[str, Any]:
    """What a thing was made from and what was made from it.

    Args:
        id: of an import, example (also its external id), candidate, task, judgement, row, snapshot (also its name) or
            run, or an annotator's name.

    Returns:
        `{"id", "kind", "made_from": {kind: {"count", "ids"}}, "led_to": {...}, "models_that_learned": [run ids]}`;
        at most 20 ids a kind are listed, all are counted.

    Raises:
        NotFoundError: nothing has that id.
    """
    kind, ids = _find_home(store, id)
    is_snapshot = kind == "snapshot"
    made_from = _walk(store, {**_UP, **_UP_FROM_SNAPSHOT} if is_snapshot else _UP, kind, ids)
    led_to = _walk(store, {**_DOWN, **_DOWN_FROM_SNAPSHOT} if is_snapshot else _DOWN, kind, ids)
    rows = set(ids) if kind == "row" else (made_from if is_snapshot else led_to).get("row", set())
    learned = store.read(
        "SELECT DISTINCT run_id FROM run_rows WHERE row_id IN (SELECT unnest($ids))", {"ids": sorted(rows)}
    )
    return {
        "id": ids[0],
        "kind": kind,
        "made_from": _list_found(made_from),
        "led_to": _list_found(led_to),
        "models_that_learned": sorted(str(row[0]) for row in learned),
    }


def _find_home(store: Store, id: str) -> tuple[str, list[str]]:
    for kind, sql in _HOMES.items():
        rows = store.read(sql, {"id": id})
        if rows:
            return kind, [str(row[0]) for row in rows]
    raise NotFoundError(
        f"Nothing here has the id '{id}'.",
        "Give the id of an import, example, candidate, task, judgement, row, snapshot or run, or an annotator's name.",
    )


def _walk(store: Store, steps: dict[tuple[str, str], str], kind: str, ids: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    seen: dict[str, set[str]] = {kind: set(ids)}
    waiting = {kind: set(ids)}
    while waiting:
        here, here_ids = waiting.popitem()
        for (start, end), sql in steps.items():
            if start == here:
                reached = {str(row[0]) for row in store.read(sql, {"ids": sorted(here_ids)})}
                fresh = reached - seen.setdefault(end, set())
                if fresh:
                    seen[end] |= fresh
                    found.setdefault(end, set()).update(fresh)
                    waiting.setdefault(end, set()).update(fresh)
    return found


def _list_found(found: dict[str, set[str]]) -> dict[str, dict[str, Any]]:
    return {kind: {"count": len(ids), "ids": sorted(ids)[:LISTED_IDS]} for kind, ids in sorted(found.items())}
