"""Raw judgements leave whole and the same each time; strategies and models by command and by verb."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from pitchpipe.store import judgement_export
from pitchpipe.store.database import Store, open_store
from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.importing.own_tables import restore_cell
from pitchpipe.studio.cli import app
from pitchpipe.studio.consensus_verbs import consensus, export_judgements, models
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer

HOSTILE = '=cmd|" /C calc"!A0'
ODD = 'two\nlines, "quoted", \u2028 and é\\'


@pytest.fixture
def judged(store: Store) -> Store:
    """One pair: ana judged and changed her mind, ben skipped, one named like a formula judged, ana then decided."""
    add_example(store, "e", "ab")
    add_task(store, "t", "e", "compare", "ab")
    first = add_judgement(store, "t", "ana", prefer("a", -1), ODD, seconds=12.5, rubric_hash="sha256:aa")
    add_judgement(store, "t", "ana", prefer("b", 2), supersedes=first)
    add_judgement(store, "t", "ben", {}, status="skipped")
    add_judgement(store, "t", HOSTILE, prefer("tie"), "'=1", detail='{"note":"é"}')
    add_judgement(store, "t", "ana", prefer("a"), source="adjudication")
    return store


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_every_row_leaves_with_who_what_and_whether_it_still_counts(judged: Store, tmp_path: Path) -> None:
    report = export_judgements(judged, PROJECT, str(tmp_path / "raw.jsonl"))
    rows = read_lines(tmp_path / "raw.jsonl")
    assert (report["rows"], report["superseded"], report["format"]) == (5, 1, "jsonl")
    assert [(row["rater"], row["status"], row["is_superseded"]) for row in rows] == [
        ("ana", "submitted", True), ("ana", "submitted", False), ("ben", "skipped", False),
        (HOSTILE, "submitted", False), ("ana", "submitted", False),
    ]  # fmt: skip
    assert rows[0]["value"] == {"verdict": "a", "strength": -1}
    assert (rows[0]["reason"], rows[0]["seconds"], rows[0]["rubric_hash"]) == (ODD, 12.5, "sha256:aa")
    assert (rows[0]["shown"], rows[0]["detail"], rows[3]["detail"]) == (["ea", "eb"], None, {"note": "é"})
    assert rows[1]["supersedes"] == rows[0]["id"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_the_same_judgements_give_the_same_bytes_whatever_the_size_of_a_piece(
    judged: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    one, two = tmp_path / f"one.{form}", tmp_path / f"two.{form}"
    export_judgements(judged, PROJECT, str(one))
    if form != "parquet":  # its row groups are the pieces
        monkeypatch.setattr(judgement_export, "PIECE", 2)
        monkeypatch.setattr(judgement_export, "_PIECE", judgement_export._PIECE.replace("20000", "2"))
    report = export_judgements(judged, PROJECT, str(two))
    assert report["rows"] == 5
    assert one.read_bytes() == two.read_bytes()


def test_a_cell_that_could_run_as_a_formula_is_made_harmless_and_comes_back(judged: Store, tmp_path: Path) -> None:
    export_judgements(judged, PROJECT, str(tmp_path / "raw.csv"))
    with (tmp_path / "raw.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[3]["rater"] == f"'{HOSTILE}"
    assert [restore_cell(rows[3][name]) for name in ("rater", "reason")] == [HOSTILE, "'=1"]
    assert (rows[0]["reason"], json.loads(rows[0]["value"])) == (ODD, {"verdict": "a", "strength": -1})


def test_parquet_keeps_types_and_an_empty_project_gives_an_empty_table(store: Store, tmp_path: Path) -> None:
    add_example(store, "e", "ab")
    assert export_judgements(store, PROJECT, str(tmp_path / "raw.parquet"))["rows"] == 0
    table = pl.read_parquet(tmp_path / "raw.parquet")
    assert (table.height, table.schema["seconds"], table.schema["is_superseded"]) == (0, pl.Float64, pl.Boolean)


def test_a_format_that_is_not_known_is_refused_before_anything_is_written(judged: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="xlsx"):
        export_judgements(judged, PROJECT, str(tmp_path / "raw.xlsx"))
    with pytest.raises(NotFoundError):
        export_judgements(judged, "nobody", str(tmp_path / "raw.csv"))
    assert list(tmp_path.glob("raw*")) == []


def test_an_open_review_is_held_back_and_ranks_no_models_until_it_is_closed(store: Store, tmp_path: Path) -> None:
    for n, batch in enumerate(("", "run1", "run1")):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab", batch=batch, overlap=2)
        add_judgement(store, f"t{n}", "ana", prefer("a"))
    store.write(lambda t: t.run("UPDATE candidates SET model = right(id, 1)"))
    add_judgement(store, "t1", "ben", prefer("a"))  # this task is complete, its review is not
    report = export_judgements(store, PROJECT, str(tmp_path / "raw.jsonl"))
    assert (report["rows"], report["held_back"]) == (1, 3)
    assert [row["task_id"] for row in read_lines(tmp_path / "raw.jsonl")] == ["t0"]
    assert models(store, PROJECT, 0)["comparisons"] == 1
    add_judgement(store, "t2", "ben", prefer("b"))
    report = export_judgements(store, PROJECT, str(tmp_path / "raw.jsonl"))
    assert (report["rows"], report["held_back"]) == (5, 0)
    assert models(store, PROJECT, 0)["comparisons"] == 5


def test_strategies_and_models_as_plain_values(store: Store) -> None:
    for n in range(3):
        add_example(store, f"e{n}", "ab")
        add_task(store, f"t{n}", f"e{n}", "compare", "ab")
        for rater in ("ana", "ben"):
            add_judgement(store, f"t{n}", rater, prefer("a" if n else "b"))
    found = consensus(store, PROJECT, "verdict")
    assert [(row["strategy"], row["changed"], row["distribution"]) for row in found["strategies"]] == [
        ("majority", 0, {"a": 2, "b": 1}), ("dawid_skene", 0, {"a": 2, "b": 1})
    ]  # fmt: skip
    assert models(store, PROJECT, 10)["undefined_because"] == "no answers of two named models were compared"
    store.write(lambda t: t.run("UPDATE candidates SET model = id WHERE example_id = 'e0'"))
    standings = models(store, PROJECT, 0)["standings"]
    assert [one["model"] for one in standings] == ["e0b", "e0a"]


def test_the_commands_reach_the_verbs(tmp_path: Path) -> None:
    store = open_store(tmp_path / "workspace")
    add_example(store, "e", "ab")
    add_task(store, "t", "e", "compare", "ab")
    add_judgement(store, "t", "ana", prefer("a"))
    store.close()
    ask = CliRunner().invoke
    where = ["--project", PROJECT, "--workspace", str(tmp_path / "workspace")]
    written = ask(app, ["export-judgements", *where, "--to", str(tmp_path / "raw.jsonl"), "--json"])
    assert (written.exit_code, json.loads(written.stdout)["rows"]) == (0, 1)
    shown = ask(app, ["consensus", *where, "-q", "verdict"])
    assert shown.exit_code == 0
    assert "dawid_skene" in shown.stdout
    wrong = ask(app, ["consensus", *where, "-q", "tone"])
    assert wrong.exit_code == 1
    assert ask(app, ["models", *where, "--resamples", "0"]).exit_code == 0
