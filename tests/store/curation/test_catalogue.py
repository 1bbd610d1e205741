"""The catalogue: what it counts, what it finds, and that it follows the store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.curation import catalogue, catalogue_hits
from pitchpipe.store.curation.catalogue import (
    count_facets,
    count_rows,
    list_ids,
    list_rows,
    open_catalogue,
    stream_rows,
)
from pitchpipe.store.curation.catalogue_charts import read_shape
from pitchpipe.store.curation.catalogue_filters import FIELDS, OPERATORS, Slice, check_condition, fold, parse_condition
from pitchpipe.store.curation.curating import act_on, decide
from pitchpipe.store.curation.slices import delete_slice, find_examples, list_slices, read_slice, save_slice
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.queue.tasking import create_tasks
from tests.store.desk import add_example, judge

BOTH = ["Where", "Refund,"]
ROWS = [
    {"q": "Where is my café order?", "a": "It is   late.\nSorry!", "b": "Soon.", "kind": "delivery", "ana": "a",
     "ben": "b"},
    {"q": "Refund, please", "a": "Done.", "b": "No: it is too late now.", "kind": "payment", "ana": "b", "ben": "b",
     "cleo": "tie"},
]  # fmt: skip
MAPPING = [
    'kind = "compare"', 'prompt = "{q}"', 'answer_a = "{a}"', 'answer_b = "{b}"', 'category = "{kind}"',
    'model_a = "north"', 'model_b = "south"',
    *(f'[[judgements]]\nrater = "{name}"\nvalue = "{{{name}}}"\nvalues = {{ a = "a", b = "b", tie = "tie" }}'
      for name in ("ana", "ben", "cleo")),
]  # fmt: skip


def fill_shop(store: Store, folder: Path) -> Store:
    """Two examples with two answers each, judged by two and by three people."""
    create_project(store, "p", overlap=3, holdout_share=0.0, minimum_dwell_ms=0)
    mapping, rows = folder / "shop.toml", folder / "shop.jsonl"
    mapping.write_text("\n".join(MAPPING), encoding="utf-8")
    rows.write_text("\n".join(json.dumps({"cleo": "", **row}) for row in ROWS), encoding="utf-8")
    assert not import_file(store, rows, "p", mapping=mapping).rejects
    return store


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """For tests that only look."""
    folder = tmp_path_factory.mktemp("shop")
    store = open_store(folder / "workspace")
    yield fill_shop(store, folder)
    store.close()


@pytest.fixture
def own_shop(store: Store, tmp_path: Path) -> Store:
    """For tests that change something."""
    return fill_shop(store, tmp_path)


def find(store: Store, words: str = "", *conditions: str) -> list[str]:
    """The requests of a slice in short."""
    made = open_catalogue(store, "p", is_fresh=True)
    rows = list_rows(made, Slice(words, tuple(parse_condition(text) for text in conditions)))
    return [text.split()[0] for text in rows["request"]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", BOTH),
        ("CAFE", ["Where"]),  # neither case nor accents count
        ("late", BOTH),  # in answers too
        ("late soon", ["Where"]),
        ('"it is late. sorry!"', ["Where"]),  # line breaks and runs of spaces are one space
        ('"is late"', ["Where"]),
        ("late -refund", ["Where"]),
        ('-"too late"', ["Where"]),
        ("100% _", []),  # nothing is a wildcard
    ],
)
def test_words_phrases_and_exclusions(shop: Store, words: str, found: list[str]) -> None:
    assert find(shop, words) == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("category=payment", ["Refund,"]), ("category!=payment", ["Where"]), ("category=payment|delivery", BOTH),
        ("models=south", BOTH), ("models!=south", []), ("tags=", BOTH),
        ("raters>=3", ["Refund,"]), ("votes_b=2", ["Refund,"]), ("ties=1", ["Refund,"]), ("rating=", BOTH),
        # Of three pairs of raters one said the same; of one pair none.
        ("agreement>=0.3", ["Refund,"]), ("agreement<=0", ["Where"]),
        ("words=5", ["Where"]), ("words<=2", ["Refund,"]), ("answer_words>=3", ["Refund,"]),
        ("request~CAFÉ", ["Where"]), ("source=shop.jsonl", BOTH), ("decision=undecided", BOTH),
        ("is_adjudicated=true", []), ("last_judged_at>=2001-01-01", BOTH),
    ],
)  # fmt: skip
def test_each_kind_of_field_is_asked_in_its_own_way(shop: Store, condition: str, found: list[str]) -> None:
    assert find(shop, "", condition) == found


@pytest.mark.parametrize("condition", ["colour=red", "rating~2", "rating<=low", "rating<=nan", "hello", "source>=a"])
def test_a_condition_that_cannot_be_asked_is_refused(condition: str) -> None:
    with pytest.raises(UsageError):
        parse_condition(condition)


def test_every_field_answers_every_operator_of_its_kind(shop: Store) -> None:
    made = open_catalogue(shop, "p")
    values = {"choice": ["x"], "many": ["x"], "number": 1, "text": "x", "time": "2026-01-01", "truth": True}
    for field, kind in FIELDS.items():
        for operator in OPERATORS[kind]:
            asked = Slice(filters=(check_condition(field, operator, values[kind]),))
            assert 0 <= count_rows(made, asked) <= 2
        assert len(list_rows(made, Slice(), sort=field, columns=[field])) == 2


def test_pages_follow_each_other_in_the_chosen_order(shop: Store) -> None:
    made = open_catalogue(shop, "p")
    first = list_rows(made, Slice(), sort="raters", is_descending=True, limit=1)
    second = list_rows(made, Slice(), sort="raters", is_descending=True, limit=1, offset=1)
    assert [first["raters" if "raters" in first.columns else "judgements"][0], second["judgements"][0]] == [3, 2]
    for wrong in ({"sort": "position; DROP TABLE tasks"}, {"columns": ["folded"]}, {"limit": 0}, {"offset": -1}):
        with pytest.raises(UsageError):
            list_rows(made, Slice(), **wrong)  # type: ignore[arg-type]


def test_all_rows_come_in_frames_of_one_moment(own_shop: Store) -> None:
    frames = stream_rows(open_catalogue(own_shop, "p", is_fresh=True), Slice(), ("request", "decision"), at_once=1)
    found = [next(frames), next(frames)]  # the first one is empty: it tells the columns where there are no rows
    act_on(own_shop, "p", "drop", find_examples(own_shop, "p", Slice()), note="x", actor="cora")
    open_catalogue(own_shop, "p")
    told = [row for frame in [*found, *frames] for row in frame.iter_rows()]
    assert told == [("Where is my café order?", "undecided"), ("Refund, please", "undecided")]
    nothing = list(stream_rows(open_catalogue(own_shop, "p"), Slice("nowhere"), ("request", "tags")))
    assert [frame.height for frame in nothing] == [0] and nothing[0].columns == ["request", "tags"]


def test_facets_count_the_values_of_the_slice(own_shop: Store) -> None:
    first = list_ids(open_catalogue(own_shop, "p"), Slice())[0]
    act_on(own_shop, "p", "tag", [first], note="", actor="cora", tag="look")
    facets = count_facets(open_catalogue(own_shop, "p"), Slice())
    assert facets["category"] == [("delivery", 1), ("payment", 1)]
    assert facets["tags"] == [("", 1), ("look", 1)]
    assert facets["kinds"] == [("compare", 2)]
    assert facets["rating"] == [("", 2)]
    assert count_facets(open_catalogue(own_shop, "p"), Slice("refund"))["category"] == [("payment", 1)]


def test_ratings_labels_and_screens_are_opened(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["one"])
    create_tasks(store, "p", "rate")
    judge(store, "ana", {"helpfulness": 4, "tone": "warm", "clear": 2})
    judge(store, "ben", {"helpfulness": 1})
    made = open_catalogue(store, "p", is_fresh=True)
    row = list_rows(made, Slice(), columns=["rating", "spread", "agreement", "raters"]).row(0, named=True)
    # ana says (4 + 2) / 2 = 3 and "warm" is no number; ben says 1.
    assert (row["rating"], row["spread"], row["agreement"], row["raters"]) == (2.0, 2.0, 0.0, 2)


def test_the_figures_of_a_slice_tell_lengths_and_biases(shop: Store) -> None:
    shape = read_shape(open_catalogue(shop, "p"), Slice())
    assert sum(count for _, count in shape.request_words) == 2
    assert shape.sources == [("shop.jsonl", 2)] and shape.kinds == [("compare", 2)]
    longer = next(bias for bias in shape.biases if bias.name == "longer")
    # Delivery: a is longer, one of two chose it. Payment: b is longer, two of two decisive votes.
    assert (longer.hits, longer.total) == (3, 4)
    assert (
        next(bias for bias in shape.biases if bias.name == "shown first").total == 0
    )  # from a file: nothing was shown


def test_it_follows_the_store(compare_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_CHECK_SECONDS", 0.0), ("_PATIENCE", 0.0), ("_AT_ONCE_SECONDS", 100.0)):
        monkeypatch.setattr(catalogue, name, value)
    assert count_rows(open_catalogue(compare_store, "p"), Slice(filters=(("judgements", ">=", 1.0),))) == 0
    judge(compare_store, "ana", {"verdict": "a", "strength": -1})
    assert count_rows(open_catalogue(compare_store, "p"), Slice(filters=(("judgements", ">=", 1.0),))) == 1


def test_what_takes_long_is_made_behind_the_page_and_decisions_are_seen_at_once(
    compare_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_CHECK_SECONDS", 0.0), ("_PATIENCE", 0.0), ("_AT_ONCE_SECONDS", 0.0)):
        monkeypatch.setattr(catalogue, name, value)
    made = open_catalogue(compare_store, "p")
    judge(compare_store, "ana", {"verdict": "a", "strength": -1})
    act_on(compare_store, "p", "drop", list_ids(made, Slice())[:3], note="x", actor="cora")
    stale = open_catalogue(compare_store, "p")
    assert stale is made and count_rows(stale, Slice(filters=(("decision", "is", ("drop",)),))) == 3
    deadline = time.monotonic() + 30
    while open_catalogue(compare_store, "p") is made:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert count_rows(open_catalogue(compare_store, "p"), Slice(filters=(("judgements", ">=", 1.0),))) == 1


def list_hits(made: catalogue.Catalogue) -> list[str]:
    return made.ask("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, 'hits_')")[
        "table_name"
    ].to_list()


def test_what_a_search_found_stays_a_while_for_those_about_to_ask_it_and_then_goes(
    compare_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = open_catalogue(compare_store, "p")
    where, values = catalogue.find_where(made, Slice("question"))
    for number in range(30):
        count_rows(made, Slice(f"left {number}"))
    assert made.ask(f"SELECT count(*) AS n FROM examples WHERE {where}", values)["n"].to_list() == [10]
    assert len(list_hits(made)) == 31
    monkeypatch.setattr(catalogue_hits, "_GRACE_SECONDS", 0.0)
    count_rows(made, Slice("right"))
    assert len(list_hits(made)) == 16
    count_rows(made, Slice(sql="SELECT example_id FROM examples"))
    made.hits.forget_sql()
    assert len(list_hits(made)) == 15


def test_only_the_projects_opened_last_keep_their_catalogue(compare_store: Store) -> None:
    first = open_catalogue(compare_store, "p")
    for name in "abc":
        create_project(compare_store, name)
        open_catalogue(compare_store, name)
    assert open_catalogue(compare_store, "p") is first
    for name in "defg":
        create_project(compare_store, name)
        open_catalogue(compare_store, name)
    assert open_catalogue(compare_store, "p") is not first


def test_it_sees_a_task_widened_and_a_decision_whose_id_was_drawn_earlier(
    compare_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_CHECK_SECONDS", 0.0), ("_PATIENCE", 0.0), ("_AT_ONCE_SECONDS", 100.0)):
        monkeypatch.setattr(catalogue, name, value)
    decide(compare_store, min(list_ids(open_catalogue(compare_store, "p"), Slice())), "drop", "x", "cora")
    open_catalogue(compare_store, "p")
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 5 WHERE id = (SELECT min(id) FROM tasks)"))
    widened = open_catalogue(compare_store, "p").ask("SELECT max(overlap) AS most FROM tasks")
    assert widened["most"].to_list() == [5]
    compare_store.write(
        lambda t: t.run(
            "INSERT INTO decisions SELECT decisions.* REPLACE ('dec_0' AS id, latest.id AS target_id) "
            "FROM decisions, (SELECT max(id) AS id FROM examples) AS latest"
        )
    )
    made = open_catalogue(compare_store, "p")
    assert count_rows(made, Slice(filters=(("decision", "is", ("drop",)),))) == 2


def test_a_catalogue_that_could_not_be_made_behind_the_page_leaves_the_earlier_one_and_is_tried_again(
    compare_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_CHECK_SECONDS", 0.0), ("_PATIENCE", 0.0), ("_AT_ONCE_SECONDS", 0.0)):
        monkeypatch.setattr(catalogue, name, value)
    made, make, tried = open_catalogue(compare_store, "p"), catalogue._make, []

    def make_at_the_second_try(store: Store, project_id: str) -> catalogue.Catalogue:
        tried.append(project_id)
        if len(tried) == 1:
            raise OSError("no space left on device")
        return make(store, project_id)

    monkeypatch.setattr(catalogue, "_make", make_at_the_second_try)
    judge(compare_store, "ana", {"verdict": "a", "strength": -1})
    deadline = time.monotonic() + 30
    while open_catalogue(compare_store, "p") is made:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(tried) == 2
    assert count_rows(open_catalogue(compare_store, "p"), Slice(filters=(("judgements", ">=", 1.0),))) == 1


def test_slices_are_saved_read_and_forgotten(own_shop: Store) -> None:
    late = Slice("late", (("raters", ">=", 2.0), ("category", "is", ("payment",))), "SELECT example_id FROM judgements")
    save_slice(own_shop, "p", "  late   money ", late, "cora")
    assert [(saved.name, saved.actor) for saved in list_slices(own_shop, "p")] == [("late money", "cora")]
    assert read_slice(own_shop, "p", "late money") == late
    assert len(find_examples(own_shop, "p", late)) == 1
    save_slice(own_shop, "p", "late money", Slice(), "ben")
    assert read_slice(own_shop, "p", "late money") == Slice()
    delete_slice(own_shop, "p", "late money", "ben")
    assert list_slices(own_shop, "p") == []
    for name, slice in ((" ", Slice()), ("x", Slice(sql="DROP TABLE tasks")), ("x", Slice(filters=(("a", "is", 1),)))):
        with pytest.raises(UsageError):
            save_slice(own_shop, "p", name, slice, "cora")


def test_an_empty_project_has_an_empty_catalogue(store: Store) -> None:
    create_project(store, "p")
    made = open_catalogue(store, "p")
    assert (count_rows(made, Slice("x")), list_rows(made, Slice()).height) == (0, 0)
    assert read_shape(made, Slice()).biases[0].share is None


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", max_codepoint=0x24F), max_size=30))
def test_words_are_folded_as_the_engine_folds_texts(words: str) -> None:
    sql = "SELECT strip_accents(lower(regexp_replace(?, '\\s+', ' ', 'g')))"
    if "\x00" not in words and "İ" not in words and not set(words) & set("\x0b\x1c\x1d\x1e\x1f\x85\xa0"):
        assert duckdb.execute(sql, [words]).fetchall()[0][0] == fold(words)
