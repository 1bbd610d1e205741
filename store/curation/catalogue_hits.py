"""What a search or a slice's SQL has found, kept as tables of row numbers: one question is asked many times over.

A page, its count, its facets and its charts are all of one slice, and words are dear to look for: a scan of every text.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import duckdb
import polars as pl

from pitchpipe.store.curation.catalogue_filters import Slice, write_search
from pitchpipe.store.curation.catalogue_sql import SqlCell

_MOST = 16
"""So many searches are kept; the one that was asked longest ago goes first."""
_GRACE_SECONDS = 60.0
"""A name is asked right after it was given out: a table is dropped this long after nobody can be given it any more."""
_Key = tuple[str, str]


class Hits:
    """The searches of one catalogue. Safe to ask from several threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, cell: SqlCell) -> None:
        self._connection = connection
        self._cell = cell
        self._lock = threading.Lock()
        self._tables: dict[_Key, str] = {}
        self._retired: list[tuple[float, str]] = []
        self._made = 0

    def find_tables(self, slice: Slice) -> list[str]:
        """The tables (of one column, `number`) that hold what the words and the SQL of a slice find; none without.

        Raises:
            UsageError: the SQL is refused, or asks for too much.
        """
        found = []
        if slice.words.strip():
            found.append(self._find(("words", slice.words), lambda name: self._search(slice.words, name)))
        if slice.sql.strip():
            found.append(self._find(("sql", slice.sql), lambda name: self._select(slice.sql, name)))
        return found

    def forget_sql(self) -> None:
        """Decisions and tags have changed, and SQL may ask for them; words do not."""
        with self._lock:
            for key in [key for key in self._tables if key[0] == "sql"]:
                self._retire(self._tables.pop(key))

    def _find(self, key: _Key, fill: Callable[[str], None]) -> str:
        with self._lock:
            name = self._tables.pop(key, None)
            if name is None:
                self._made += 1
                name = f"hits_{self._made}"
                fill(name)
            self._tables[key] = name  # the latest asked stands last
            if len(self._tables) > _MOST:
                self._retire(self._tables.pop(next(iter(self._tables))))
            return name

    def _retire(self, name: str) -> None:
        """Drops a table when nobody can be about to ask it any more: its name may just have been given out."""
        now = time.monotonic()
        self._retired.append((now, name))
        while now - self._retired[0][0] >= _GRACE_SECONDS:
            self._connection.cursor().execute(f"DROP TABLE {self._retired.pop(0)[1]}").fetchall()
            if not self._retired:
                return

    def _search(self, words: str, name: str) -> None:
        where, values = write_search(words)
        sql = f"CREATE TABLE {name} AS SELECT number FROM example_facts WHERE {where}"
        self._connection.cursor().execute(sql, values).fetchall()

    def _select(self, sql: str, name: str) -> None:
        found = pl.DataFrame({"example_id": self._cell.find_ids(sql)}, schema={"example_id": pl.String})
        cursor = self._connection.cursor()
        cursor.register("incoming", found.to_arrow())
        cursor.execute(f"CREATE TABLE {name} AS SELECT number FROM example_facts SEMI JOIN incoming USING (example_id)")
        cursor.fetchall()
        cursor.unregister("incoming")
