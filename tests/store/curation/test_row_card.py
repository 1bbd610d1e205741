"""The card of a row: what is known of it, and in plain words why it is in or out."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchpipe.store.curation.curating import act_on, decide, undo_action
from pitchpipe.store.curation.row_card import explain_standing, read_row_card
from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.freezing.snapshots import create_snapshot
from tests.store.desk import add_example, judge


def read_first(store: Store) -> str:
    return str(store.read("SELECT example_id FROM judgements UNION ALL SELECT id FROM examples LIMIT 1")[0][0])


def test_it_tells_who_said_what_of_which_answers(compare_store: Store) -> None:
    judge(compare_store, "ana", {"verdict": "b", "strength": 2}, reason="warmer")
    card = read_row_card(compare_store, "p", read_first(compare_store))
    opinion = card.opinions[0]
    assert (opinion.annotator, opinion.value["verdict"], opinion.reason) == ("ana", "b", "warmer")
    # The answers stand in the order of the task, so A and B mean the same on the card.
    assert opinion.answers == (0, 1) and card.answers[0].text.startswith("left")
    assert card.messages[0][0] == "user" and card.source == "compare.jsonl"


def test_a_drop_comes_first_in_words_and_an_undone_one_stays_on_record(compare_store: Store) -> None:
    example = read_first(compare_store)
    action = act_on(compare_store, "p", "drop", [example], note="spam", actor="cora")
    card = read_row_card(compare_store, "p", example)
    assert explain_standing(card)[0] == "Out of new snapshots: cora dropped it (spam)."
    undo_action(compare_store, action, "cora")
    card = read_row_card(compare_store, "p", example)
    assert card.decision is None and [found.is_undone for found in card.decisions] == [True]
    decide(compare_store, card.answers[0].candidate_id, "drop", "rude", "ben")
    words = explain_standing(read_row_card(compare_store, "p", example))
    assert "1 of its 2 answers is dropped." in words and words[-1] == "No snapshot has been made since it came."


def test_snapshots_tell_what_they_took_and_what_they_left_out_and_why(compare_store: Store) -> None:
    judge(compare_store, "ana", {"verdict": "a", "strength": -1})
    judged = read_first(compare_store)
    other = compare_store.read("SELECT id FROM examples WHERE id <> ? LIMIT 1", [judged])[0][0]
    create_snapshot(compare_store, "p", "first")
    assert "In 'first': 2 answers, 1 pair." in explain_standing(read_row_card(compare_store, "p", judged))
    words = explain_standing(read_row_card(compare_store, "p", other))
    assert "Not in 'first' as pair: nobody has judged this yet (not judged)." in words


def test_a_sealed_example_is_told_as_one(store: Store, tmp_path: Path) -> None:
    example = add_example(store, tmp_path, [], split="holdout")
    words = explain_standing(read_row_card(store, "p", example))
    assert words[0].startswith("Sealed: it measures models")
    assert "It has no answer yet, so there is nothing to learn from." in words


def test_an_example_of_another_project_is_not_found(compare_store: Store) -> None:
    with pytest.raises(NotFoundError, match="no example 'ex_none'"):
        read_row_card(compare_store, "p", "ex_none")
