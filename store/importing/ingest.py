"""Import: parsed rows become examples, candidates, tasks and judgements, all in one transaction or not at all.

Rows that cannot be used are reported one by one and stop nothing; an import that fails leaves nothing behind.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pitchpipe.store.database import SPOOL, Store, Transaction, utc_now
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.events import record_event
from pitchpipe.store.identity import canonical_json, content_id, hash_file, hash_value, new_id
from pitchpipe.store.importing import read_examples
from pitchpipe.store.importing.folders import hash_source
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.staging import SCHEMAS, Staging
from pitchpipe.store.projects import draft_project, get_project, insert_project
from pitchpipe.store.records import ParsedRow, Project, RejectedRow

LISTED_REJECTS = 1000
"""How many rejected rows a report lists; all of them are counted."""

_KEYS = {
    "examples": "id",
    "candidates": "id",
    "tasks": "id",
    "judgements": "id",
    "group_splits": "project_id, group_id",
}

_INSERT_STAGED = """
INSERT INTO {table} ({columns})
SELECT {columns} FROM {files}
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {order}) = 1
ON CONFLICT DO NOTHING
"""

# Within a new group, one row that declares the sealed side seals the group, whatever the order of the rows.
DECLARED_FIRST = (
    "CASE WHEN reason = 'declared by the file' THEN 0 ELSE 1 END, CASE split WHEN 'holdout' THEN 0 ELSE 1 END"
)

_PROMOTE_DEMONSTRATIONS = """
UPDATE candidates SET origin = 'demonstration'
WHERE origin = 'import' AND id IN (SELECT id FROM {files} WHERE origin = 'demonstration')
"""

# A judgement that came with a file takes a slot of its task, after the ones already taken.
_INSERT_SLOTS = """
INSERT INTO assignments (task_id, slot, project_id, annotator, token, shown, claimed_at, leased_until)
SELECT j.task_id,
       coalesce(taken.slots, 0) + row_number() OVER (PARTITION BY j.task_id ORDER BY j.first_entry),
       j.project_id, j.annotator, 'import', '[]', j.claimed_at, NULL
FROM (SELECT task_id, project_id, annotator, min(entry) AS first_entry, min(created_at) AS claimed_at
      FROM {files} GROUP BY task_id, project_id, annotator) AS j
