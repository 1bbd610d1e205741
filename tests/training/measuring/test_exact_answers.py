"""Exact answers: results found in texts, compared with the reference's, with intervals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.training.measuring.exact_answers import find_result, report_exact_answers
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import load_plan, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan

NUMBER = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?")
AFTER_MARKS = re.compile(r"####\s*(-?[0-9][0-9,]*)")
DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("half of 48 is 24, so 72", "72"),
        ("It costs $1,250.00.", "1250"),
        ("-3 degrees", "-3"),
        ("0.50", "0.5"),
        ("1000000", "1000000"),
        ("no number here", None),
        ("", None),
    ],
)
def test_the_last_number_is_the_result_however_it_is_written(text: str, result: str | None) -> None:
    assert find_result(NUMBER, text) == result


def test_a_group_of_the_pattern_is_the_result_and_words_are_compared_without_case() -> None:
    assert find_result(AFTER_MARKS, "5 and 7 make\n#### 12\n99") == "12"
    assert find_result(re.compile(r"answer: (\w+)"), "The answer: Paris") == "paris"


def test_shares_and_their_difference_are_those_of_a_count_by_hand() -> None:
    references = ["#### 1", "#### 2", "#### 3", "none"]
    answers = {"base": ["1", "9", "many", "4"], "tuned": ["1", "2.0", "9", "4"]}
    report = report_exact_answers(NUMBER, references, answers, ["a", "b", "c", "d"], resamples=200, seed=1)
    assert report["without_result"] == 1
    assert (report["base"]["hits"], report["base"]["n"], report["base"]["none"]) == (1, 3, 1)
    assert (report["tuned"]["hits"], report["tuned"]["none"]) == (2, 0)
    # Wilson's interval of 2 in 3, worked out from the formula: (0.6667 + 0.6402) / 2.2805 -+ 0.3653.
    assert report["tuned"]["low"] == pytest.approx(0.2077, abs=1e-4)
    assert report["tuned"]["high"] == pytest.approx(0.9385, abs=1e-4)
    assert report["difference"]["mean"] == pytest.approx(1 / 3)


def test_an_evaluation_tells_how_many_answers_end_in_the_references_result(
    sft_plan: TrainPlan, carry_out: Callable[..., Path], snapshot: Path
) -> None:
    trained = carry_out(sft_plan)
    plan = with_dials(
        EvaluatePlan(), run=str(trained), snapshot=str(snapshot), exact_answers={"last_word": r"(\w+)\s*$"}, threads=1
    )
    folder = carry_out(with_dials(plan, max_new_tokens=4))
    found = json.loads((folder / "evaluation.json").read_text())["exact_answers"]["last_word"]
    assert found["base"]["n"] == found["tuned"]["n"] == 6  # every fourth of 24 examples is sealed, each has a reference
    assert json.loads((folder / "summary.json").read_text())["exact_answers"]["last_word"]["tuned"] == found["tuned"]
    with pytest.raises(UsageError, match="no regular expression"):
        carry_out(with_dials(plan, exact_answers={"odd": "("}))


def test_the_plans_of_the_worked_example_are_plans() -> None:
    tune, evaluate = (load_plan(DOCS / "gsm8k" / name) for name in ("tune.toml", "evaluate.toml"))
    assert (tune.kind, evaluate.kind) == ("train", "evaluate")
    patterns = {name: re.compile(pattern) for name, pattern in evaluate.exact_answers.items()}  # type: ignore[union-attr]
    solution = "She sold 48/2 = <<48/2=24>>24 clips.\n#### 1,072"
    assert [find_result(pattern, solution) for pattern in patterns.values()] == ["1072", "1072"]
