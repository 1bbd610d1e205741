"""Exports as folders of `datasets`: the same bytes each time, the train side alone; pushed only when asked by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.curation.curating import decide
from pitchpipe.store.database import Store
from pitchpipe.store.freezing.recipes import Recipe
from pitchpipe.store.freezing.snapshots import create_snapshot
from pitchpipe.store.importing.ingest import import_file
from pitchpipe.store.projects import create_project
from pitchpipe.store.rules.rule import RuleChoice
from pitchpipe.training.__main__ import main
from pitchpipe.training.exports import export_saving
from pitchpipe.training.exports.export_saving import prepare_card


def test_a_datasets_folder_loads_repeats_to_the_byte_and_holds_the_train_side_alone(
    snapshot: Path, tmp_path: Path
) -> None:
    from datasets import load_from_disk

    report = export_saving.save_apart(snapshot, "dpo", tmp_path / "one")
    export_saving.save_apart(snapshot, "dpo", tmp_path / "two")
    loaded = load_from_disk(str(tmp_path / "one" / "dpo.datasets"))
    assert set(loaded) == {"train"} and len(loaded["train"]) == report.kept
    assert loaded["train"][0]["chosen"][0]["role"] == "assistant"
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert Path("dpo.datasets/train/state.json") in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def push(snapshot: Path, to: str) -> int:
    return main(["push-export", str(snapshot), "--form", "sft", "--to", to])


def test_without_a_token_nothing_is_uploaded_and_the_way_out_is_told(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    monkeypatch.setattr("huggingface_hub.HfApi", None)
    assert push(snapshot, "org/name") == 1
    happened, advice = capsys.readouterr().err.strip().splitlines()
    assert "no token" in happened and "hf auth login" in advice
    assert push(snapshot, "name") == 2
    assert "organisation/name" in capsys.readouterr().err


def test_without_a_network_the_error_is_plain(
    snapshot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_none")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert push(snapshot, "org/name") == 1
    happened, advice = capsys.readouterr().err.strip().splitlines()
    assert happened.startswith("The Hub could not be given org/name: ") and "network" in advice


def test_a_push_uploads_the_card_and_the_train_rows_to_the_repository_that_was_named(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import DatasetDict

    done: list[tuple[str, Any]] = []

    class Hub:
        def create_repo(self, name: str, **more: Any) -> str:
            done.append((name, more["private"]))
            return f"https://hub.invalid/{name}"

        def upload_file(self, **what: Any) -> None:
            done.append((what["repo_id"], what["path_in_repo"]))

    def push_to_hub(rows: DatasetDict, name: str, private: bool, **_: Any) -> None:
        done.append((name, {split: len(held) for split, held in rows.items()}))

    (snapshot / "README.md").write_text("# The card\n")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_some")
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setattr(DatasetDict, "push_to_hub", push_to_hub)
    assert main(["push-export", str(snapshot), "--form", "sft", "--to", "org/name", "--private"]) == 0
    # Of the 24 examples every fourth is sealed, and each has one answer.
    assert done == [("org/name", True), ("org/name", "README.md"), ("org/name", {"train": 18})]


def test_the_card_that_leaves_names_no_file_that_stays_and_quotes_nobody(store: Store, tmp_path: Path) -> None:
    create_project(store, "desk", holdout_share=0.0)
    file = tmp_path / "rows.jsonl"
    answers = ["Hello.", "I cannot help with that.", "Yes."]
    lines = [{"instruction": f"Question {number}?", "output": answer} for number, answer in enumerate(answers)]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    import_file(store, file, "desk")
    target = store.read("SELECT id FROM candidates WHERE text = 'Yes.'")[0][0]
    decide(store, target, "drop", "mia@mail.org asked | for it", "ana")
    recipe = Recipe(rules=(RuleChoice("refusal", "drop"),))
    card = (create_snapshot(store, "desk", "s", recipe).folder / "README.md").read_text()
    assert "mia@mail.org" in card and "configs:" in card
    sent = prepare_card(card)
    assert [word for word in ("mia@", "ana", "I cannot", "such as |", "configs", "path:") if word in sent] == []
    assert "| decision | 1 | 1 |\n| refusal | 1 | 1 |" in sent
    assert sent.startswith('---\npretty_name: "desk"\n') and sent.count("\n---\n") == 1
