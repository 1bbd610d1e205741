"""The catalogue of a project: a read-only copy in a private engine, made to be looked through fast.

Pages ask it instead of the store: it holds one row an example with everything that can be counted about it. What a
curator types as SQL runs on its tables in a process of its own (`catalogue_sql`), so it reaches neither the store nor
files nor the network. It is made anew when the project has changed: at once where that takes a moment, behind the page
where it takes longer. Decisions and tags are always read at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import polars as pl

from pitchpipe.store.curation.catalogue_building import (
    TABLES,
    Revision,
    fill_marks,
    fill_tables,
    read_mark_revision,
    read_revision,
)
from pitchpipe.store.curation.catalogue_filters import FIELDS, Slice, write_where
from pitchpipe.store.curation.catalogue_hits import Hits
from pitchpipe.store.curation.catalogue_sql import SqlCell
from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.projects import get_project

_CHECK_SECONDS = 2.0
"""How often the store is asked whether it has changed; more seldom where asking or making takes long."""
_AT_ONCE_SECONDS = 1.5
"""A catalogue that took longer to make is made anew behind the page."""
_PATIENCE = 20.0
_MOST_KEPT = 4
"""So many projects keep their catalogue in memory; the one that was opened longest ago goes first."""
_SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "enable_external_access": "false",
    "python_enable_replacements": "false", "temp_directory": "",
}  # fmt: skip
FACETS = ("source", "category", "side", "decision", "kinds", "tags", "rating")
"""What is counted beside the rows."""
_COLUMNS = ("example_id", "request", "source", "category", "side", "answers", "judgements", "rating", "agreement",
            "decision", "tags")  # fmt: skip


_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Catalogue:
    """What is known of a project, as of one moment. Made by `open_catalogue`; safe to ask from several threads."""

    project_id: str
    connection: duckdb.DuckDBPyConnection
    revision: Revision
    mark_revision: Revision
    as_of: datetime
    """UTC, when the rows were read."""
    seconds: float
    """How long it took to make."""
    cell: SqlCell = field(init=False)
    hits: Hits = field(init=False)

    def __post_init__(self) -> None:
        self.cell = SqlCell(self.connection)
        self.hits = Hits(self.connection, self.cell)

    def ask(self, sql: str, values: Sequence[Any] = ()) -> pl.DataFrame:
        """The rows of one of our own queries."""
        return self.connection.cursor().execute(sql, list(values)).pl()

    def describe_tables(self) -> dict[str, list[str]]:
        """The tables that a SELECT can ask, with their columns and types."""
        return {
            table: [
                f"{name}  {kind.lower()}"
                for name, kind in self.ask(f"DESCRIBE {table}").select("column_name", "column_type").iter_rows()
                if name != "folded"
            ]
            for table in TABLES
        }


@dataclass(slots=True)
class _Shelf:
    """The catalogue of one project and what is under way for it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    catalogue: Catalogue | None = None
    checked_at: float = 0.0
    check_seconds: float = 0.0
    under_way: Future[Catalogue] | None = None


_shelves: WeakKeyDictionary[Store, dict[str, _Shelf]] = WeakKeyDictionary()
_shelves_lock = threading.Lock()
_maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pitchpipe-catalogue")


def open_catalogue(store: Store, project: str, *, is_fresh: bool = False) -> Catalogue:
    """The project's catalogue, made where there is none.

    Args:
        is_fresh: everything known at this moment is in it, however long that takes; otherwise rows may be some seconds
            behind (see its `as_of`), decisions and tags never.

    Raises:
        NotFoundError: there is no such project.
    """
    project_id = get_project(store, project).id
    with _shelves_lock:
        shelves = _shelves.setdefault(store, {})
        shelf = shelves.pop(project_id, None) or _Shelf()
        shelves[project_id] = shelf  # the latest asked stands last
        if len(shelves) > _MOST_KEPT:
            del shelves[next(iter(shelves))]
    with shelf.lock:
        return _bring_up_to_date(shelf, store, project_id, is_fresh)


def _bring_up_to_date(shelf: _Shelf, store: Store, project_id: str, is_fresh: bool) -> Catalogue:
    if shelf.under_way is not None and (shelf.under_way.done() or is_fresh):
        _take_over(shelf, shelf.under_way)
    found = shelf.catalogue
    if found is None:
        shelf.catalogue = found = _make(store, project_id)
        shelf.checked_at = time.monotonic()
        return found
    wait = max(_CHECK_SECONDS, _PATIENCE * shelf.check_seconds, _PATIENCE * found.seconds)
    if found.seconds < _AT_ONCE_SECONDS:
        wait = min(wait, _CHECK_SECONDS)
    if is_fresh or time.monotonic() - shelf.checked_at > wait:
        began = time.monotonic()
        has_changed = read_revision(store, project_id) != found.revision
        shelf.checked_at, shelf.check_seconds = time.monotonic(), time.monotonic() - began
        if has_changed and (is_fresh or found.seconds < _AT_ONCE_SECONDS):
            shelf.catalogue = found = _make(store, project_id)
        elif has_changed and shelf.under_way is None:
            shelf.under_way = _maker.submit(_make, store, project_id)
    _renew_marks(found, store)
    return found


def _take_over(shelf: _Shelf, under_way: Future[Catalogue]) -> None:
    """Puts what was made behind the page in the place of what is there; where that failed, the earlier one stays."""
    shelf.under_way = None
    try:
        shelf.catalogue = under_way.result()
    except Exception:  # noqa: BLE001 - whatever it was, the log has it
        # A page that only looks is not to blame for it, and the next look that finds a change tries again.
        _log.exception("a catalogue could not be made behind the page; the one before is shown")


