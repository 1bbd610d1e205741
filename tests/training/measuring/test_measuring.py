"""Scores and answers do not depend on the batch, intervals are those of the textbook, and evaluation adds it all up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import RunError, SnapshotError, UsageError
from pitchpipe.training.measuring.intervals import clustered_difference, wilson
from pitchpipe.training.plans.measure_plans import EvaluatePlan, GeneratePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_json, verify_run
from tests.training.snapshots import answer_row, frame

CarryOut = Callable[..., Path]


@pytest.fixture(scope="session")
def model(tiny_model: Path) -> Any:
    from pitchpipe.training.models.loading import load_model, resolve_model

    return load_model(resolve_model(str(tiny_model)), "fp32", "eager")


@pytest.fixture(scope="session")
def pieces(encoder: Any) -> list[tuple[list[int], list[int]]]:
    texts = ["the lamp", "where is my parcel today please", "a", "open the page and send a new one thank you"]
    return [
        (encoder.prompt([{"role": "user", "content": text}]), encoder.answer(other))
        for text in texts
        for other in reversed(texts)
    ]


def test_a_rows_score_does_not_depend_on_the_batch(model: Any, encoder: Any, pieces: Any) -> None:
    from pitchpipe.training.measuring.scoring import score_answers

    pad = encoder.tokenizer.pad_token_id
    alone, some, all_at_once = (score_answers(model, pieces, size, pad) for size in (1, 3, 16))
    for one, two, three in zip(alone, some, all_at_once, strict=True):
        assert one.tokens == two.tokens == three.tokens
        assert math.isclose(one.nll_sum, two.nll_sum, abs_tol=1e-5 * one.tokens)
        assert math.isclose(one.nll_sum, three.nll_sum, abs_tol=1e-5 * one.tokens)


def test_a_rows_score_is_the_same_when_rows_are_packed_end_to_end(model: Any, encoder: Any, pieces: Any) -> None:
    import torch

    from pitchpipe.training.measuring.scoring import score_answers

    rows = pieces[:5]
    ids = torch.tensor([[token for prompt, answer in rows for token in prompt + answer]])
    positions = torch.tensor([[at for prompt, answer in rows for at in range(len(prompt) + len(answer))]])
    chances = torch.log_softmax(model(input_ids=ids, position_ids=positions, use_cache=False).logits[0].double(), -1)
    end = 0
    for (prompt, answer), score in zip(
        rows, score_answers(model, rows, 3, encoder.tokenizer.pad_token_id), strict=True
    ):
        begin, end = end + len(prompt), end + len(prompt) + len(answer)
        packed = -chances[range(begin - 1, end - 1), ids[0, begin:end]].sum()
        assert math.isclose(score.nll_sum, packed.item(), abs_tol=1e-5 * score.tokens)


def test_a_rows_score_is_what_the_models_own_loss_says(model: Any, encoder: Any, pieces: Any) -> None:
    import torch

    from pitchpipe.training.measuring.scoring import score_answers

    prompt, answer = pieces[1]
    (score,) = score_answers(model, [(prompt, answer)], 1, encoder.tokenizer.pad_token_id)
    labels = torch.tensor([[-100] * len(prompt) + answer])
    loss = model(input_ids=torch.tensor([prompt + answer]), labels=labels).loss
    assert math.isclose(score.nll_sum / score.tokens, float(loss), rel_tol=1e-5)


def test_many_prompts_at_once_get_the_same_answers_as_one_by_one_and_as_generate(
    model: Any, encoder: Any, pieces: Any
) -> None:
    import torch

    from pitchpipe.training.measuring.generation import generate_answers, stop_tokens

    prompts = [prompt for prompt, _ in pieces]
    together = generate_answers(model, encoder, prompts, max_new_tokens=24, batch_size=16)
    assert together == generate_answers(model, encoder, prompts, max_new_tokens=24, batch_size=1)
    assert together == generate_answers(model, encoder, prompts, max_new_tokens=24, batch_size=5)
    stops = sorted(stop_tokens(model, encoder))
    for prompt, answer in list(zip(prompts, together, strict=True))[::5]:
        ids = torch.tensor([prompt])
        theirs = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False, eos_token_id=stops
        )[0, len(prompt) :].tolist()
        assert len(theirs) == answer.tokens
        text = encoder.tokenizer.decode(theirs, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert text.strip() == answer.text


def test_the_lean_head_gives_the_numbers_and_gradients_of_a_plain_one() -> None:
    import torch

    from pitchpipe.training.models.fused_head import _ScoreTokens

    torch.manual_seed(0)
    hidden = torch.randn(9, 8, dtype=torch.double, requires_grad=True)
    weight, labels = torch.randn(11, 8, dtype=torch.double), torch.arange(9)
    pull = torch.randn(9, dtype=torch.double)
    log_probs, entropy, means, first = _ScoreTokens.apply(hidden, weight, labels)
    (gradient,) = torch.autograd.grad((log_probs * pull).sum(), hidden)
    plain = torch.log_softmax(hidden @ weight.T, -1)
    own = plain.gather(1, labels[:, None])[:, 0]
    (expected,) = torch.autograd.grad((own * pull).sum(), hidden)
    assert torch.allclose(log_probs.double(), own, atol=1e-6)
    assert torch.allclose(gradient, expected, atol=1e-5)
    assert torch.allclose(entropy.double(), -(plain.exp() * plain).sum(-1), atol=1e-5)
    assert torch.equal(first, plain.argmax(-1) == labels)
    assert torch.allclose(means.double(), (hidden @ weight.T).mean(-1), atol=1e-6)


def test_wilson_bounds_are_those_of_the_textbook() -> None:
    assert [round(bound, 4) for bound in wilson(0, 10)] == [0.0, 0.2775]
    assert [round(bound, 4) for bound in wilson(81, 263)] == [0.2553, 0.3662]
    assert wilson(0, 0) == (0.0, 1.0)


def test_rows_of_one_group_do_not_make_an_interval_narrower() -> None:
    gains, sizes = [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0], [1] * 8
    apart = clustered_difference(gains, sizes, list("abcdefgh"), 4000, 1)
    together = clustered_difference(gains, sizes, list("aaaabbbb"), 4000, 1)
    assert apart["mean"] == together["mean"] == 0.0
    assert together["high"] == 1.0 > apart["high"]


def test_evaluation_counts_by_hand_and_generate_takes_the_answers_from_the_cache(
    sft_plan: TrainPlan, carry_out: CarryOut, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = carry_out(sft_plan)
    cache = str(tmp_path / "cache")
    plan = with_dials(
        EvaluatePlan(),
        run=str(run),
        snapshot=str(snapshot),
        checks={"anything": "", "nothing": r"(?!)"},
        max_new_tokens=8,
        precision="fp32",
        cache=cache,
        resamples=200,
    )
    folder = carry_out(plan)
    assert verify_run(folder) == []
    sealed = read_json(folder / "manifest.json")
    assert (sealed["parent_run_id"], sealed["parents"]) == (run.name, [run.name])
    report, table = read_json(folder / "evaluation.json"), pl.read_parquet(folder / "nll.parquet")
    assert report["holdout"] == {"scored": 6, "too_long": 0, "answered": 6}
    assert (report["checks"]["anything"]["tuned"]["share"], report["checks"]["nothing"]["tuned"]["share"]) == (1.0, 0.0)
    for arm in ("base", "tuned"):
        rows = table.filter(pl.col("arm") == arm)
        assert math.isclose(report["nll"][arm], rows["nll_sum"].sum() / rows["tokens"].sum())
    difference = report["nll"]["difference"]
    assert math.isclose(difference["mean"], report["nll"]["tuned"] - report["nll"]["base"])
    assert difference["low"] <= difference["mean"] <= difference["high"]

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a known prompt was answered again")

    monkeypatch.setattr("pitchpipe.training.measuring.arms.generate_answers", refuse)
    asked = with_dials(
        GeneratePlan(), run=str(run), snapshot=str(snapshot), max_new_tokens=8, precision="fp32", cache=cache
    )
    written = carry_out(asked)
    assert (written / "candidates.jsonl").read_text() == (folder / "generations.jsonl").read_text()
    lines = [json.loads(line) for line in (written / "candidates.jsonl").read_text().splitlines()]
    assert [line["arm"] for line in lines] == ["base"] * 6 + ["tuned"] * 6
    assert {line["model"] for line in lines if line["arm"] == "tuned"} == {run.name}


def test_generate_answers_a_file_of_prompts(sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path) -> None:
    run = carry_out(sft_plan)
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('{"example_id": "ex_1", "messages": [{"role": "user", "content": "hi"}]}\n')
    plan = with_dials(GeneratePlan(), run=str(run), prompts=str(prompts), arms=["tuned"], max_new_tokens=4)
    lines = (carry_out(plan) / "candidates.jsonl").read_text().splitlines()
    assert [json.loads(line)["example_id"] for line in lines] == ["ex_1"]
    prompts.write_text('{"example_id": "ex_1"}\n')
    with pytest.raises(UsageError, match="Line 1"):
        carry_out(plan)


def test_a_check_may_ask_for_the_beginning_and_end_of_any_line() -> None:
    from pitchpipe.training.measuring.evaluation import compile_checks

    pattern = compile_checks({"line": "^Next step: .+$"})["line"]
    assert pattern.search("It ships today.\nNext step: Wait.\nThanks.")
    assert not pattern.search("It ships today. Next step: Wait.")


def test_what_cannot_be_measured_is_told(sft_plan: TrainPlan, carry_out: CarryOut, snapshot: Path) -> None:
    from pitchpipe.training.measuring.evaluation import compile_checks, holdout_references

    for pattern in ("(", 3, "a{99999999999}"):
        with pytest.raises(UsageError, match="'broken'") as caught:
            compile_checks({"broken": pattern})
        assert caught.value.advice == f"Correct the pattern {pattern!r} in the plan."
    with pytest.raises(UsageError, match="'broken'"):
        carry_out(with_dials(EvaluatePlan(), run="/nowhere", snapshot="/nowhere", checks={"broken": "("}))
    with pytest.raises(SnapshotError, match="no holdout rows"):
        holdout_references(frame([answer_row(1)]))
    with pytest.raises(RunError, match="no run folder"):
        carry_out(with_dials(EvaluatePlan(), run="/nowhere", snapshot=str(snapshot)))
