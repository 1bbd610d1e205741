"""SQL typed by a curator: one SELECT over the catalogue, whatever it tries; everything else is told in two parts."""

from __future__ import annotations

import pytest

from pitchpipe.store.curation import catalogue_sql
from pitchpipe.store.curation.catalogue import Catalogue, list_ids, open_catalogue
from pitchpipe.store.curation.catalogue_filters import Slice
from pitchpipe.store.curation.curating import act_on
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError


@pytest.fixture
def made(compare_store: Store) -> Catalogue:
    return open_catalogue(compare_store, "p")


OUTSIDE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/*.parquet')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'http://example.com/a.csv'",
    "SELECT (SELECT max(content) FROM read_text('/etc/passwd')) FROM examples",
    "SELECT * FROM examples WHERE EXISTS (FROM read_blob('/etc/passwd'))",
    "SELECT * FROM query('DELETE FROM examples')",
    "SELECT * FROM query_table('examples')",
    "SELECT getenv('HOME')",
    "SELECT * FROM duckdb_settings()",
    "SELECT current_setting('temp_directory')",
    "SELECT * FROM enable_logging()",
    "COPY examples TO '/tmp/stolen.csv'",
    "ATTACH '/tmp/other.duckdb' AS other",
    "INSTALL httpfs",
    "LOAD httpfs",
    "PRAGMA database_list",
    "SET memory_limit = '100GB'",
    "RESET lock_configuration",
    "CALL enable_profiling()",
    "EXPORT DATABASE '/tmp/all'",
    "EXPLAIN ANALYZE SELECT 1",
    "DELETE FROM examples",
    "CREATE TABLE mine AS SELECT 1",
    "WITH gone AS (DELETE FROM examples RETURNING *) SELECT * FROM gone",
    "SELECT 1; SELECT 2",
    "SELECT 1); DROP TABLE examples; SELECT (1",
    "SELECT 1) UNION ALL (SELECT 2",
    "SELECT * FROM made",  # a variable of this program
    "SELECT random()",
    "SELECT example_id FROM examples USING SAMPLE 2",
    "SELECT example_id FROM examples TABLESAMPLE reservoir(2 ROWS) REPEATABLE (1)",
    "SELECT example_id FROM (SELECT * FROM examples USING SAMPLE 50%)",
    "WITH some AS (FROM examples TABLESAMPLE 10%) SELECT example_id FROM some",
    "SELECT example_id FROM examples WHERE created_at > now() - INTERVAL 1 DAY",
    "SELECT example_id FROM examples WHERE created_at > CURRENT_DATE",
    "SELECT example_id FROM examples WHERE created_at > localtimestamp",
    "SELECT example_id FROM examples WHERE created_at > today()",
    "SELECT example_id FROM examples WHERE age(created_at) < INTERVAL 1 DAY",
    "SELECT nosuch FROM examples",
    "selec",
    "",
    "-- nothing",
    "SELECT '" + "x" * 30_000 + "'",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_what_is_no_select_or_reaches_outside_is_refused(made: Catalogue, sql: str) -> None:
    with pytest.raises(UsageError) as refused:
        made.cell.run_select(sql)
    assert refused.value.happened and refused.value.advice


BOMBS = [
    "SELECT count(*) FROM range(1000000000000)",
    "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b",
    "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t",
    "WITH RECURSIVE t AS (SELECT 'x' AS s UNION ALL SELECT s || s FROM t) SELECT count(*) FROM t",
    "SELECT count(*) FROM examples AS a, range(1000000) AS b, range(1000000) AS c, range(1000000) AS d",
    "SELECT len(range(1000000000))",
    "SELECT sum(len(repeat('x', 1000000000))) FROM range(1000)",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT unnest(range(1000000000)) AS n ORDER BY n DESC",
]


@pytest.mark.parametrize("sql", BOMBS)
def test_what_asks_for_too_much_is_stopped_and_the_next_statement_runs(
    made: Catalogue, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    monkeypatch.setattr(catalogue_sql, "SECONDS", 1.5)
    monkeypatch.setattr(catalogue_sql, "MEGABYTES", 256)
    with pytest.raises(UsageError, match=r"longer than 1\.5 seconds|more memory than the 256 MB"):
        made.cell.run_select(sql)
    monkeypatch.undo()
    assert made.cell.run_select("SELECT count(*) AS n FROM examples")["n"].to_list() == [10]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT example_id FROM examples;  ", 10),
        ("FROM candidates", 20),
        ("SELECT * FROM tasks -- all of them", 10),
        ("WITH longest AS (SELECT * FROM candidates ORDER BY words DESC LIMIT 3) SELECT text FROM longest", 3),
        ("SELECT unnest(kinds) AS kind FROM examples", 10),
        ("SELECT * FROM judgements, decisions, tags, snapshot_rows", 0),
        ("SELECT messages ->> '$[0].content' AS asked FROM examples WHERE asked LIKE '%number 3%'", 1),
        ("VALUES (1), (2)", 2),
        ("SELECT * FROM range(5000)", 1000),  # no more rows than can be looked at
    ],
)
def test_a_select_over_any_table_runs(made: Catalogue, sql: str, rows: int) -> None:
    assert made.cell.run_select(sql).height == rows


def test_a_slice_takes_the_ids_and_sees_decisions_made_since(compare_store: Store) -> None:
    sql = "SELECT example_id, request FROM examples WHERE decision = 'drop' UNION ALL SELECT NULL, 'x'"
    made = open_catalogue(compare_store, "p")
    assert list_ids(made, Slice(sql=sql)) == []
    ids = list_ids(made, Slice())
    act_on(compare_store, "p", "drop", ids[2:4], note="x", actor="cora")
    assert list_ids(open_catalogue(compare_store, "p"), Slice(sql=sql)) == ids[2:4]


def test_a_slice_without_the_column_is_told_which_one_it_needs(made: Catalogue) -> None:
    with pytest.raises(UsageError, match="example_id"):
        list_ids(made, Slice(sql="SELECT request FROM examples"))


def test_columns_of_one_name_are_told_apart(made: Catalogue) -> None:
    assert made.cell.run_select("SELECT a.example_id, b.example_id FROM examples a, examples b").height == 100


def test_columns_that_a_frame_cannot_hold_come_as_text(made: Catalogue) -> None:
    """An interval or an endless date once stopped the process that shows it."""
    sql = "SELECT INTERVAL 1 DAY AS \"a\"\"b\", 'infinity'::DATE AS day, {'k': 1} AS pair, [1, 2] AS list"
    assert made.cell.run_select(sql).to_dicts() == [
        {'a"b': "1 day", "day": "infinity", "pair": "{'k': 1}", "list": [1, 2]}
    ]


def test_half_a_character_and_a_time_that_is_none_are_refused_in_words(made: Catalogue) -> None:
    for slice in (
        Slice(sql="SELECT '\ud800' AS example_id"),
        Slice(words="\ud800"),
        Slice(filters=(("created_at", ">=", "zzz"),)),
        Slice(filters=(("request", "contains", "\ud800"),)),
    ):
        with pytest.raises(UsageError):
            list_ids(made, slice)