def _make(store: Store, project_id: str) -> Catalogue:
    began = time.monotonic()
    connection = duckdb.connect(":memory:", config=_SETTINGS)
    revision, as_of = read_revision(store, project_id), utc_now()
    fill_tables(connection, store, project_id)
    marks = read_mark_revision(store, project_id)
    fill_marks(connection, store, project_id)
    connection.execute("SET lock_configuration = true").fetchall()
    return Catalogue(project_id, connection, revision, marks, as_of, time.monotonic() - began)


def _renew_marks(catalogue: Catalogue, store: Store) -> None:
    revision = read_mark_revision(store, catalogue.project_id)
    if revision != catalogue.mark_revision:
        fill_marks(catalogue.connection, store, catalogue.project_id)
        catalogue.mark_revision = revision
        catalogue.cell.forget_marks()
        catalogue.hits.forget_sql()


def list_rows(
    catalogue: Catalogue,
    slice: Slice,
    sort: str = "position",
    is_descending: bool = False,
    limit: int = 50,
    offset: int = 0,
    columns: Sequence[str] = _COLUMNS,
) -> pl.DataFrame:
    """One page of the examples of a slice, a row each.

    Args:
        sort: a field, or "position" for the order in which they came.
        columns: fields to show; `example_id` is always among them.

    Raises:
        UsageError: a field is not known, a number is out of range, or the slice's SQL is refused.
    """
    for name in (sort, *columns):
        if name not in FIELDS and name != "position":
            raise UsageError(f"There is no field '{name}'.", f"Use one of: {', '.join(FIELDS)}.")
    if not 1 <= limit <= 100_000 or offset < 0:
        raise UsageError(f"limit is {limit} and offset is {offset}.", "Ask for 1 to 100000 rows, from 0 on.")
    where, values = find_where(catalogue, slice)
    names = ", ".join(dict.fromkeys(("example_id", *columns)))
    order = f"{'number' if sort == 'position' else sort} {'DESC' if is_descending else 'ASC'} NULLS LAST, number"
    # First which rows, then what is in them: long texts are not carried through the sort.
    return catalogue.ask(
        f"SELECT {names} FROM examples SEMI JOIN (SELECT number FROM examples WHERE {where} ORDER BY {order} "
        f"LIMIT ? OFFSET ?) AS page USING (number) ORDER BY {order}",
        [*values, limit, offset],
    )


def stream_rows(
    catalogue: Catalogue, slice: Slice, columns: Sequence[str], at_once: int = 50_000
) -> Iterator[pl.DataFrame]:
    """All examples of a slice in the order in which they came, in frames of some `at_once` rows; one empty frame first.

    All are of one moment, whatever is decided meanwhile.

    Raises:
        UsageError: the slice's SQL is refused.
    """
    where, values = find_where(catalogue, slice)
    sql = f"SELECT {', '.join(columns)} FROM examples WHERE {where} ORDER BY number"
    batches = catalogue.connection.cursor().execute(sql, values).to_arrow_reader(at_once)
    yield pl.DataFrame(batches.schema.empty_table())
    for batch in batches:
        yield pl.DataFrame(batch)


def count_rows(catalogue: Catalogue, slice: Slice) -> int:
    """How many examples a slice has."""
    where, values = find_where(catalogue, slice)
    return int(catalogue.ask(f"SELECT count(*) AS n FROM examples WHERE {where}", values)["n"][0])


def list_ids(catalogue: Catalogue, slice: Slice) -> list[str]:
    """The ids of all examples of a slice, in the order in which they came."""
    where, values = find_where(catalogue, slice)
    sql = f"SELECT example_id FROM examples WHERE {where} ORDER BY number"
    return list(catalogue.ask(sql, values)["example_id"])


def count_facets(catalogue: Catalogue, slice: Slice, most: int = 12) -> dict[str, list[tuple[str, int]]]:
    """How often each value of each facet is there, the commonest first, at most so many a facet; "" is none.

    Ratings are rounded to whole numbers and come in their own order.
    """
    where, values = find_where(catalogue, slice)
    parts = []
    for name in FACETS:
        value = {
            "rating": "coalesce(round(rating)::INTEGER::VARCHAR, '')",
            "kinds": "unnest(if(len(kinds) = 0, [''], kinds))",
            "tags": "unnest(if(len(tags) = 0, [''], tags))",
        }.get(name, f"coalesce({name}, '')")
        parts.append(f"SELECT '{name}' AS facet, {value} AS value FROM chosen")
    found = catalogue.ask(
        f"WITH chosen AS MATERIALIZED (SELECT {', '.join(FACETS)} FROM examples WHERE {where}) "
        f"SELECT facet, value, count(*) AS n FROM ({' UNION ALL '.join(parts)}) GROUP BY facet, value "
        "ORDER BY n DESC, value",
        values,
    )
    counts: dict[str, list[tuple[str, int]]] = {name: [] for name in FACETS}
    for facet, value, n in found.iter_rows():
        counts[facet].append((value, n))
    counts["rating"].sort()
    return {name: rows[:most] for name, rows in counts.items()}


def find_where(catalogue: Catalogue, slice: Slice) -> tuple[str, list[Any]]:
    """The condition of a slice on the view `examples`, and its parameters; its SQL is run if it was not yet.

    Raises:
        UsageError: the SQL is refused, or asks for too much.
    """
    where, values = write_where(slice.filters)
    tables = catalogue.hits.find_tables(slice)
    return " AND ".join([where, *(f"number IN (FROM {table})" for table in tables)]), values
