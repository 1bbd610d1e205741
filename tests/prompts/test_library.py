"""Prompt files: loaded by name, hashed by content, rendered in a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchpipe.prompts.library import PromptError, list_prompts, load_guideline, load_rubric, load_template


def test_the_shipped_rubrics_are_the_ones_that_the_scales_promise() -> None:
    rate, compare = load_rubric("helpfulness"), load_rubric("preference")
    assert [question.name for question in rate.questions] == [
        "helpfulness", "correctness", "coherence", "complexity", "verbosity",
    ]  # fmt: skip
    assert {tuple(option.value for option in question.options) for question in rate.questions} == {(0, 1, 2, 3, 4)}
    values = [option.value for option in compare.questions[0].options]
    assert values == [-3, -2, -1, 0, 1, 2, 3, "both_bad", "cannot_judge"]
    assert [option.key for option in compare.questions[0].options] == list("123456789")


def test_every_shipped_file_loads() -> None:
    names = list_prompts()
    hashes = [load_rubric(name).hash for name in names["rubrics"]]
    hashes += [load_guideline(name).hash for name in names["guidelines"]]
    hashes += [load_template(name).hash for name in names["templates"]]
    assert all(value.startswith("sha256:") for value in hashes)
    assert len(set(hashes)) == len(hashes)


def test_a_changed_word_changes_the_hash_and_the_workspace_wins_over_the_package(tmp_path: Path) -> None:
    shipped = load_guideline("helpfulness")
    (tmp_path / "guidelines").mkdir()
    (tmp_path / "guidelines" / "helpfulness.md").write_text(shipped.text + "!")
    own = load_guideline("helpfulness", tmp_path)
    assert own.text == shipped.text + "!"
    assert own.hash != shipped.hash


@pytest.mark.parametrize("name", ["../rubrics/helpfulness", "/etc/passwd", "", "nope"])
def test_a_name_is_never_a_path_and_an_unknown_one_lists_the_known(name: str) -> None:
    with pytest.raises(PromptError, match="Available: "):
        load_guideline(name)


def test_a_malformed_rubric_is_told_in_two_parts(tmp_path: Path) -> None:
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "bad.toml").write_text(
        'kind = "rate"\n[[questions]]\nname = "x"\nlabel = "X"\noptions = []\n'
    )
    with pytest.raises(PromptError, match="'bad' is malformed"):
        load_rubric("bad", tmp_path)


def test_a_template_is_filled_and_missing_values_are_told() -> None:
    template = load_template("alpaca")
    assert template.render(instruction="Add", input="1 2") == "Add\n\n1 2"
    assert template.render(instruction="Add", input="") == "Add"
    with pytest.raises(PromptError, match="instruction"):
        template.render(input="")


def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "evil.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(PromptError, match="cannot be filled"):
        load_template("evil", tmp_path).render()
