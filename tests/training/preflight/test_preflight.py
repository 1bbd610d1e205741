"""A preflight tells what a run would do, and the run then does it; what is wrong is told before anything is trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.training.__main__ import main
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.preflight_folders import (
    PreflightState,
    create_preflight_folder,
    read_masks,
    read_preflight,
    read_rows,
)
from pitchpipe.training.runs.run_folders import RunStatus, read_json
from tests.training.snapshots import answer_row, frame, label_row, pair_row, write_snapshot

PreflightMaker = Callable[[TrainPlan], PreflightState]


@pytest.fixture
def look(tmp_path: Path) -> PreflightMaker:
    """Carries out the preflight of a plan in this process."""

    def look(plan: TrainPlan) -> PreflightState:
        folder = create_preflight_folder(tmp_path / "preflights", plan)
        assert read_preflight(folder).status is RunStatus.WAITING
        assert main(["preflight", str(folder), "--runs", str(tmp_path / "runs")]) == 0
        return read_preflight(folder)

    return look


def list_told(state: PreflightState, severity: str) -> list[str]:
    return [entry["happened"] for entry in state.report["findings"] if entry["severity"] == severity]


_ASKED = [("sft", "grouped"), ("sft", "packed"), *((method, "shuffled") for method in ("dpo", "kto", "reward"))]


@pytest.mark.parametrize(("method", "layout"), _ASKED)
def test_the_run_has_the_steps_and_the_ledger_that_the_preflight_told(
    look: PreflightMaker, carry_out: Callable[..., Path], sft_plan: TrainPlan, method: str, layout: str
) -> None:
    plan = with_dials(
        sft_plan, method=method, layout=layout, max_steps=0, epochs=1.5, accumulation=2, max_rows=8, max_length=37
    )
    state = look(plan)
    run = carry_out(plan)
    assert state.status is RunStatus.FINISHED
    assert state.report["steps"]["steps"] == read_json(run / "summary.json")["steps"]
    assert read_rows(state.folder).equals(pl.read_parquet(run / "ledger.parquet"))
    counts = {name: state.report["rows"][name] for name in ("considered", "kept", "truncated", "too_long", "dropped")}
    assert counts == read_json(run / "summary.json")["rows"]
    assert counts["too_long"] > 0 and sum(entry["rows"] for entry in state.report["rows"]["reasons"]) == (
        counts["considered"] - counts["kept"]
    )


def test_rows_that_are_held_back_to_measure_by_are_told_apart(
    look: PreflightMaker, carry_out: Callable[..., Path], sft_plan: TrainPlan
) -> None:
    plan = with_dials(sft_plan, dev_share=0.3, measure_every=2, max_steps=0, epochs=1.0)
    state, run = look(plan), carry_out(plan)
    held_back = state.report["rows"]["held_back"]
    assert held_back > 0 and state.report["rows"]["learned"] == 18 - held_back
    assert read_rows(state.folder).equals(pl.read_parquet(run / "ledger.parquet"))
    assert state.report["steps"]["steps"] == read_json(run / "summary.json")["steps"]
    (reason,) = [entry for entry in state.report["rows"]["reasons"] if entry["fate"] == "held_back"]
    assert (reason["rule"], reason["rows"]) == ("held_back", held_back)


def test_the_masks_show_the_very_tokens_and_labels_that_are_learned(
    look: PreflightMaker, sft_plan: TrainPlan, encoder: Any
) -> None:
    state = look(sft_plan)
    masks = read_masks(state.folder)
    prompts = dict(read_rows(state.folder).select("row_id", "prompt_tokens").iter_rows())
    assert 0 < len(masks) <= 12
    for mask in masks:
        (side,) = mask["sides"]
        uses = [use for _, _, use in side["tokens"]]
        first = uses.index("loss")
        assert first == prompts[mask["row_id"]]
        assert set(uses[:first]) == {"context"} and set(uses[first:]) == {"loss"}
        assert side["tokens"][-1][1] == encoder.end_of_turn[-1]
        text = encoder.tokenizer.decode([number for _, number, use in side["tokens"] if use == "loss"][:-1])
        assert "next step" in text


def test_a_sound_plan_is_told_in_words_with_its_reference_recipe_and_changes(
    look: PreflightMaker, sft_plan: TrainPlan
) -> None:
    plan = with_dials(sft_plan, method="dpo", max_steps=12)
    report = look(plan).report
    assert report["verdict"] == "warns"  # nine pairs are few
    told = [entry["happened"] for entry in report["findings"]]
    assert any(words.startswith(f"The reference is {plan.model} as it is") for words in told)
    assert report["recipe"] == "dpo/cpu_demo"
    assert {"dial": "max_steps", "recipe": 0, "plan": 12} in report["changes"]
    assert report["steps"] == {"steps": 12, "steps_a_pass": 3, "passes": 4.0, "rows_a_step": 4, "devices": 1}
    assert report["memory"]["needed"] == sum(report["memory"]["parts"].values())
    assert report["amount"]["standing"] == "few"


def test_what_would_stop_the_run_blocks_and_the_report_is_written_all_the_same(
    look: PreflightMaker, sft_plan: TrainPlan, tmp_path: Path
) -> None:
    state = look(with_dials(sft_plan, trl_overrides={"learning_rte": 1.0}))
    assert state.report["verdict"] == "blocks"
    (first,) = [entry for entry in state.report["findings"] if entry["severity"] == "blocks"]
    assert "has no argument 'learning_rte'" in first["happened"] and "learning_rate" in first["advice"]
    assert state.report["rows"]["learned"] == 18  # the rows are told nonetheless
    state = look(with_dials(sft_plan, model=str(tmp_path / "nowhere")))
    assert state.report["verdict"] == "blocks" and "rows" not in state.report
    assert read_rows(state.folder).is_empty() and read_masks(state.folder) == []
    state = look(with_dials(sft_plan, minimum_rating=4.0, max_length=8))
    assert any("none is left to learn from" in words for words in list_told(state, "blocks"))
    state = look(with_dials(sft_plan, over_length="fail", max_length=37))
    assert any("are longer than 37 tokens" in words for words in list_told(state, "blocks"))


def test_a_model_whose_template_rewrites_what_people_typed_blocks(
    look: PreflightMaker, sft_plan: TrainPlan, tiny_model: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(tiny_model, odd)
    template = (odd / "chat_template.jinja").read_text()
    (odd / "chat_template.jinja").write_text(template.replace("message['content']", "message['content'] | upper"))
    state = look(with_dials(sft_plan, model=str(odd)))
    assert [entry["topic"] for entry in state.report["findings"] if entry["severity"] == "blocks"] == ["template"]


def test_cut_answers_are_warned_of_because_they_teach_no_end(look: PreflightMaker, sft_plan: TrainPlan) -> None:
    state = look(with_dials(sft_plan, over_length="truncate", max_length=37))
    (told,) = [entry for entry in state.report["findings"] if "no end token" in entry["happened"]]
    assert told["severity"] == "warns" and told["rows"]
    cut = set(read_rows(state.folder).filter(pl.col("status") == "truncated")["row_id"])
    assert set(told["rows"]) <= cut and f"{len(cut)} of" in told["happened"]


def test_chosen_answers_that_are_mostly_longer_and_pairs_that_contradict_are_warned_of(
    look: PreflightMaker, sft_plan: TrainPlan, tmp_path: Path
) -> None:
    rows = [pair_row(n, f"where is {n}", "thank you very much", "no") for n in range(19)]
    rows += [pair_row(19, "where", "no", "yes you can"), pair_row(20, "where", "yes you can", "no")]
    plan = with_dials(sft_plan, method="dpo", snapshot=str(write_snapshot(tmp_path / "biased", rows)))
    state = look(plan)
    assert state.report["length_bias"]["share_longer"] == round(20 / 21, 4)
    told = list_told(state, "warns")
    assert any(words.startswith("The chosen answer is the longer one in 95% of 21 pairs") for words in told)
    (turned,) = [entry for entry in state.report["findings"] if "contradict" in entry["happened"]]
    assert turned["rows"] == ["row_p0019", "row_p0020"]


def test_a_run_that_does_not_fit_is_blocked_with_dials_that_would(
    look: PreflightMaker, sft_plan: TrainPlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pitchpipe.training.preflight import hardware_look

    rows = [answer_row(n, "where is it", "thank you " * 80) for n in range(64)]
    snapshot = write_snapshot(tmp_path / "long", rows)
    plan = with_dials(sft_plan, snapshot=str(snapshot), batch_size=64)
    needed = look(plan).report["memory"]["needed"]
    free = needed - 5_000_000
    monkeypatch.setattr(hardware_look, "read_memory", lambda: (free, free))
    state = look(plan)
    (told,) = [entry for entry in state.report["findings"] if entry["severity"] == "blocks"]
    assert told["happened"].startswith("It will not fit.") and told["advice"].startswith("Try batch_size = 32")
    smaller = with_dials(plan, **state.report["memory"]["tries"][0]["dials"])
    assert look(smaller).report["memory"]["fits"] is True


def test_the_time_comes_from_an_earlier_run_where_there_is_one(
    look: PreflightMaker, carry_out: Callable[..., Path], sft_plan: TrainPlan
) -> None:
    before = look(sft_plan).report["time"]
    assert not before["is_measured"] and "rough guess" in before["source"]
    run = carry_out(sft_plan)
    after = look(with_dials(sft_plan, max_steps=8)).report["time"]
    assert after["is_measured"] and run.name in after["source"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    spent, tokens = (lines[-1][name] - lines[0][name] for name in ("seconds", "num_tokens"))
    assert after["tokens_per_second"] == pytest.approx(tokens / spent, rel=0.01)


def test_no_model_is_loaded(look: PreflightMaker, sft_plan: TrainPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a preflight loads no model")

    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", refuse)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", refuse)
    report = look(sft_plan).report
    assert report["verdict"] != "blocks" and report["memory"]["parts"]["weights"] > 4 * 30_000


def test_a_preflight_that_is_running_or_done_is_not_started_twice(look: PreflightMaker, sft_plan: TrainPlan) -> None:
    from pitchpipe.store.errors import RunError
    from pitchpipe.training.preflight.preflight_folders import start_preflight

    state = look(sft_plan)
    with pytest.raises(RunError, match="finished already"):
        start_preflight(state.folder)


def test_every_method_has_an_amount_sides_and_operations() -> None:
    from pitchpipe.training.plans.train_plan import METHODS
    from pitchpipe.training.preflight.amounts import AMOUNTS
    from pitchpipe.training.preflight.planned_rows import SIDES

    assert set(METHODS) == set(AMOUNTS) == set(SIDES)


def test_texts_to_classify_are_measured_as_their_run_measures_them(
    look: PreflightMaker, sft_plan: TrainPlan, tmp_path: Path
) -> None:
    from pitchpipe.training.models.classifiers import load_text_encoder, resolve_classifier
    from pitchpipe.training.rows.formats import build_classify_rows
    from pitchpipe.training.tokens.label_ledger import build_label_ledger

    words = {"refund": "my money back please", "delivery": "where is my parcel"}
    rows = [label_row(n, f"{words[name]} " * (1 + n), labels=json.dumps([name])) for n, name in enumerate([*words] * 8)]
    snapshot = write_snapshot(tmp_path / "labels", rows)
    plan = with_dials(sft_plan, method="classify", model="embedded", snapshot=str(snapshot), max_length=40)
    state = look(plan)
    expected = build_label_ledger(
        build_classify_rows(frame(rows)), load_text_encoder(resolve_classifier("embedded")), 40, "drop"
    )
    assert read_rows(state.folder).equals(expected.frame())
    kept = len(expected.learned)
    assert 0 < kept < 16 and state.report["rows"]["learned"] == kept
    assert sum(state.report["labels"].values()) == kept
    assert all(use == "context" for mask in read_masks(state.folder) for _, _, use in mask["sides"][0]["tokens"][:40])


@pytest.mark.parametrize("method", ["rloo", "grpo"])
def test_refinement_needs_something_that_scores_and_takes_prompts(
    look: PreflightMaker, sft_plan: TrainPlan, method: str
) -> None:
    plan = with_dials(sft_plan, method=method, max_new_tokens=8, max_length=64)
    told = list_told(look(plan), "blocks")
    assert told, "nothing scores the answers"
    scored = with_dials(plan, reward_checks={"step": "next step"})
    state = look(scored)
    assert list_told(state, "blocks") == []
    assert state.report["rows"]["learned"] == 18 and state.report["amount"]["unit"] == "prompts"
