"""Coverage from the command line and the API: the same verbs, plain values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.studio import coverage_verbs
from pitchpipe.studio.cli import app
from tests.store.judged import PROJECT, add_example, add_judgement, add_task, prefer


@pytest.fixture
def filled(store: Store) -> Store:
    """Twelve examples with a comparison each; the first is judged 1 to 1."""
    for number in range(12):
        add_example(store, f"e{number}", "xy")
        add_task(store, f"t{number}", f"e{number}", "compare", "xy", position=number)
    for rater, side in (("ben", "a"), ("eva", "b")):
        add_judgement(store, "t0", rater, prefer(side))
    return store


def test_coverage_is_json_and_keeps_the_wanted_list(filled: Store) -> None:
    told = coverage_verbs.coverage(filled, PROJECT, clusters=2, want={"requests": 20})
    assert json.loads(json.dumps(told)) == told
    assert told["requests"] == 12 and sum(cluster["examples"] for cluster in told["clusters"]) == 12
    assert told["gaps"][0]["wanted"] == 20
    assert coverage_verbs.coverage(filled, PROJECT)["gaps"][0]["kind"] == "requests"
    with pytest.raises(UsageError, match="Line 1"):
        coverage_verbs.coverage(filled, PROJECT, want={"x": -1})


def test_sealed_requests_fill_no_gap(filled: Store) -> None:
    (cluster,) = coverage_verbs.coverage(filled, PROJECT, clusters=1)["clusters"]
    word, train = cluster["name"].split(",")[0], cluster["train"]
    assert coverage_verbs.coverage(filled, PROJECT, clusters=1, want={word: 20})["gaps"][0]["found"] == train
    groups = "SELECT min(group_id) FROM group_splits WHERE split = 'train'"
    filled.write(lambda t: t.run(f"UPDATE group_splits SET split = 'holdout' WHERE group_id = ({groups})"))
    assert coverage_verbs.coverage(filled, PROJECT, clusters=1)["gaps"][0]["found"] == train - 1


def test_every_encoder_of_the_studio_can_be_asked_for(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(texts: Sequence[str]) -> np.ndarray:
        return np.eye(len(texts), 32, dtype=np.float32)

    monkeypatch.setattr(coverage_verbs, "load_all_encoders", lambda _store: {"minilm": encode}, raising=False)
    assert coverage_verbs.coverage(filled, PROJECT, clusters=2, encoder="minilm")["encoder"] == "minilm"


def test_next_labels_are_json_and_are_sent_only_when_asked(filled: Store) -> None:
    told = coverage_verbs.next_labels(filled, PROJECT, limit=3)
    assert json.loads(json.dumps(told)) == told and len(told["next"]) == 3 and "sent" not in told
    assert filled.read("SELECT max(priority) FROM tasks") == [(0,)]
    sent = coverage_verbs.next_labels(filled, PROJECT, limit=3, send=True)["sent"]
    assert sent["raised"] == 3
    assert filled.read("SELECT count(*) FROM tasks WHERE priority = 1") == [(3,)]


def test_a_subset_is_json_and_is_tagged_only_when_asked(filled: Store) -> None:
    told = coverage_verbs.subset(filled, PROJECT, way="spread", budget=4)
    assert json.loads(json.dumps(told)) == told and told["chosen"] == 4 and "action_id" not in told
    tagged = coverage_verbs.subset(filled, PROJECT, way="spread", budget=4, tag="small")
    rows = filled.read("SELECT target_id FROM tags WHERE action_id = ? AND tag = 'small'", [tagged["action_id"]])
    assert {row[0] for row in rows} == set(told["example_ids"])  # and the same ones as before


@pytest.mark.parametrize(
    ("words", "seen"),
    [(("coverage", "--want", "requests=20"), "Wanted and found"), (("next-labels", "--limit", "2"), "Label these next"),
     (("subset", "--budget", "3", "--way", "balanced", "--balance", "source"), "3 of p, balanced")],
)  # fmt: skip
def test_the_commands_print_tables(filled: Store, tmp_path: Path, words: tuple[str, ...], seen: str) -> None:
    filled.close()
    done = CliRunner().invoke(app, [*words, "--project", PROJECT, "--workspace", str(tmp_path / "workspace")])
    assert done.exit_code == 0, done.output
    assert seen in done.output


def test_a_wrong_way_is_told_in_two_parts(filled: Store, tmp_path: Path) -> None:
    filled.close()
    words = ["subset", "--way", "best", "--project", PROJECT, "--workspace", str(tmp_path / "workspace")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2 and "The way 'best' is not known." in done.output and "diverse" in done.output
