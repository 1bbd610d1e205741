"""What people write becomes an answer or an example of its own: it counts while its judgement does, and never leaks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.judging.annotating import save_draft, submit_judgement
from pitchpipe.store.judging.undoing import redo_last, undo_last
from pitchpipe.store.judging.written_answers import measure_correction
from pitchpipe.store.lineage import trace_lineage
from pitchpipe.store.queue.tasking import create_tasks
from tests.store.desk import add_example, claim, freeze, judge

WRITTEN = {"instruction": "How do I clean the blue kettle?", "text": "With vinegar."}


@pytest.fixture(params=["file", "postgres"])
def home(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def details(store: Store) -> list[dict[str, object]]:
    rows = store.read("SELECT detail FROM judgements ORDER BY entry")
    return [json.loads(row[0]) if row[0] else {} for row in rows]


@pytest.mark.parametrize(
    ("original", "text", "characters", "words"),
    [
        ("kitten", "sitting", 3, 1),  # Levenshtein's textbook pair
        ("The lid is blue.", "The lid is blue. Ask us.", 8, 2),
        ("one two three", "three", 8, 2),
        ("", "new", 3, 1),
    ],
)
def test_the_edit_distance_counts_characters_and_words(original: str, text: str, characters: int, words: int) -> None:
    assert measure_correction(original, text) == {"edit_distance": characters, "edited_words": words}


def test_a_correction_keeps_how_far_it_goes(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    judge(store, "ana", {"text": "The lid is green."})
    assert details(store) == [{"edit_distance": 4, "edited_words": 1}]
    undo_last(store, "p", "ana")
    assert details(store)[1] == {}


def test_a_correction_that_changes_nothing_is_refused_and_the_lease_stays(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    task = claim(store, "ana")
    with pytest.raises(UsageError, match="Nothing was changed"):
        submit_judgement(
            store, judgement_id="j", task_id=task.task_id, annotator="ana", token=task.token,
            value={"text": "The lid is blue."},
        )  # fmt: skip
    assert store.read("SELECT count(*) FROM candidates") == [(1,)]
    assert claim(store, "ana").token == task.token


def test_a_correction_on_a_screen_is_a_candidate_that_comes_from_the_answer_it_corrects(
    store: Store, tmp_path: Path
) -> None:
    example = add_example(store, tmp_path, ["left", "right"])
    create_tasks(store, "p", "screen", rubric="compare_rate_correct", parts=["compare", "rate", "edit"])
    value = {"compare": {"verdict": "a", "strength": -1}, "edit": {"answer": 1, "text": "right!"}}
    judge(store, "ana", value, judgement_id="j")
    rows = store.read("SELECT origin, text, parent_id FROM candidates WHERE judgement_id = 'j'")
    assert rows == [("person", "right!", f"{example}-1")]
    assert details(store) == [{"edit_distance": 1, "edited_words": 1}]


def test_any_unfinished_draft_is_kept_as_it_is(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["a", "b", "c"])
    create_tasks(store, "p", "rank")
    task = claim(store, "ana")
    body = {"value": {"ranks": [1, None, None]}, "reason": ""}
    assert save_draft(store, task.task_id, "ana", task.token, body)
    assert claim(store, "ana").draft == body


def test_a_written_instruction_is_an_example_with_its_answer(store: Store, tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    seed = add_example(store, tmp_path, [], messages=[system, {"role": "user", "content": "Write a request."}])
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN, judgement_id="j")
    example = store.read("SELECT id, messages, position, metadata FROM examples WHERE import_id = 'j'")[0]
    assert json.loads(example[1]) == [system, {"role": "user", "content": WRITTEN["instruction"]}]
    assert json.loads(example[3]) == {"written_beside": seed}
    assert store.read("SELECT example_id, origin, text FROM candidates") == [(example[0], "person", "With vinegar.")]
    _, rows, _ = freeze(store)
    assert [(row["row_kind"], row["answer"], row["source"], row["raters"]) for row in rows] == [
        ("answer", "With vinegar.", "studio", '["ana"]')
    ]


def test_an_instruction_that_was_taken_back_gives_neither_row_nor_task(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["kept"], prompt="Another request")
    add_example(store, tmp_path, [], prompt="Write a request.")
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN, judgement_id="j")
    assert create_tasks(store, "p", "rate")["asked"] == 2
    undo_last(store, "p", "ana")
    assert create_tasks(store, "p", "rate")["asked"] == 1
    assert create_tasks(store, "p", "tag", rubric="topics")["asked"] == 2
    _, rows, dropped = freeze(store)
    assert [row["answer"] for row in rows] == ["kept"]
    assert "judgement_taken_back" in {drop["rule"] for drop in dropped}


def test_what_others_said_of_an_instruction_falls_with_it(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["kept"], prompt="Another request")
    add_example(store, tmp_path, [], prompt="Write a request.")
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN)
    create_tasks(store, "p", "tag", rubric="topics")
    store.write(lambda t: t.run("UPDATE tasks SET priority = position WHERE kind = 'tag'"))
    judge(store, "ben", {"labels": ["product"]})  # the written example stands last
    undo_last(store, "p", "ana")
    _, rows, dropped = freeze(store)
    assert [row["row_kind"] for row in rows] == ["answer"]
    assert ("label", "judgement_taken_back") in {(drop["row_kind"], drop["rule"]) for drop in dropped}


def test_a_redone_instruction_is_the_same_example_with_the_same_answer(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, [])
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN, judgement_id="j")
    for _ in range(2):  # what is done again can be taken back again
        undo_last(store, "p", "ana")
        assert create_tasks(store, "p", "rate")["asked"] == 0
        redo_last(store, "p", "ana")
        assert create_tasks(store, "p", "rate")["asked"] == 1
    assert store.read("SELECT text, judgement_id FROM candidates") == [("With vinegar.", "j")]
    redone = store.read("SELECT id FROM judgements ORDER BY entry DESC LIMIT 1")[0][0]
    _, rows, dropped = freeze(store)
    assert [(row["answer"], row["judgement_ids"]) for row in rows] == [("With vinegar.", f'["{redone}"]')]
    assert "judgement_taken_back" not in {drop["rule"] for drop in dropped}
    example = store.read("SELECT id FROM examples WHERE import_id = 'j'")[0][0]
    assert example in trace_lineage(store, redone)["led_to"]["example"]["ids"]


def test_what_others_said_of_a_correction_that_was_done_again_counts(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "edit")
    judge(store, "ana", {"text": "The lid is green."})
    create_tasks(store, "p", "compare")
    store.write(lambda t: t.run("UPDATE tasks SET priority = 1 WHERE kind = 'compare'"))
    judge(store, "ben", {"verdict": "b", "strength": 2})
    undo_last(store, "p", "ana")
    redo_last(store, "p", "ana")
    _, rows, dropped = freeze(store)
    assert {(row["pair_origin"], row["answer_a"], row["verdict"]) for row in rows if row["row_kind"] == "pair"} == {
        ("compare", "The lid is blue.", "b"), ("edit", "The lid is green.", "a")
    }  # fmt: skip
    assert dropped == []


def test_lineage_leads_from_a_written_example_to_its_judgement_and_back(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, [])
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN, judgement_id="j")
    example = store.read("SELECT id FROM examples WHERE import_id = 'j'")[0][0]
    made_from = trace_lineage(store, example)["made_from"]
    assert made_from["judgement"]["ids"] == ["j"]
    assert made_from["annotator"]["ids"] == ["ana"]
    assert example in trace_lineage(store, "j")["led_to"]["example"]["ids"]
    assert all(not id.startswith("j") for id in made_from.get("import", {"ids": []})["ids"])


def sides(store: Store) -> dict[str, str]:
    return dict(
        store.read(
            "SELECT e.messages, g.split FROM examples AS e JOIN group_splits AS g ON g.group_id = e.group_id "
            "WHERE e.metadata LIKE '%written_beside%'"
        )
    )


def test_a_written_instruction_never_carries_a_sealed_request_to_the_training_side(
    store: Store, tmp_path: Path
) -> None:
    add_example(store, tmp_path, ["x"], prompt="How do I clean the blue kettle", split="holdout")
    add_example(store, tmp_path, [], prompt="Write a request.")
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN)
    assert list(sides(store).values()) == ["holdout"]  # the same request in normal form: it stays sealed
    _, rows, _ = freeze(store)
    assert {row["split"] for row in rows} == {"holdout"}


def test_what_is_written_beside_a_sealed_example_is_sealed_too(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, [], prompt="What do you sell?", split="holdout")
    store.write(lambda t: t.run(
        "INSERT INTO tasks (id, project_id, example_id, kind, candidate_ids, overlap, priority, batch, position, "
        "created_at) SELECT 'w', project_id, id, 'write', '[]', 3, 0, '', 1, created_at FROM examples"
    ))  # fmt: skip
    judge(store, "ana", WRITTEN)
    assert list(sides(store).values()) == ["holdout"]


def test_a_written_example_survives_a_lost_log(tmp_path: Path) -> None:
    store = open_store(tmp_path / "w")
    add_example(store, tmp_path, [])
    create_tasks(store, "p", "write")
    judge(store, "ana", WRITTEN, judgement_id="j")
    before = store.read("SELECT * FROM examples ORDER BY id"), store.read("SELECT * FROM candidates ORDER BY id")
    splits = store.read("SELECT * FROM group_splits ORDER BY group_id")
    journal = (tmp_path / "w" / "journal.jsonl").read_bytes()
    store.write(lambda t: t.run("DELETE FROM judgements"))
    store.write(lambda t: t.run("DELETE FROM candidates"))
    store.write(lambda t: t.run("DELETE FROM examples WHERE import_id = 'j'"))
    store.write(lambda t: t.run("DELETE FROM group_splits WHERE reason LIKE 'salted%'"))
    store.close()
    (tmp_path / "w" / "journal.jsonl").write_bytes(journal)
    again = open_store(tmp_path / "w")
    assert (
        again.read("SELECT * FROM examples ORDER BY id"),
        again.read("SELECT * FROM candidates ORDER BY id"),
    ) == before
    assert again.read("SELECT * FROM group_splits ORDER BY group_id") == splits
    assert again.read("SELECT id, detail FROM judgements") == [("j", None)]
    again.close()


def test_which_questions_were_answered_in_words_is_kept_with_the_judgement(store: Store, tmp_path: Path) -> None:
    add_example(store, tmp_path, ["The lid is blue."])
    create_tasks(store, "p", "rate")
    judge(store, "ana", {"helpfulness": 3, "note": "no size"}, text_questions=["note"])
    assert details(store) == [{"text_questions": ["note"]}]
