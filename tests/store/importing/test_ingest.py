"""Importing: everything or nothing, twice is once, judgements keep their raters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import NotFoundError, PitchpipeError, UsageError
from pitchpipe.store.events import list_events
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.judgement_reading import measure_project_agreement
from pitchpipe.store.projects import create_project, list_projects
from pitchpipe.store.queue.queueing import claim_next_task

WriteLines = Callable[[str, list[str]], Path]
PANDALM = Path(__file__).parents[1] / "pandalm.map.toml"


def dump(store: Store) -> list[list[tuple[object, ...]]]:
    tables = ("examples", "candidates", "tasks", "judgements", "assignments", "group_splits")
    return [store.read(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]


def test_importing_the_same_file_again_adds_nothing(compare_store: Store, tmp_path: Path) -> None:
    before = dump(compare_store)
    report = import_file(compare_store, tmp_path / "compare.jsonl", "p", mapping=tmp_path / "compare.toml")
    assert report.rows == report.accepted == 10
    assert report.added == {"examples": 0, "candidates": 0, "tasks": 0, "judgements": 0}
    assert dump(compare_store) == before


def test_a_truncated_last_line_is_reported_and_the_rest_is_kept(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p")
    good = [json.dumps({"instruction": f"Do {n}", "input": "", "output": f"Done {n}"}) for n in range(3)]
    report = import_file(
        store, write_lines("cut.jsonl", [*good, '{"instruction": "Do 3", "outp']), "p", format="alpaca"
    )
    assert (report.accepted, report.rejected) == (3, 1)
    assert report.rejects[0]["line"] == 4
    assert report.added["examples"] == 3


@pytest.mark.parametrize(
    ("name", "content", "format"),
    [("none.jsonl", None, "alpaca"), ("empty.jsonl", "", "alpaca"), ("x.docx", "x", None), ("x.jsonl", "{}", "nope")],
)
def test_a_file_that_cannot_be_read_imports_nothing(
    store: Store, tmp_path: Path, name: str, content: str | None, format: str | None
) -> None:
    create_project(store, "p")
    before = dump(store)
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(PitchpipeError) as caught:
        import_file(store, tmp_path / name, "p", format=format)
    assert caught.value.happened
    assert caught.value.advice
    assert dump(store) == before
    assert list(store.workspace.glob(".import*")) == []


def test_a_failure_in_the_middle_leaves_no_row_behind(
    store: Store, write_lines: WriteLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.store.importing import ingest

    create_project(store, "p")
    before = dump(store)
    rows = [json.dumps({"instruction": f"Do {n}", "input": "", "output": "x"}) for n in range(3)]
    monkeypatch.setattr(ingest, "_count_holdout", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        import_file(store, write_lines("a.jsonl", rows), "p", format="alpaca")
    assert dump(store) == before
    assert list(store.workspace.glob(".import*")) == []


def test_a_new_project_is_made_together_with_its_rows_or_not_at_all(store: Store, write_lines: WriteLines) -> None:
    rows = [json.dumps({"instruction": f"Do {n}", "input": "", "output": "Done"}) for n in range(1000)]
    file = write_lines("rows.jsonl", rows)

    def stop(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(store, file, "new", format="alpaca", on_progress=stop, makes_project=True)
    assert list_projects(store) == [] and list_events(store) == []
    with pytest.raises(NotFoundError, match="no project 'new'"):
        import_file(store, file, "new", format="alpaca")
    report = import_file(store, file, "new", format="alpaca", makes_project=True, actor="petra")
    assert report.added["examples"] == 1000
    assert [project.name for project in list_projects(store)] == ["new"]
    assert [(event["actor"], event["action"]) for event in list_events(store)] == [
        ("petra", "import"), ("petra", "create_project"),
    ]  # fmt: skip
    assert import_file(store, file, "new", format="alpaca", makes_project=True).added["examples"] == 0
    with pytest.raises(UsageError, match="cannot be used"):
        import_file(store, file, "", format="alpaca", makes_project=True)


@pytest.mark.parametrize("name", ["split=train", "it's", "br[ab]ck", "st*r", "a b%20"])
def test_nothing_in_the_name_of_the_workspace_is_a_column_or_one_of_sqls_wildcards(
    tmp_path: Path, write_lines: WriteLines, name: str
) -> None:
    store = open_store(tmp_path / name / "w")
    create_project(store, "p", holdout_share=0.5, salt="s")
    rows = [json.dumps({"instruction": f"Do {n}", "input": "", "output": f"Done {n}"}) for n in range(40)]
    report = import_file(store, write_lines("a.jsonl", rows), "p", format="alpaca")
    assert report.added["examples"] == 40
    assert 5 < report.holdout < 35
    store.close()


def test_rows_of_one_tree_lie_on_one_side_even_with_other_requests(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.5, salt="s")
    mapping = write_lines("m.toml", ['kind = "write"', 'prompt = "{q}"', 'answer = "x"', 'tree = "{t}"'])
    rows = [json.dumps({"q": f"Question {n} of tree {n % 6}?", "t": f"t{n % 6}"}) for n in range(30)]
    import_file(store, write_lines("r.jsonl", rows[:15]), "p", mapping=mapping)
    import_file(store, write_lines("s.jsonl", rows[15:]), "p", mapping=mapping)
    sides = store.read(
        "SELECT e.tree, count(DISTINCT g.split) FROM examples e JOIN group_splits g ON g.group_id = e.group_id "
        "GROUP BY e.tree"
    )
    assert sorted(sides) == [(f"t{n}", 1) for n in range(6)]


def test_two_equal_answers_of_a_row_are_two_answers(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.0)
    mapping = write_lines("m.toml", ['kind = "compare"', 'prompt = "{q}"', 'answer_a = "{a}"', 'answer_b = "{b}"'])
    rows = write_lines("r.jsonl", [json.dumps({"q": "Same?", "a": "yes", "b": "yes"})])
    assert import_file(store, rows, "p", mapping=mapping).added["candidates"] == 2
    assert import_file(store, rows, "p", mapping=mapping).added["candidates"] == 0
    task = claim_next_task(store, "p", "ana")
    assert task is not None
    assert [answer.text for answer in task.answers] == ["yes", "yes"]


def test_one_id_cannot_name_two_conversations(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p")
    mapping = write_lines("m.toml", ['kind = "write"', 'id = "{id}"', 'prompt = "{q}"', 'answer = "{a}"'])
    rows = [{"id": "1", "q": "One?", "a": "x"}, {"id": "1", "q": "Two?", "a": "y"}, {"id": "1", "q": "One?", "a": "z"}]
    report = import_file(store, write_lines("r.jsonl", [json.dumps(row) for row in rows]), "p", mapping=mapping)
    assert (report.accepted, report.rejected, report.added["examples"], report.added["candidates"]) == (2, 1, 1, 2)
    later = write_lines("later.jsonl", [json.dumps({"id": "1", "q": "Three?", "a": "x"})])
    assert import_file(store, later, "p", mapping=mapping).rejected == 1


def test_a_declared_holdout_seals_the_group_whatever_the_order_of_rows(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.0)
    mapping = write_lines("m.toml", ['kind = "write"', 'prompt = "{q}"', 'answer = "{a}"', 'split = "{s}"'])
    rows = [{"q": "Same?", "a": "x", "s": ""}, {"q": "same", "a": "y", "s": "holdout"}]
    report = import_file(store, write_lines("r.jsonl", [json.dumps(row) for row in rows]), "p", mapping=mapping)
    assert report.holdout == 2
    again = write_lines("s.jsonl", [json.dumps({"q": "SAME!", "a": "z", "s": "train"})])
    late = import_file(store, again, "p", mapping=mapping)
    assert (late.holdout, late.split_conflicts) == (1, 1)


def test_a_worker_item_label_table_becomes_judgements_of_its_workers(store: Store, write_lines: WriteLines) -> None:
    create_project(store, "p", holdout_share=0.0)
    mapping = write_lines("m.toml", ['kind = "tag"', 'text = "{item}"', 'label = "{label}"', 'rater = "{worker}"'])
    lines = ["worker,item,label", "w1,great product,pos", "w2,great product,neg", "w3,great product,pos", "w1,bad,neg"]
    report = import_file(store, write_lines("t.csv", lines), "p", mapping=mapping)
    assert (report.added["examples"], report.added["tasks"], report.added["judgements"]) == (2, 2, 4)
    slots = store.read(
        "SELECT task_id, list(slot ORDER BY slot) FROM assignments GROUP BY task_id ORDER BY len(list(slot))"
    )
    assert [row[1] for row in slots] == [[1], [1, 2, 3]]
    assert claim_next_task(store, "p", "w9") is None


@pytest.mark.real_data
def test_pandalm_imports_whole_and_its_agreement_is_the_published_one(store: Store, real_data: Path) -> None:
    create_project(store, "pandalm")
    report = import_file(store, real_data / "pandalm_testset_3raters.json", "pandalm", mapping=PANDALM)
    assert (report.added["examples"], report.added["judgements"], report.rejected) == (999, 2997, 0)
    found = measure_project_agreement(store, "pandalm", resamples=100)[0].agreement
    assert found.alpha == pytest.approx(0.8642, abs=1e-4)
    assert found.ac1 == pytest.approx(0.8864, abs=1e-4)
    assert found.raw_agreement == pytest.approx(0.9199, abs=1e-4)
    assert found.unanimous == 879


@pytest.mark.real_data
def test_all_messages_of_an_oasst_tree_lie_on_one_side(store: Store, real_data: Path) -> None:
    create_project(store, "oasst", holdout_share=0.3)
    report = import_file(store, real_data / "oasst_en_100_tree.jsonl", "oasst", format="oasst")
    assert report.trees == 100
    sides = store.read(
        "SELECT e.tree, list(DISTINCT g.split) FROM examples e JOIN group_splits g ON g.group_id = e.group_id "
        "GROUP BY e.tree"
    )
    assert len(sides) == 100
    assert {len(split) for _, split in sides} == {1}
    assert {split[0] for _, split in sides} == {"train", "holdout"}


def test_an_answer_that_a_rater_wrote_elsewhere_stands_as_theirs(store: Store, tmp_path: Path) -> None:
    create_project(store, "p", holdout_share=0.0)
    result = {"from_name": "answer", "to_name": "prompt", "type": "textarea", "value": {"text": ["Hello."]}}
    task = {"id": 1, "data": {"prompt": "hi"}, "annotations": [{"completed_by": "ana", "result": [result]}]}
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([task]))
    report = import_file(store, path, "p")
    assert report.added == {"examples": 1, "candidates": 1, "tasks": 1, "judgements": 1}
    found = store.read(
        "SELECT c.text, c.origin, j.annotator, j.kind FROM candidates c JOIN judgements j ON j.id = c.judgement_id"
    )
    assert found == [("Hello.", "person", "ana", "write")]
    assert import_file(store, path, "p").added == {"examples": 0, "candidates": 0, "tasks": 0, "judgements": 0}


def test_splits_of_a_folder_declare_the_side_of_the_seal(store: Store, tmp_path: Path) -> None:
    create_project(store, "p", holdout_share=0.0)
    folder = tmp_path / "data"
    folder.mkdir()
    for split, number in (("train", 1), ("test", 2)):
        row = {"prompt": f"Question {number}?", "completion": "yes"}
        (folder / f"{split}-00000-of-00001.jsonl").write_text(json.dumps(row) + "\n")
    report = import_file(store, folder, "p")
    assert (report.accepted, report.holdout, report.file) == (2, 1, "data")


def test_rows_of_much_text_are_spooled_before_they_pile_up(
    store: Store, write_lines: WriteLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.store.importing import staging

    create_project(store, "p")
    monkeypatch.setattr(staging, "BATCH_CHARACTERS", 1000)
    waiting: list[int] = []
    flush = staging.Staging._flush

    def watch(self: staging.Staging) -> None:
        waiting.append(self._waiting)
        flush(self)

    monkeypatch.setattr(staging.Staging, "_flush", watch)
    rows = [json.dumps({"prompt": f"Do {n}", "completion": "x" * 600}) for n in range(5)]
    report = import_file(store, write_lines("a.jsonl", rows), "p")
    assert report.added["examples"] == 5
    assert waiting == [2, 2, 1]
