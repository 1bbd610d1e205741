"""The dry run of an import: what a file holds, what it would add and what would be refused. Nothing is stored."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pitchpipe.store.database import SPOOL, Store
from pitchpipe.store.identity import new_id
from pitchpipe.store.importing.formats import SIGNS
from pitchpipe.store.importing.ingest import DECLARED_FIRST, ImportReport, find_target, spooled, stage_rows
from pitchpipe.store.importing.looking import Column, look_at_columns
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.reading import open_examples
from pitchpipe.store.records import ParsedRow, Project, RejectedRow

_COUNTED = ("examples", "candidates", "tasks", "judgements")

_COUNT_KNOWN = """
SELECT count(*), count(known.id)
FROM (SELECT DISTINCT id FROM {files}) AS staged LEFT JOIN {table} AS known ON known.id = staged.id
"""

# A group that has its side keeps it; a new one takes the side that the file declares or the salted hash gives.
_COUNT_SIDES = """
WITH sides AS (
    SELECT group_id, split, reason FROM {groups}
    QUALIFY row_number() OVER (PARTITION BY group_id ORDER BY {declared_first}) = 1
)
SELECT coalesce(kept.split, sides.split), count(DISTINCT e.id),
       count(DISTINCT CASE WHEN sides.reason = 'declared by the file' AND kept.split <> sides.split
                           THEN sides.group_id END)
FROM {examples} AS e
JOIN sides ON sides.group_id = e.group_id
LEFT JOIN group_splits AS kept ON kept.project_id = ? AND kept.group_id = e.group_id
GROUP BY 1
"""


@dataclass(slots=True)
class ImportPreview:
    """What an import would do. `rows` = `accepted` + `rejected`."""

    file: str
    project: str
    is_new_project: bool
    """The project would be made; the sides of its seal then depend on a salt that is drawn when it is made."""
    format: str | None
    """By which the file is read, None with a mapping."""
    reason: str
    """Why it is read so."""
    columns: list[Column] = field(default_factory=list)
    examples: list[ParsedRow] = field(default_factory=list)
    """The first parsed rows, as they would become examples, candidates and judgements."""
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    """Accepted rows by kind."""
    judged: dict[str, int] = field(default_factory=dict)
    """Judgements by kind."""
    raters: list[str] = field(default_factory=list)
    new: dict[str, int] = field(default_factory=dict)
    """What would be added, by table."""
    known: dict[str, int] = field(default_factory=dict)
    """What is there already, by table."""
    sides: dict[str, int] = field(default_factory=dict)
    """Examples by side of the seal: train and holdout."""
    split_conflicts: int = 0
    rejects: list[dict[str, Any]] = field(default_factory=list)
    """The first rejected rows, at most `LISTED_REJECTS`; all are counted."""


def preview_import(
    store: Store,
    project: str,
    file: Path,
    format: str | None = None,
    mapping: Path | None = None,
    rows: int = 10,
    on_progress: Callable[[int], None] | None = None,
    meter: ReadMeter | None = None,
) -> ImportPreview:
    """Reads a whole file as an import would, and adds nothing.

    Args:
        project: its name; one that is not there is taken as new, with default settings.
        rows: how many parsed rows are shown.
        on_progress: called with the number of rows read, every 1,000 rows.
        meter: knows meanwhile how many bytes were read, out of how many.

    Raises:
        NotFoundError, ImportFileError, UsageError: as `import_file`.
    """
    target, is_new = find_target(store, project, is_drafted=True)
    opened = open_examples(file, format, mapping, meter)
    preview = ImportPreview(file.name, project, is_new, opened.format, _give_reason(opened.format, format, mapping))
    preview.columns = look_at_columns(file, mapping)
    raters: set[str] = set()
    report = ImportReport(file.name, project, "")
    folder = store.workspace / new_id(SPOOL)
    folder.mkdir()
    try:
        watched = _watch(opened.rows, preview, raters, rows)
        stage_rows(store, target, "preview", folder, watched, report, on_progress)
        _count(store, target, folder, preview)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    preview.rows, preview.accepted, preview.rejected = report.rows, report.accepted, report.rejected
    preview.rejects, preview.raters = report.rejects, sorted(raters)
    return preview


def describe_preview(preview: ImportPreview) -> dict[str, Any]:
    """The preview as plain values that become JSON as they are."""
    return asdict(preview)


def _give_reason(found: str | None, asked: str | None, mapping: Path | None) -> str:
    if mapping is not None:
        return f"the mapping {mapping.name} says how"
    return "it was named" if asked is not None else f"its rows have {SIGNS[found or '']}"


def _watch(
    results: Iterable[ParsedRow | RejectedRow], preview: ImportPreview, raters: set[str], shown: int
) -> Iterator[ParsedRow | RejectedRow]:
    kinds: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for result in results:
        if isinstance(result, ParsedRow):
            kinds[result.kind.value] += 1
            for judgement in result.judgements:
                judged[judgement.kind.value] += 1
                raters.add(judgement.rater)
            if len(preview.examples) < shown:
                preview.examples.append(result)
        yield result
    preview.kinds, preview.judged = dict(sorted(kinds.items())), dict(sorted(judged.items()))


def _count(store: Store, project: Project, folder: Path, preview: ImportPreview) -> None:
    for table in _COUNTED:
        if not list(folder.glob(f"{table}-*.parquet")):
            preview.new[table] = preview.known[table] = 0
            continue
        total, known = store.read(_COUNT_KNOWN.format(files=spooled(folder, table), table=table))[0]
        preview.new[table], preview.known[table] = total - known, known
    preview.sides = {"train": 0, "holdout": 0}
    if list(folder.glob("examples-*.parquet")):
        sql = _COUNT_SIDES.format(
            groups=spooled(folder, "group_splits"), examples=spooled(folder, "examples"), declared_first=DECLARED_FIRST
        )
        for side, count, conflicts in store.read(sql, [project.id]):
            preview.sides[side] = count
            preview.split_conflicts += conflicts