LEFT JOIN (SELECT task_id, max(slot) AS slots FROM assignments GROUP BY task_id) AS taken ON taken.task_id = j.task_id
WHERE NOT EXISTS (SELECT 1 FROM assignments a WHERE a.task_id = j.task_id AND a.annotator = j.annotator)
ON CONFLICT DO NOTHING
"""

_WIDEN_OVERLAP = """
UPDATE tasks SET overlap = taken.slots
FROM (SELECT task_id, max(slot) AS slots FROM assignments WHERE project_id = ? GROUP BY task_id) AS taken
WHERE taken.task_id = tasks.id AND tasks.overlap < taken.slots
"""

_FIND_SPLIT_CONFLICTS = """
SELECT count(DISTINCT staged.group_id)
FROM {files} AS staged
JOIN group_splits AS kept ON kept.project_id = staged.project_id AND kept.group_id = staged.group_id
WHERE staged.reason = 'declared by the file' AND staged.split <> kept.split
"""


@dataclass(slots=True)
class ImportReport:
    """What an import did. `rows` = `accepted` + `rejected`."""

    file: str
    project: str
    import_id: str
    rows: int = 0
    accepted: int = 0
    rejected: int = 0
    added: dict[str, int] = field(default_factory=dict)
    """New examples, candidates, tasks and judgements; what was there already is not counted."""
    holdout: int = 0
    """Examples of this file on the sealed side."""
    trees: int = 0
    split_conflicts: int = 0
    """Groups for which the file declares a side other than the one they have; they keep the one they have."""
    rejects: list[dict[str, Any]] = field(default_factory=list)


def import_file(
    store: Store,
    file: Path,
    project: str,
    format: str | None = None,
    mapping: Path | None = None,
    on_progress: Callable[[int], None] | None = None,
    actor: str = "local",
    meter: ReadMeter | None = None,
    makes_project: bool = False,
) -> ImportReport:
    """Imports a file into a project.

    Args:
        file: JSONL, JSON, CSV, TSV, Parquet or Arrow, or a folder of such.
        format: the name of a known format; guessed from the first rows when neither it nor a mapping is given.
        mapping: a TOML mapping file.
        on_progress: called with the number of rows read, every 1,000 rows.
        meter: knows meanwhile how many bytes were read, out of how many.
        makes_project: a project that is not there is made with default settings, together with its rows.

    Raises:
        NotFoundError: no such file or project. ImportFileError: the file is no data. UsageError: an unknown format or a
        wrong mapping. In each case nothing was imported and no project was made.
    """
    find_target(store, project, makes_project)  # a wrong name shows before the file is read
    rows = read_examples(file, format=format, mapping=mapping, meter=meter)
    first = next(rows, None)  # faults of the file as a whole show here, before anything is made
    how, source = hash_file(mapping) if mapping else (format or "guessed"), hash_source(file)
    folder = store.workspace / new_id(SPOOL)
    folder.mkdir()
    try:
        # One at a time: whether an id names another conversation depends on what is there when it is written.
        with store.import_lock:
            target, is_new = find_target(store, project, makes_project)
            report = ImportReport(file.name, target.name, content_id("imp", [target.id, source, how]))
            staging = stage_rows(store, target, report.import_id, folder, _prepend(first, rows), report, on_progress)
            report.trees = len(staging.trees)

            def write_all(transaction: Transaction) -> None:
                if is_new:
                    _insert_project(transaction, target, actor)
                _insert_staged(transaction, target, folder, report, how, source, actor)

            store.write(write_all)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    store.checkpoint()
    return report


def find_target(store: Store, name: str, is_drafted: bool) -> tuple[Project, bool]:
    """The project to import into, and whether it is a draft that is still to be made (else NotFoundError)."""
    try:
        return get_project(store, name), False
    except NotFoundError:
        if not is_drafted:
            raise
        return draft_project(name), True


def _insert_project(transaction: Transaction, project: Project, actor: str) -> None:
    if not insert_project(transaction, project, actor):  # from another process: the rows belong to our draft
        raise UsageError(f"Somebody else has made the project '{project.name}' meanwhile.", "Import again.")


def _prepend(
    first: ParsedRow | RejectedRow | None, rest: Iterable[ParsedRow | RejectedRow]
) -> Iterable[ParsedRow | RejectedRow]:
    if first is not None:
        yield first
        yield from rest


def stage_rows(
    store: Store,
    project: Project,
    import_id: str,
    folder: Path,
    rows: Iterable[ParsedRow | RejectedRow],
    report: ImportReport,
    on_progress: Callable[[int], None] | None,
) -> Staging:
    """Spools the rows of a file into `folder` and counts them in `report`; the store is only read."""
    last = store.read("SELECT coalesce(max(position), 0) FROM examples WHERE project_id = ?", [project.id])[0][0]
    # The engine hashes as `hash_text` does; the conversations themselves would not fit into memory at a million.
    named = store.read(
        "SELECT external_id, 'sha256:' || sha256(messages) FROM examples "
        "WHERE project_id = ? AND external_id IS NOT NULL",
        [project.id],
    )
    staging = Staging(project, import_id, folder, utc_now(), int(last))
    staging.named = dict(named)
    staging.tree_groups = dict(
        store.read(
            "SELECT tree, min(group_id) FROM examples WHERE project_id = ? AND tree IS NOT NULL GROUP BY tree",
            [project.id],
        )
    )
    for row in rows:
        report.rows += 1
        refused = row if isinstance(row, RejectedRow) else staging.add(row)
        if refused is None:
            report.accepted += 1
        else:
            report.rejected += 1
            if len(report.rejects) < LISTED_REJECTS:
                report.rejects.append(asdict(refused))
        if on_progress and report.rows % 1000 == 0:
            on_progress(report.rows)
    staging.finish()
    return staging


def _insert_staged(
    transaction: Transaction,
    project: Project,
    folder: Path,
    report: ImportReport,
    how: str,
    file_sha256: str,
    actor: str,
) -> None:
    for table, schema in SCHEMAS.items():
        if not list(folder.glob(f"{table}-*.parquet")):
            report.added[table] = 0
            continue
        order = {"group_splits": DECLARED_FIRST, "judgements": "entry"}.get(table, "created_at")
        sql = _INSERT_STAGED.format(
            table=table, columns=", ".join(schema), files=spooled(folder, table), key=_KEYS[table], order=order
        )
        report.added[table] = int(transaction.run(sql)[0][0])
    if report.added["judgements"]:
        transaction.run(_INSERT_SLOTS.format(files=spooled(folder, "judgements")))
        transaction.run(_WIDEN_OVERLAP, [project.id])
    if list(folder.glob("candidates-*.parquet")):
        transaction.run(_PROMOTE_DEMONSTRATIONS.format(files=spooled(folder, "candidates")))
    if report.accepted:
        splits = spooled(folder, "group_splits")
        report.split_conflicts = int(transaction.run(_FIND_SPLIT_CONFLICTS.format(files=splits))[0][0])
        report.holdout = _count_holdout(transaction, folder)
    groups = report.added.pop("group_splits")
    counts = {"rows": report.rows, "accepted": report.accepted, "rejected": report.rejected, "groups": groups}
    transaction.run(
        "INSERT INTO imports (id, project_id, file_name, file_sha256, format, counts, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [report.import_id, project.id, report.file, file_sha256, how, canonical_json(counts), utc_now()],
    )
    record_event(transaction, actor, "import", report.import_id, {**counts, "report": hash_value(counts)})


def _count_holdout(transaction: Transaction, folder: Path) -> int:
    sql = (
        f"SELECT count(DISTINCT e.id) FROM {spooled(folder, 'examples')} AS e "
        "JOIN group_splits AS g ON g.project_id = e.project_id AND g.group_id = e.group_id WHERE g.split = 'holdout'"
    )
    return int(transaction.run(sql)[0][0])


def spooled(folder: Path, table: str) -> str:
    """The call that reads a table's spool files; nothing in the folder's own name is a wildcard or a column."""
    literal = re.sub(r"[\[*?]", r"[\g<0>]", str(folder))
    pattern = f"{literal}/{table}-*.parquet".replace("'", "''")
    return f"read_parquet('{pattern}', hive_partitioning = false)"
