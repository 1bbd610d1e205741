"""What each kind of judgement becomes in a snapshot: every expected row worked out by hand, nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.knowledge import FIRST_COLUMNS
from pitchpipe.store.freezing.snapshot_building import identify_row
from pitchpipe.store.freezing.snapshots import create_snapshot, diff_snapshots, read_rows, verify_snapshot
from pitchpipe.store.identity import content_id, new_id
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.store.review import adjudicating
from pitchpipe.training.rows.formats import build_rows
from tests.store.desk import add_example, freeze, judge

SCREEN = {
    "compare": {"verdict": "a", "strength": -1},
    "rate": [{"helpfulness": 4, "tone": "warm"}, {"helpfulness": 1}],
    "edit": {"answer": 1, "text": "right, corrected"},
}


@pytest.fixture
def screen_store(store: Store, tmp_path: Path) -> Store:
    """One example with the answers "left" and "right" and one task that compares, rates and corrects them."""
    add_example(store, tmp_path, ["left", "right"])
    create_tasks(store, "p", "screen", rubric="compare_rate_correct", parts=["compare", "rate", "edit"])
    return store


def adjudicate(store: Store, value: dict[str, Any], curator: str = "cora") -> str:
    """A curator's last word on the only task."""
    task_id, adjudication_id = store.read("SELECT id FROM tasks")[0][0], new_id("adj")
    adjudicating.adjudicate(
        store, "p", task_id, value, reason="", actor=curator, adjudication_id=adjudication_id
    )  # fmt: skip
    return adjudication_id


def only(rows: list[dict[str, Any]], kind: str, **columns: Any) -> dict[str, Any]:
    (found,) = [row for row in rows if row["row_kind"] == kind and columns.items() <= row.items()]
    return found


def test_one_screen_feeds_every_form(screen_store: Store) -> None:
    """Ana prefers left by 1, rates left 4 and right 1 (a gap of 3), and corrects right.

    DPO: left over right with margin 1, and the correction over right with margin 0 (nobody said by how much).
    Reward: the same pairs, the first with the rating gap 3, the second with 0 (the correction has no rating).
    KTO: left is good (4 >= 3), right is bad (1 < 3), the correction is good (a person wrote it).
    SFT: the correction, before the better rated left.
    """
    judge(screen_store, "ana", SCREEN)
    snapshot, rows, dropped = freeze(screen_store)
    frame = read_rows(snapshot.folder)
    assert (len(rows), dropped) == (5, [])  # three answers, the comparison, the correction

    def texts(form: str, *columns: str) -> list[tuple[Any, ...]]:
        result = build_rows(form, frame)
        assert result.considered == len(result.kept) + len(result.dropped)
        found = [
            tuple(row[c][0]["content"] if isinstance(row[c], list) else row[c] for c in columns) for row in result.kept
        ]
        return sorted(found)

    assert texts("dpo", "chosen", "rejected", "margin") == [
        ("left", "right", 1.0), ("right, corrected", "right", 0.0)
    ]  # fmt: skip
    assert texts("reward", "chosen", "rejected", "margin") == [
        ("left", "right", 3.0), ("right, corrected", "right", 0.0)
    ]  # fmt: skip
    assert texts("kto", "completion", "label") == [
        ("left", True), ("right", False), ("right, corrected", True)
    ]  # fmt: skip
    assert texts("sft", "completion") == [("right, corrected",)]
    assert build_rows("sft", frame).kept[0]["prompt"] == [{"role": "user", "content": "What colour is the lid?"}]
    assert only(rows, "answer", answer="left")["scores"] == '{"helpfulness": 4.0, "tone": "warm"}'


