"""A classifier pre-fills tag tasks that wait: which tasks, which labels, and who is told what."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.judging.annotating import submit_judgement
from pitchpipe.store.projects import change_rules, create_project
from pitchpipe.store.queue.gold import set_gold
from pitchpipe.store.queue.labelling import list_open_texts
from pitchpipe.store.queue.queueing import claim_next_task
from pitchpipe.store.queue.tasking import create_tasks
from pitchpipe.store.runs import register_run
from pitchpipe.studio import labelling_verbs
from pitchpipe.studio.cli import app
from pitchpipe.studio.labelling_verbs import suggest_labels

TEXTS = ["Where is my parcel?", "I want my money back.", "Close my account.", "Does it float?"]
SAID = {
    TEXTS[0]: ("delivery", 0.9),
    TEXTS[1]: ("refund", 0.4),
    TEXTS[2]: ("closure", 0.99),
    TEXTS[3]: ("product", 0.7),
}


@pytest.fixture
def tagged(store: Store, write_lines: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Store:
    """Four requests with tag tasks, the fourth of which somebody has done, and a finished classify run."""
    create_project(store, "p", holdout_share=0.0, minimum_dwell_ms=0)
    rows = [json.dumps({"messages": [{"role": "user", "content": text}]}) for text in TEXTS]
    import_file(store, write_lines("rows.jsonl", rows), "p")
    create_tasks(store, "p", "tag", rubric="topics")
    # The last of them comes first, and all before the requests that wait for an answer.
    store.write(lambda t: t.run("UPDATE tasks SET priority = 1 + position WHERE kind = 'tag'"))
    task = claim_next_task(store, "p", "anna")
    assert task is not None
    value = {"labels": ["product"]}
    submit_judgement(store, judgement_id="j1", task_id=task.task_id, annotator="anna", token=task.token, value=value)
    register_run(store, "p", make_run(store.workspace / "runs" / "run_topics", "classify"))

    def answer(_: Path, texts: Sequence[str], on_progress: object) -> list[tuple[str, float]]:
        return [SAID[text] for text in texts]

    monkeypatch.setattr(labelling_verbs, "run_classifier", answer)
    return store


def make_run(folder: Path, method: str) -> Path:
    folder.mkdir(parents=True)
    pl.DataFrame({"row_id": [], "status": []}, schema={"row_id": pl.String, "status": pl.String}).write_parquet(
        folder / "ledger.parquet"
    )
    manifest = {"run_id": folder.name, "kind": "train", "method": method, "files": {}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def read_suggested(store: Store) -> dict[str, Any]:
    rows = store.read(
        "SELECT e.messages, s.value, s.score, s.source FROM suggestions AS s JOIN tasks AS t ON t.id = s.task_id "
        "JOIN examples AS e ON e.id = t.example_id"
    )
    return {json.loads(row[0])[0]["content"]: (json.loads(row[1])["labels"], row[2], row[3]) for row in rows}


def test_open_tasks_get_the_label_that_their_rubric_offers_with_its_run_and_confidence(tagged: Store) -> None:
    done = suggest_labels(tagged, "p", "run_topics")
    assert read_suggested(tagged) == {
        TEXTS[0]: (["delivery"], 0.9, "run_topics"),
        TEXTS[1]: (["refund"], 0.4, "run_topics"),
    }
    counts = {"open": 3, "added": 2, "replaced": 0, "unsure": 0, "not_offered": 1}
    assert done == {"project": "p", "run": "run_topics", **counts, "shown": False}
    assert suggest_labels(tagged, "p", "run_topics")["replaced"] == 2


def test_labels_of_which_the_model_is_not_sure_enough_are_left_out(tagged: Store) -> None:
    assert suggest_labels(tagged, "p", "run_topics", minimum=0.5)["unsure"] == 1
    assert read_suggested(tagged).keys() == {TEXTS[0]}


def test_an_annotator_sees_the_label_and_never_the_run(tagged: Store) -> None:
    suggest_labels(tagged, "p", "run_topics")
    change_rules(tagged, "p", suggestions=True)
    seen = [claim_next_task(tagged, "p", name) for name in ("ben", "cleo", "dora")]
    assert sorted(task.suggestion["value"]["labels"][0] for task in seen if task and task.suggestion) == [
        "delivery",
        "refund",
    ]
    assert "run_topics" not in repr(seen)


def test_nothing_is_proposed_for_known_answers(tagged: Store) -> None:
    task_id = list_open_texts(tagged, "p")[0]["task_id"]
    set_gold(tagged, "p", task_id, {"labels": ["other"]}, "")
    assert task_id not in {task["task_id"] for task in list_open_texts(tagged, "p")}


def test_a_run_that_gives_no_labels_and_a_minimum_out_of_range_are_refused(tagged: Store) -> None:
    register_run(tagged, "p", make_run(tagged.workspace / "runs" / "run_words", "sft"))
    with pytest.raises(UsageError, match="of the method 'sft' and gives no labels"):
        suggest_labels(tagged, "p", "run_words")
    with pytest.raises(UsageError, match="minimum 2 is out of range"):
        suggest_labels(tagged, "p", "run_topics", minimum=2)


def test_the_command_says_that_nobody_sees_them_yet(tagged: Store) -> None:
    workspace = tagged.workspace
    tagged.close()
    done = CliRunner().invoke(app, ["suggest-labels", "run_topics", "-p", "p", "-w", str(workspace)])
    assert done.exit_code == 0 and "added: 2" in done.stdout
    assert "--set suggestions=true" in done.stderr
    opened = open_store(workspace)
    assert len(read_suggested(opened)) == 2
    opened.close()
