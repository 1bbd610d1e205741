"""Guidelines that change: which clauses did, who judged before, and being asked again."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import hash_text, new_id
from pitchpipe.store.judging.annotating import skip_task, submit_judgement
from pitchpipe.store.judging.history import list_history
from pitchpipe.store.judging.judgement_reading import CURRENT_JUDGEMENTS
from pitchpipe.store.judging.undoing import redo_last, reopen_task, undo_last
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.queueing import claim_next_task, count_progress
from pitchpipe.store.records import ClaimedTask, SubmitOutcome
from pitchpipe.store.review.asking_again import ask_again, read_ask
from pitchpipe.store.review.prompt_versions import (
    ClauseChange,
    compare_clauses,
    list_outdated,
    list_versions,
    note_version,
    split_clauses,
)

OLD, NEW = hash_text("old"), hash_text("new")


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    """What is kept of prompts is kept alike in both homes of the tables."""
    return str(request.param)


def judge(store: Store, annotator: str, guideline: str, verdict: str = "first", reason: str = "") -> ClaimedTask:
    task = claim_next_task(store, "p", annotator)
    assert task is not None
    outcome = submit_judgement(
        store, judgement_id=new_id("jdg"), task_id=task.task_id, annotator=annotator, token=task.token, reason=reason,
        value={"verdict": verdict, "strength": -1 if verdict == "first" else 1}, guideline_hash=guideline, seconds=8.5,
    )  # fmt: skip
    assert outcome is SubmitOutcome.RECORDED
    return task


def test_a_version_is_kept_once_with_its_text(store: Store) -> None:
    assert note_version(store, "guidelines", "helpfulness", "old", OLD)
    assert not note_version(store, "guidelines", "helpfulness", "old", OLD)
    note_version(store, "guidelines", "helpfulness", "new", NEW)
    note_version(store, "guidelines", "other", "else", hash_text("else"))
    assert [version.text for version in list_versions(store, "guidelines", "helpfulness")] == ["old", "new"]


def test_a_reworded_clause_is_one_change_and_a_new_one_an_addition() -> None:
    old = "# Good\n\nPrefer what lets the person act now.\n\n- Facts beat tone.\n- Shorter wins when both are right."
    new = "# Good\n\nPrefer what lets the\nperson act now.\n\n- Facts beat tone, always.\n- Name the next step."
    assert compare_clauses(old, new) == [
        ClauseChange("removed", "- Shorter wins when both are right.", ""),
        ClauseChange("changed", "- Facts beat tone.", "- Facts beat tone, always."),
        ClauseChange("added", "", "- Name the next step."),
    ]


def test_new_line_breaks_are_no_change() -> None:
    assert compare_clauses("One two\nthree.\n\n- a\n  b", "One two three.\n\n\n- a b") == []


@given(st.lists(st.sampled_from(["- a b c", "- d e f", "# g", "h i j", ""]), max_size=8))
def test_a_text_never_differs_from_itself_and_all_of_it_differs_from_nothing(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert compare_clauses(text, text) == []
    assert [change.after for change in compare_clauses("", text)] == split_clauses(text)


def test_judgements_under_an_earlier_guideline_are_listed_and_narrowed(compare_store: Store) -> None:
    judge(compare_store, "ana", OLD, reason="about refunds")
    judge(compare_store, "ana", OLD, verdict="second")
    judge(compare_store, "ana", NEW)
    found = list_outdated(compare_store, "p", NEW)
    assert [judgement.guideline_hash for judgement in found] == [OLD, OLD]
    assert [judgement.request for judgement in found] == ["Question number 0?", "Question number 1?"]
    assert [j.reason for j in list_outdated(compare_store, "p", NEW, words="REFUNDS")] == ["about refunds"]
    assert list_outdated(compare_store, "p", NEW, kind="rate") == []
    sides = [len(list_outdated(compare_store, "p", NEW, verdict=side)) for side in ("a", "b")]
    assert sum(sides) == 2
    assert list_outdated(compare_store, "p", OLD)[0].guideline_hash == NEW


def test_who_is_asked_again_gets_the_task_back_with_the_earlier_entry_and_the_reason(compare_store: Store) -> None:
    first = judge(compare_store, "ana", OLD, reason="as it was")
    judge(compare_store, "ana", OLD)
    wanted = list_outdated(compare_store, "p", NEW)[0].judgement_id
    assert ask_again(compare_store, "p", [wanted, "nonsense"], "cora", "Facts beat tone now") == {
        "asked": 1, "passed_over": 1,
    }  # fmt: skip
    assert ask_again(compare_store, "p", [wanted], "cora") == {"asked": 0, "passed_over": 1}
    assert list_outdated(compare_store, "p", NEW)[0].is_asked
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    assert task.task_id == first.task_id
    assert task.answers == first.answers
    assert task.draft is not None
    assert abs(time.time() * 1000 - task.draft.pop("at")) < 60_000  # newer than whatever a browser kept
    assert task.draft == {"value": {"verdict": "first", "strength": -1}, "reason": "as it was", "seconds": 8.5}
    assert read_ask(compare_store, task.task_id, "ana") == "Facts beat tone now"
    assert read_ask(compare_store, task.task_id, "ben") is None


def test_the_new_judgement_supersedes_the_old_in_what_counts(compare_store: Store) -> None:
    first = judge(compare_store, "ana", OLD)
    ask_again(compare_store, "p", [list_outdated(compare_store, "p", NEW)[0].judgement_id], "cora")

    def read_current() -> list[tuple[str, str | None]]:
        frame = compare_store.read_frame(CURRENT_JUDGEMENTS, [get_project(compare_store, "p").id])
        return list(frame.select("task_id", "guideline_hash").iter_rows())

    assert read_current() == [(first.task_id, OLD)]
    again = judge(compare_store, "ana", NEW, verdict="second")
    assert again.task_id == first.task_id
    assert read_current() == [(first.task_id, NEW)]
    assert read_ask(compare_store, first.task_id, "ana") is None
    # Asked once, answered once: the queue goes on with other work, and nobody else is asked.
    after = claim_next_task(compare_store, "p", "ana")
    assert after is not None and after.task_id != first.task_id
    assert count_progress(compare_store, "p", "ana").done == 1


@pytest.fixture
def asked(compare_store: Store) -> ClaimedTask:
    """The only task, with room for one; ana judged it, was asked again, and holds it."""
    compare_store.write(lambda t: t.run("DELETE FROM tasks WHERE position > (SELECT min(position) FROM tasks)"))
    compare_store.write(lambda t: t.run("UPDATE tasks SET overlap = 1"))
    judge(compare_store, "ana", OLD, reason="as it was")
    ask_again(compare_store, "p", [list_outdated(compare_store, "p", NEW)[0].judgement_id], "cora", "new words")
    assert count_progress(compare_store, "p", "ana").available == 1
    task = claim_next_task(compare_store, "p", "ana")
    assert task is not None
    assert count_progress(compare_store, "p", "ana").available == 1
    return task


def read_standing_values(store: Store) -> list[tuple[str, str]]:
    frame = store.read_frame(CURRENT_JUDGEMENTS, [get_project(store, "p").id])
    return list(frame.select("annotator", "value").iter_rows())


def test_a_task_that_is_asked_again_waits_for_its_annotator_and_goes_to_nobody_else(
    compare_store: Store, asked: ClaimedTask
) -> None:
    for days in (30, 60, 300):
        later = utc_now() + timedelta(days=days)
        assert claim_next_task(compare_store, "p", "ben", later) is None
        again = claim_next_task(compare_store, "p", "ana", later)
        assert again is not None and again.token == asked.token
    assert [(entry.status, entry.reason) for entry in list_history(compare_store, "p", "ana")] == [
        ("retracted", "new words")
    ]
    assert reopen_task(compare_store, "p", "ana", asked.task_id).task_id == asked.task_id
    assert claim_next_task(compare_store, "p", "ben", utc_now() + timedelta(days=30)) is None


def test_who_is_asked_again_can_say_the_same_again(compare_store: Store, asked: ClaimedTask) -> None:
    assert read_standing_values(compare_store) == []
    redone = redo_last(compare_store, "p", "ana")
    assert redone is not None and redone.action == "submit"
    assert [rater for rater, _ in read_standing_values(compare_store)] == ["ana"]
    assert read_ask(compare_store, asked.task_id, "ana") is None
    assert claim_next_task(compare_store, "p", "ana") is None
    assert undo_last(compare_store, "p", "ana") is not None


def test_who_skips_what_is_asked_again_leaves_it_to_others(compare_store: Store, asked: ClaimedTask) -> None:
    skip_task(
        compare_store, judgement_id="s1", task_id=asked.task_id, annotator="ana", token=asked.token, reason="cannot"
    )
    judge(compare_store, "ben", NEW)
    with pytest.raises(UsageError, match="Others have filled"):
        reopen_task(compare_store, "p", "ana", asked.task_id)
    assert [entry.status for entry in list_history(compare_store, "p", "ana")] == ["skipped"]


def test_a_judgement_that_was_changed_before_its_annotator_came_back_is_not_asked(compare_store: Store) -> None:
    judge(compare_store, "ana", OLD)
    ask_again(compare_store, "p", [list_outdated(compare_store, "p", NEW)[0].judgement_id], "cora")
    undone = undo_last(compare_store, "p", "ana")
    assert undone is not None and undone.task is not None
    judge(compare_store, "ana", NEW)
    following = claim_next_task(compare_store, "p", "ana")
    assert following is not None and following.task_id != undone.task.task_id


def test_the_lease_on_another_task_is_kept_before_what_is_asked(compare_store: Store) -> None:
    judge(compare_store, "ana", OLD)
    held = claim_next_task(compare_store, "p", "ana")
    ask_again(compare_store, "p", [list_outdated(compare_store, "p", NEW)[0].judgement_id], "cora")
    again = claim_next_task(compare_store, "p", "ana")
    assert held is not None and again is not None and again.task_id == held.task_id


def test_the_shipped_guideline_is_split_into_its_clauses() -> None:
    text = (Path(__file__).parents[3] / "prompts" / "guidelines" / "helpfulness.md").read_text(encoding="utf-8")
    clauses = split_clauses(text)
    assert clauses[:3] == [
        "# What counts as a good answer",
        "Prefer the answer that lets the person act now.",
        "- **Facts beat tone.** A friendly answer that is wrong is worse than a curt one that is right.",
    ]