def test_ratings_on_a_screen_join_those_of_rate_tasks_on_the_same_answer(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN)
    screen_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    create_tasks(screen_store, "p", "rate", limit=1)  # of the answer "left"
    judge(screen_store, "ben", {"helpfulness": 2, "tone": "cold"})
    judge_third = {"helpfulness": 3, "tone": "cold"}
    judge(screen_store, "cai", judge_third)
    _, rows, _ = freeze(screen_store)
    left = only(rows, "answer", answer="left")
    # (4 + 2 + 3) / 3 = 3 with one of three within half a step; cold is said by two of three
    assert json.loads(left["scores"]) == {"helpfulness": 3.0, "tone": "cold"}
    assert left["support"] == pytest.approx((1 / 3 + 2 / 3) / 2)
    assert left["n_judgements"] == 3
    assert left["raters"] == '["ana", "ben", "cai"]'


def test_a_screen_with_a_ranking_and_labels_gives_pairs_and_a_labelled_text(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["a", "b", "c"])
    create_tasks(store, "p", "screen", rubric="mine", parts=["rank", "tag"])
    judge(store, "ana", {"rank": {"ranks": [0, 1, 1]}, "tag": {"labels": ["refund"]}})
    _, rows, _ = freeze(store)
    pairs = [(row["answer_a"], row["answer_b"], row["verdict"]) for row in rows if row["row_kind"] == "pair"]
    assert pairs == [("a", "b", "a"), ("a", "c", "a"), ("b", "c", "tie")]
    assert {row["weight"] for row in rows if row["row_kind"] == "pair"} == {1 / 3}
    label = only(rows, "label")
    assert (label["labels"], label["answer"]) == ('["refund"]', None)


def test_a_screen_nobody_judged_is_listed_and_one_taken_back_too(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN, judgement_id="j")
    kept, _, _ = freeze(screen_store, "one")
    undo_last(screen_store, "p", "ana")
    without, _, dropped = freeze(screen_store, "two")
    assert sorted((drop["row_kind"], drop["rule"]) for drop in dropped) == [
        ("answer", "judgement_taken_back"), ("screen", "not_judged")
    ]  # fmt: skip
    changes = diff_snapshots(kept.folder, without.folder)
    # both pairs and the corrected answer are gone, and the two answers lost their ratings
    assert (len(changes["removed"]), len(changes["changed"]), changes["added"]) == (3, 2, [])
    assert verify_snapshot(kept.folder) == []


USER, REPLY = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}
MORE = {"role": "user", "content": "And now?"}


def test_each_rated_turn_is_an_answer_to_what_was_said_before_it(store: Store, tmp_path: Path) -> None:
    example = add_example(store, tmp_path, ["Bye."], messages=[USER, REPLY, MORE])
    create_tasks(store, "p", "turns", rubric="turns")
    judge(store, "ana", {"turns": {"1": {"helpfulness": 4}, "3": {"helpfulness": 1}}})
    judge(store, "ben", {"turns": {"1": {"helpfulness": 3}}})
    snapshot, rows, dropped = freeze(store)
    assert dropped == []
    inner, last = only(rows, "answer", answer="Hello."), only(rows, "answer", answer="Bye.")
    assert json.loads(inner["messages"]) == [USER]
    assert (inner["scores"], inner["origin"], inner["turn"], inner["n_judgements"]) == (
        '{"helpfulness": 3.5}', "import", 1, 2
    )  # fmt: skip
    assert (last["scores"], last["candidate_id"], last["turn"]) == ('{"helpfulness": 1.0}', f"{example}-0", None)
    assert json.loads(last["messages"]) == [USER, REPLY, MORE]
    sft = build_rows("sft", read_rows(snapshot.folder))
    assert [row["completion"][0]["content"] for row in sft.kept] == ["Hello."]
    assert verify_snapshot(snapshot.folder) == []


