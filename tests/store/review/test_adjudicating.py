"""A curator's last word: recorded once, current alone, withdrawable, and no part of anybody's work as an annotator."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.judging import annotating
from pitchpipe.store.judging.judgement_reading import (
    CURRENT_ADJUDICATIONS,
    CURRENT_JUDGEMENTS,
    measure_project_agreement,
)
from pitchpipe.store.judging.undoing import undo_last
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue import queueing
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.store.records import SubmitOutcome
from pitchpipe.store.review.adjudicating import (
    accept_judgement,
    adjudicate,
    close_task_flags,
    find_last_settled,
    withdraw_adjudication,
)
from pitchpipe.store.review.dispute_reading import list_settled, read_case
from pitchpipe.store.review.disputes import find_disputes
from tests.store import desk
from tests.store.judged import PROJECT, add_example, add_flag, add_judgement, add_task, prefer


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """What a curator decides is kept alike in both homes of the tables."""
    return str(request.param)


@pytest.fixture
def disputed(store: Store) -> Store:
    """Two raters for A, one for B, in the task t1."""
    add_example(store, "e1", "AB")
    add_task(store, "t1", "e1", "compare", "AB")
    for rater, side in (("ana", "a"), ("ben", "a"), ("eva", "b")):
        add_judgement(store, "t1", rater, prefer(side, -2 if side == "a" else 1), f"reason of {rater}")
    return store


def settle(store: Store, value: dict[str, Any], actor: str = "cora", adjudication_id: str = "adj1") -> SubmitOutcome:
    return adjudicate(store, PROJECT, "t1", value, reason="B is right", actor=actor, adjudication_id=adjudication_id)


def read_current(store: Store) -> list[tuple[str, str, dict[str, Any]]]:
    """Annotator, source and value of every current row of t1."""
    project_id = get_project(store, PROJECT).id
    frames = [store.read_frame(sql, [project_id]) for sql in (CURRENT_JUDGEMENTS, CURRENT_ADJUDICATIONS)]
    return [(r["annotator"], r["source"], json.loads(r["value"])) for frame in frames for r in frame.to_dicts()]


def read_adjudicated(store: Store) -> list[tuple[str, dict[str, Any]]]:
    return [(rater, value) for rater, source, value in read_current(store) if source == "adjudication"]


def test_an_adjudication_is_a_judgement_of_its_own_with_what_it_decides_between(disputed: Store) -> None:
    raters = [row[0] for row in disputed.read("SELECT id FROM judgements ORDER BY entry")]
    assert settle(disputed, prefer("b", 3)) is SubmitOutcome.RECORDED
    row = disputed.read("SELECT annotator, value, reason, source, detail FROM judgements WHERE id = 'adj1'")[0]
    assert row[:4] == ("cora", '{"strength":3,"verdict":"b"}', "B is right", "adjudication")
    assert json.loads(row[4]) == {"adjudicates": raters}
    assert len(read_current(disputed)) == 4
    assert find_disputes(disputed, PROJECT) == []
    assert find_last_settled(disputed, PROJECT, "cora") == "t1"


def test_the_same_id_again_is_a_success_that_adds_nothing(disputed: Store) -> None:
    settle(disputed, prefer("b", 3))
    assert settle(disputed, prefer("b", 3)) is SubmitOutcome.REPEATED
    assert len(read_adjudicated(disputed)) == 1
    with pytest.raises(UsageError, match="belongs to another"):
        settle(disputed, prefer("a", -3), actor="carl")


def test_accepting_takes_the_raters_value_and_says_whose(disputed: Store) -> None:
    eva = disputed.read("SELECT id FROM judgements WHERE annotator = 'eva'")[0][0]
    assert accept_judgement(disputed, PROJECT, eva, actor="cora", adjudication_id="adj1") is SubmitOutcome.RECORDED
    assert read_adjudicated(disputed) == [("cora", prefer("b", 1))]
    detail = json.loads(disputed.read("SELECT detail FROM judgements WHERE id = 'adj1'")[0][0])
    assert detail["accepts"] == eva


def test_an_answer_that_its_rater_has_changed_since_is_not_accepted(disputed: Store) -> None:
    old = disputed.read("SELECT id FROM judgements WHERE annotator = 'eva'")[0][0]
    add_judgement(disputed, "t1", "eva", prefer("a", -1))
    with pytest.raises(UsageError, match="changed or taken back"):
        accept_judgement(disputed, PROJECT, old, actor="cora", adjudication_id="adj1")
    assert read_adjudicated(disputed) == []


def test_a_later_adjudication_supersedes_whoever_made_it(disputed: Store) -> None:
    settle(disputed, prefer("b", 3))
    settle(disputed, prefer("a", -1), adjudication_id="adj2")
    assert read_adjudicated(disputed) == [("cora", prefer("a", -1))]
    settle(disputed, prefer("tie", 0), actor="carl", adjudication_id="adj3")
    assert read_adjudicated(disputed) == [("carl", prefer("tie", 0))]
    assert find_last_settled(disputed, PROJECT, "cora") is None


def test_withdrawing_brings_the_dispute_back_and_can_be_done_once(disputed: Store) -> None:
    settle(disputed, prefer("b", 3))
    assert withdraw_adjudication(disputed, PROJECT, "t1", "carl")
    assert not withdraw_adjudication(disputed, PROJECT, "t1", "carl")
    assert read_adjudicated(disputed) == []
    assert [dispute.task_id for dispute in find_disputes(disputed, PROJECT)] == ["t1"]
    settle(disputed, prefer("a", -2), adjudication_id="adj2")
    assert read_adjudicated(disputed) == [("cora", prefer("a", -2))]


def test_flags_are_closed_with_it_if_asked_and_open_again_with_a_withdrawal(disputed: Store) -> None:
    add_flag(disputed, "t1", "ana", "odd")
    adjudicate(disputed, PROJECT, "t1", prefer("b"), reason="", actor="cora", adjudication_id="adj1", closes_flags=True)
    assert disputed.read("SELECT closed_by FROM flags") == [("cora",)]
    withdraw_adjudication(disputed, PROJECT, "t1", "cora")
    assert disputed.read("SELECT closed_by, closed_at FROM flags") == [(None, None)]
    assert close_task_flags(disputed, PROJECT, "t1", "cora") == 1
    assert close_task_flags(disputed, PROJECT, "t1", "cora") == 0


def test_a_flag_after_the_settling_brings_the_task_back(disputed: Store) -> None:
    add_flag(disputed, "t1", "ana", "before")
    settle(disputed, prefer("b", 3))
    assert find_disputes(disputed, PROJECT) == []
    add_flag(disputed, "t1", "ben", "after")
    assert "after" in str(find_disputes(disputed, PROJECT))


def test_a_case_holds_what_everybody_said_and_names_writers_only_once_settled(disputed: Store) -> None:
    add_flag(disputed, "t1", "ana", "odd")
    case = read_case(disputed, PROJECT, "t1")
    assert [(answer.annotator, answer.reason) for answer in case.judgements] == [
        ("ana", "reason of ana"), ("ben", "reason of ben"), ("eva", "reason of eva"),
    ]  # fmt: skip
    assert (case.answers, case.models, case.settlement) == (("Answer A to e1", "Answer B to e1"), (), None)
    assert [flag.words for flag in case.flags] == ["odd"]
    accept_judgement(disputed, PROJECT, case.judgements[2].judgement_id, actor="cora", adjudication_id="adj1")
    settled = read_case(disputed, PROJECT, "t1")
    assert settled.models == ("hidden-model", "hidden-model")
    assert settled.settlement is not None and settled.settlement.accepts == case.judgements[2].judgement_id
    assert len(settled.judgements) == 3
    assert [(row["task_id"], row["request"]) for row in list_settled(disputed, PROJECT)] == [
        ("t1", "The request of e1")
    ]
    withdraw_adjudication(disputed, PROJECT, "t1", "cora")
    assert list_settled(disputed, PROJECT) == []


def test_a_blind_review_never_names_who_wrote_its_answers(disputed: Store) -> None:
    add_task(disputed, "review", "e1", "compare", "AB", batch="run_1")
    add_judgement(disputed, "review", "cora", prefer("a"), source="adjudication")
    case = read_case(disputed, PROJECT, "review")
    assert (case.can_settle, case.models) == (False, ())


def test_agreement_is_that_of_the_raters_alone(disputed: Store) -> None:
    before = measure_project_agreement(disputed, PROJECT, resamples=40)
    settle(disputed, prefer("b", 3))
    assert measure_project_agreement(disputed, PROJECT, resamples=40) == before


def test_a_value_that_does_not_fit_is_refused_and_records_nothing(disputed: Store) -> None:
    for value in ({"verdict": "left"}, {"verdict": "a", "strength": 2}, {}):
        with pytest.raises(UsageError):
            settle(disputed, value)
    with pytest.raises(NotFoundError, match="no task"):
        adjudicate(disputed, PROJECT, "t9", prefer("a"), reason="", actor="cora", adjudication_id="adj1")
    assert read_adjudicated(disputed) == []


def test_measurements_are_never_settled(disputed: Store) -> None:
    add_task(disputed, "review", "e1", "compare", "AB", batch="run_1")
    add_task(disputed, "again", "e1", "compare", "AB", purpose="repeat", repeat_of="t1")
    for task in ("review", "again"):
        with pytest.raises(UsageError, match="never settled"):
            adjudicate(disputed, PROJECT, task, prefer("a"), reason="", actor="cora", adjudication_id=task)


def only_task(store: Store) -> str:
    return str(store.read("SELECT id FROM tasks")[0][0])


def test_words_taken_over_stay_the_raters_and_are_counted_once(store: Store, tmp_path: Path) -> None:
    desk.add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, PROJECT, "edit")
    desk.judge(store, "ana", {"text": "The lid is green."}, judgement_id="j1")
    common = {"actor": "cora", "reason": "", "closes_flags": False}
    accept_judgement(store, PROJECT, "j1", adjudication_id="adj1", **common)  # type: ignore[arg-type]
    adjudicate(store, PROJECT, only_task(store), {"text": "The lid is green."}, adjudication_id="adj2", **common)  # type: ignore[arg-type]
    assert store.read("SELECT text FROM candidates WHERE judgement_id IS NOT NULL") == [("The lid is green.",)]
    assert create_tasks(store, PROJECT, "compare")["asked"] == 1
    # The curator's word stands also when the rater takes hers back.
    for name, rater in (("before", "ana"), ("after", "cora")):
        _, rows, dropped = desk.freeze(store, name)
        pairs = [(row["answer_a"], row["answer_b"], row["raters"]) for row in rows if row["pair_origin"] == "edit"]
        assert pairs == [("The lid is green.", "The lid is blue.", '["cora"]')]
        written = [(row["answer"], row["raters"]) for row in rows if row["origin"] == "person"]
        assert written == [("The lid is green.", f'["{rater}"]')]
        assert {drop["rule"] for drop in dropped} <= {"not_judged"}  # the comparison just made
        undo_last(store, PROJECT, "ana")
    assert create_tasks(store, PROJECT, "rate")["asked"] == 2


def test_words_of_the_curators_own_are_an_answer_that_counts_while_the_adjudication_does(
    store: Store, tmp_path: Path
) -> None:
    example = desk.add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, PROJECT, "edit")
    desk.judge(store, "ana", {"text": "The lid is green."}, judgement_id="j1")
    with pytest.raises(UsageError, match="Nothing was changed"):
        adjudicate(
            store, PROJECT, only_task(store), {"text": "The lid is blue."}, reason="", actor="cora",
            adjudication_id="adj0",
        )  # fmt: skip
    value = {"text": "The lid is red."}
    adjudicate(store, PROJECT, only_task(store), value, reason="", actor="cora", adjudication_id="adj1")
    rows = store.read("SELECT origin, text, parent_id FROM candidates WHERE judgement_id = 'adj1'")
    assert rows == [("person", "The lid is red.", f"{example}-0")]
    withdraw_adjudication(store, PROJECT, only_task(store), "cora")
    _, _, dropped = desk.freeze(store)
    assert [drop["rule"] for drop in dropped] == ["judgement_taken_back"]


def test_an_accepted_instruction_keeps_its_own_example_and_its_side_of_the_seal(store: Store, tmp_path: Path) -> None:
    desk.add_example(store, tmp_path, [], prompt="Write a request.")
    desk.add_example(store, tmp_path, ["x"], prompt="How do I clean the blue kettle?", split="holdout")
    create_tasks(store, PROJECT, "write")
    written = {"instruction": "How do I clean the blue kettle?", "text": "With vinegar."}
    desk.judge(store, "ana", written, judgement_id="j1")
    accept_judgement(store, PROJECT, "j1", actor="cora", adjudication_id="adj1")
    own = {"instruction": "How do I open the lid?", "text": "Press it."}
    _, rows, dropped = desk.freeze(store, "accepted")
    assert [(row["split"], row["answer"]) for row in rows] == [("holdout", "x"), ("holdout", "With vinegar.")]
    assert dropped == []
    adjudicate(store, PROJECT, only_task(store), own, reason="", actor="cora", adjudication_id="adj2")
    _, rows, dropped = desk.freeze(store, "own")
    found = [(row["split"], json.loads(row["messages"])[0]["content"], row["answer"]) for row in rows]
    assert found == [
        ("holdout", "How do I clean the blue kettle?", "x"), ("train", "How do I open the lid?", "Press it.")
    ]  # fmt: skip
    assert [drop["rule"] for drop in dropped] == ["overruled"]


def test_words_that_answer_a_question_stay_words_when_they_are_settled(store: Store, tmp_path: Path) -> None:
    desk.add_example(store, tmp_path, ["x"])
    create_tasks(store, PROJECT, "rate", rubric="checks")
    value = {"helpfulness": 3, "note": "the unit"}
    desk.judge(store, "ana", value, judgement_id="j1", text_questions=["note"])
    accept_judgement(store, PROJECT, "j1", actor="cora", adjudication_id="adj1")
    for name, words in (("accepted", "the unit"), ("own", "the source")):
        _, rows, _ = desk.freeze(store, name)
        assert json.loads(rows[0]["scores"]) == {"helpfulness": 3.0}
        assert json.loads(rows[0]["words"]) == {"note": [{"rater": "cora", "words": words}]}
        adjudicate(
            store, PROJECT, only_task(store), {**value, "note": "the source"}, reason="", actor="cora",
            adjudication_id=f"adj-{name}", text_questions=["note"],
        )  # fmt: skip


def test_a_curators_last_word_leaves_their_own_work_as_an_annotator_alone(compare_store: Store) -> None:
    """The curator judged the task herself, skipped another, and settles both."""
    first = queueing.claim_next_task(compare_store, "p", "cora")
    assert first is not None
    annotating.submit_judgement(
        compare_store, judgement_id="own", task_id=first.task_id, annotator="cora", token=first.token,
        value={"verdict": "first", "strength": -1},
    )  # fmt: skip
    second = queueing.claim_next_task(compare_store, "p", "cora")
    assert second is not None
    annotating.skip_task(
        compare_store, judgement_id="skip", task_id=second.task_id, annotator="cora", token=second.token, reason="hard"
    )
    before = queueing.count_progress(compare_store, "p", "cora")
    for place, task in enumerate((first, second)):
        adjudicate(
            compare_store, "p", task.task_id, prefer("b", 2), reason="", actor="cora", adjudication_id=f"adj{place}"
        )
    assert queueing.count_progress(compare_store, "p", "cora") == before
    # Her own judgement of the first task still counts as a rater's, beside her last word on it.
    project_id = get_project(compare_store, "p").id
    assert compare_store.read_frame(CURRENT_JUDGEMENTS, [project_id])["id"].to_list() == ["own"]
    assert compare_store.read_frame(CURRENT_ADJUDICATIONS, [project_id])["id"].to_list() == ["adj0", "adj1"]
    slots = compare_store.read("SELECT annotator, leased_until FROM assignments")
    assert slots == [("cora", None)]
    undone = undo_last(compare_store, "p", "cora")
    assert undone is not None and undone.task is not None and undone.task.task_id == second.task_id
    rows = compare_store.read("SELECT status, supersedes FROM judgements ORDER BY entry DESC LIMIT 1")
    assert rows == [("retracted", "skip")]


def test_an_adjudication_survives_a_lost_write_ahead_log(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    add_example(store, "e1", "AB")
    add_task(store, "t1", "e1", "compare", "AB")
    add_judgement(store, "t1", "cora", prefer("a", -1))
    store.checkpoint()
    settle(store, prefer("b", 3))
    # As a crash leaves it: the file as of the checkpoint, the log gone, the journal whole.
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("store.duckdb", "journal.jsonl"):
        shutil.copy(tmp_path / "w" / name, crashed / name)
    store.close()
    again = open_store(crashed)
    assert read_adjudicated(again) == [("cora", prefer("b", 3))]
    assert again.read("SELECT annotator FROM assignments") == [("cora",)]
    assert json.loads(again.read("SELECT detail FROM judgements WHERE id = 'adj1'")[0][0])["adjudicates"]
    again.close()


def test_an_instruction_of_the_curators_own_survives_a_lost_log_with_its_example(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    desk.add_example(store, tmp_path, [])
    create_tasks(store, PROJECT, "write")  # writes the file as it is
    value = {"instruction": "How do I open the lid?", "text": "Press it."}
    adjudicate(store, PROJECT, only_task(store), value, reason="", actor="cora", adjudication_id="adj1")
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("store.duckdb", "journal.jsonl"):
        shutil.copy(tmp_path / "w" / name, crashed / name)
    tables = ("judgements", "examples", "candidates", "group_splits")
    before = [store.read(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    store.close()
    again = open_store(crashed)
    assert [again.read(f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == before
    assert again.read("SELECT text FROM candidates") == [("Press it.",)]
    again.close()