def test_marked_stretches_carry_the_share_of_raters_who_marked_an_overlap(store: Store, tmp_path: Path) -> None:
    """Ana marks 4-9, ben 6-12 with the same label: each overlaps the other, so 2 of 3. Ben's "tone" is his alone: 1 of
    3. Cai found nothing. The row's support is their mean, (2/3 + 2/3 + 1/3) / 3 = 5/9."""
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "span", rubric="errors")
    judge(store, "ana", {"spans": [{"start": 4, "end": 9, "label": "false"}]})
    judge(store, "ben", {"spans": [{"start": 6, "end": 12, "label": "false"}, {"start": 4, "end": 9, "label": "tone"}]})
    judge(store, "cai", {"spans": []})
    _, rows, dropped = freeze(store)
    row = only(rows, "span")
    assert (row["answer"], dropped) == ("The lid is blue.", [])
    assert json.loads(row["spans"]) == [
        {"start": 4, "end": 9, "label": "false", "support": pytest.approx(2 / 3)},
        {"start": 4, "end": 9, "label": "tone", "support": pytest.approx(1 / 3)},
        {"start": 6, "end": 12, "label": "false", "support": pytest.approx(2 / 3)},
    ]
    assert row["support"] == pytest.approx(5 / 9)


def test_no_error_found_by_all_is_a_row_with_full_support(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "span", rubric="errors")
    _, rows, dropped = freeze(store, "before")
    assert [drop["rule"] for drop in dropped] == ["not_judged"]
    judge(store, "ana", {"spans": []})
    _, rows, _ = freeze(store, "after")
    assert (only(rows, "span")["spans"], only(rows, "span")["support"]) == ("[]", 1.0)


def test_words_are_kept_by_rater_and_never_voted_on(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "rate", rubric="checks")
    for name, words in (("ana", "no size"), ("ben", "too short")):
        judge(store, name, {"helpfulness": 3, "note": words}, text_questions=["note"])
    judge(store, "cai", {"helpfulness": 3, "note": "x" * 81})  # longer than an option could be
    _, rows, _ = freeze(store)
    row = only(rows, "answer")
    assert json.loads(row["scores"]) == {"helpfulness": 3.0}
    assert json.loads(row["words"])["note"][:2] == [
        {"rater": "ana", "words": "no size"}, {"rater": "ben", "words": "too short"}
    ]  # fmt: skip
    assert len(json.loads(row["words"])["note"]) == 3


def test_an_adjudication_decides_alone(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN)
    judge(screen_store, "ben", {"compare": {"verdict": "a", "strength": -3}})
    decided = adjudicate(screen_store, {"compare": {"verdict": "b", "strength": 1}})
    _, rows, dropped = freeze(screen_store)
    pair = only(rows, "pair")
    assert (pair["verdict"], pair["strength"], pair["strategy"], pair["raters"]) == (
        "b",
        1.0,
        "adjudicated",
        '["cora"]',
    )
    assert json.loads(pair["judgement_ids"]) == [decided]
    assert [(drop["rule"], drop["reason"].split()[0]) for drop in dropped] == [("overruled", "cora")]
    assert only(rows, "answer", answer="left")["scores"] is None
    adjudicating.withdraw_adjudication(screen_store, "p", screen_store.read("SELECT id FROM tasks")[0][0], "cora")
    _, rows, dropped = freeze(screen_store, "after")
    assert only(rows, "pair", pair_origin="compare")["verdict"] == "a"
    assert dropped == []


def test_a_curator_who_chooses_an_annotators_correction_keeps_it_as_theirs(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    judge(store, "ana", {"text": "The lid is green."})
    judge(store, "ben", {"text": "The lid is red."})
    adjudicate(store, {"text": "The lid is red."})
    _, rows, dropped = freeze(store)
    pair = only(rows, "pair")
    assert (pair["answer_a"], pair["answer_b"], pair["strategy"]) == (
        "The lid is red.", "The lid is blue.", "adjudicated"
    )  # fmt: skip
    assert only(rows, "answer", origin="person")["answer"] == "The lid is red."
    assert [drop["rule"] for drop in dropped] == ["overruled"]


def test_a_curators_own_correction_is_an_answer_and_one_that_is_missing_is_listed(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    decided = adjudicate(store, {"text": "a third version"})
    _, rows, dropped = freeze(store, "one")
    pair = only(rows, "pair")
    assert (pair["answer_a"], pair["answer_b"], pair["strategy"], pair["raters"]) == (
        "a third version", "The lid is blue.", "adjudicated", '["cora"]'
    )  # fmt: skip
    assert dropped == []
    store.write(lambda t: t.run("DELETE FROM candidates WHERE judgement_id = ?", [decided]))
    _, _, dropped = freeze(store, "two")
    assert [drop["rule"] for drop in dropped] == ["answer_not_stored"]


def test_of_two_curators_the_last_decides(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN)
    adjudicate(screen_store, {"compare": {"verdict": "b", "strength": 1}}, curator="dan")
    adjudicate(screen_store, {"compare": {"verdict": "tie", "strength": 0}}, curator="cora")
    _, rows, _ = freeze(screen_store)
    assert only(rows, "pair")["verdict"] == "tie"


def test_a_repeat_measures_its_rater_and_is_no_data(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN)
    screen_store.write(lambda t: t.run(
        "INSERT INTO tasks (id, project_id, example_id, kind, candidate_ids, overlap, priority, batch, position, "
        "created_at, rubric, purpose, repeat_of, only_for) SELECT 'again', project_id, example_id, kind, "
        "candidate_ids, 1, 9, '', position, created_at, rubric, NULL, id, 'ana' FROM tasks"
    ))  # fmt: skip
    screen_store.queue_memory.drop_windows()
    judge(screen_store, "ana", {"compare": {"verdict": "b", "strength": 3}, "rate": [{"helpfulness": 0}, {}]})
    screen_store.write(lambda t: t.run("UPDATE tasks SET purpose = 'repeat' WHERE id = 'again'"))
    _, rows, dropped = freeze(screen_store)
    assert only(rows, "pair", pair_origin="compare")["verdict"] == "a"
    assert json.loads(only(rows, "answer", answer="left")["scores"])["helpfulness"] == 4.0
    assert [(drop["rule"], drop["unit"]) for drop in dropped] == [("repeat", "again")]
    found = {question.question: question.agreement for question in measure_project_agreement(screen_store, "p")}
    assert found["verdict"].ratings == 1


def test_the_same_pair_asked_by_two_tasks_is_two_units_of_a_diff(screen_store: Store) -> None:
    create_tasks(screen_store, "p", "compare")
    values = {"screen": {"compare": {"verdict": "a", "strength": -1}}, "compare": {"verdict": "a", "strength": -3}}

    def judge_both(annotator: str) -> None:
        for kind in ("screen", "compare"):
            screen_store.write(lambda t, kind=kind: t.run("UPDATE tasks SET priority = (kind = ?)::INT", [kind]))  # type: ignore[misc]
            judge(screen_store, annotator, values[kind])

    judge_both("ana")
    one, _, _ = freeze(screen_store, "one")
    judge_both("ben")
    two = create_snapshot(screen_store, "p", "two")
    changes = diff_snapshots(one.folder, two.folder)
    assert [change["verdict"] for change in changes["changed"]] == [["a", "a"], ["a", "a"]]
    assert (changes["added"], changes["removed"]) == ([], [])


def test_a_snapshot_made_before_the_later_columns_still_verifies() -> None:
    row = dict.fromkeys(FIRST_COLUMNS, "x")
    before = content_id("row", {column: "x" for column in FIRST_COLUMNS if column != "row_id"})
    assert identify_row(row) == before
    assert identify_row({**row, "turn": None, "spans": None, "words": None}) == before
    assert identify_row({**row, "turn": 1}) != before


def test_a_dropped_example_takes_all_of_its_units_along(screen_store: Store) -> None:
    judge(screen_store, "ana", SCREEN)
    example = screen_store.read("SELECT id FROM examples")[0][0]
    decide(screen_store, example, "drop", "off topic", "cora")
    with pytest.raises(Exception, match="0 rows, 5 drops"):
        freeze(screen_store)
