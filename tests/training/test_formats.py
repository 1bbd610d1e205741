"""Which rows teach, and that no row vanishes: every answer worked out by hand."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.training.formats import FormatPolicy, FormatResult, build_rows
from tests.training.snapshots import answer_row, frame, pair_row


def rules(result: FormatResult) -> dict[str, str]:
    return {row.row_id: row.rule for row in result.dropped}


def kept(result: FormatResult) -> list[str]:
    return [row["row_id"] for row in result.kept]


def test_a_persons_correction_is_imitated_before_a_better_rated_answer_of_a_model() -> None:
    rows = frame(
        [
            answer_row(1, origin="model", scores=json.dumps({"helpfulness": 4.0}), candidate_id="m"),
            answer_row(2, example_id="ex_0001", origin="person", scores=None),
        ]
    )
    result = build_rows("sft", rows)
    assert kept(result) == ["row_a0002"]
    assert rules(result) == {"row_a0001": "better_answer_exists"}


def test_the_winner_of_comparisons_is_imitated_before_a_demonstration() -> None:
    rows = frame(
        [
            answer_row(1, candidate_id="demonstrated"),
            answer_row(2, example_id="ex_0001", origin="model", candidate_id="winner"),
            pair_row(3, example_id="ex_0001", candidate_a="winner", candidate_b="other"),
        ]
    )
    assert kept(build_rows("sft", rows)) == ["row_a0002"]


def test_answers_that_nobody_vouches_for_are_left_out_with_the_reason() -> None:
    rows = frame(
        [
            answer_row(1, answer="  "),
            answer_row(2, origin="model"),
            answer_row(3, scores=json.dumps({"helpfulness": 2.9})),
            answer_row(4, origin="import", candidate_id="loser"),
            pair_row(5, candidate_a="x", candidate_b="loser"),
            answer_row(6, split="holdout"),
            answer_row(7, origin="model", scores=json.dumps({"helpfulness": 3.0})),
        ]
    )
    result = build_rows("sft", rows)
    assert rules(result) == {
        "row_a0001": "empty_answer",
        "row_a0002": "not_judged",
        "row_a0003": "rated_below_minimum",
        "row_a0004": "lost_comparison",
        "row_a0006": "sealed_holdout",
    }
    assert kept(result) == ["row_a0007"]
    assert kept(build_rows("sft", rows, FormatPolicy(minimum_rating=2.5))) == ["row_a0003", "row_a0007"]


def test_pairs_without_a_winner_or_with_equal_texts_teach_nothing() -> None:
    rows = frame(
        [
            pair_row(1, verdict="tie", strength=0.0),
            pair_row(2, verdict="both_bad", strength=None),
            pair_row(3, verdict="cannot_judge", strength=None),
            pair_row(4, b="Hello."),
            pair_row(5, b=""),
            pair_row(6, support=0.5),
            pair_row(7, split="holdout"),
            pair_row(8, verdict="b", strength=1.5),
        ]
    )
    result = build_rows("dpo", rows, FormatPolicy(minimum_support=0.6))
    assert list(rules(result).values()) == [
        "tie",
        "both_bad",
        "cannot_judge",
        "identical_answers",
        "empty_answer",
        "weak_support",
        "sealed_holdout",
    ]
    (pair,) = result.kept
    assert (pair["chosen"][0]["content"], pair["rejected"][0]["content"], pair["margin"]) == ("What?", "Hello.", 1.5)


def test_kto_labels_follow_ratings_then_comparisons_then_authors() -> None:
    rows = frame(
        [
            answer_row(1, scores=json.dumps({"helpfulness": 1.0})),
            answer_row(2, origin="model", candidate_id="winner"),
            pair_row(3, candidate_a="winner", candidate_b="loser"),
            answer_row(4, origin="model", candidate_id="loser"),
            answer_row(5),
            answer_row(6, origin="model"),
        ]
    )
    result = build_rows("kto", rows)
    assert [row["label"] for row in result.kept] == [False, True, False, True]
    assert rules(result) == {"row_a0006": "not_judged"}


SIDES = st.sampled_from(["train", "holdout"])
ANSWERS = st.builds(
    answer_row,
    st.integers(0, 9),
    answer=st.sampled_from(["Hello.", "", "Go away."]),
    split=SIDES,
    origin=st.sampled_from(["demonstration", "import", "person", "model"]),
    scores=st.none() | st.floats(0, 4).map(lambda rating: json.dumps({"helpfulness": rating})),
)
PAIRS = st.builds(
    pair_row,
    st.integers(0, 9),
    verdict=st.sampled_from(["a", "b", "tie", "both_bad", "cannot_judge"]),
    split=SIDES,
    strength=st.none() | st.floats(-3, 3),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWERS | PAIRS, max_size=12), st.sampled_from(["sft", "dpo", "kto", "reward"]))
def test_every_row_is_kept_or_listed_and_no_holdout_row_is_kept(rows: list[dict[str, Any]], form: str) -> None:
    numbered = [{**row, "row_id": f"row_{index}"} for index, row in enumerate(rows)]
    result = build_rows(form, frame(numbered))
    wanted = "answer" if form in ("sft", "kto") else "pair"
    of_kind = [row["row_id"] for row in numbered if row["row_kind"] == wanted]
    assert Counter(kept(result) + [row.row_id for row in result.dropped]) == Counter(of_kind)
    sealed = {row["row_id"] for row in numbered if row["split"] == "holdout"}
    assert not sealed & set(kept(result))
    assert all(rules(result)[row_id] == "sealed_holdout" for row_id in sealed & set(of_kind))


@settings(max_examples=30, deadline=None)
@given(st.lists(ANSWERS | PAIRS, max_size=10), st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[dict[str, Any]], random: Any) -> None:
    numbered = [{**row, "row_id": f"row_{index}"} for index, row in enumerate(rows)]
    shuffled = list(numbered)
    random.shuffle(shuffled)
    assert build_rows("sft", frame(numbered)) == build_rows("sft", frame(shuffled))


def test_a_form_that_does_not_exist_is_refused_with_the_ones_that_do() -> None:
    with pytest.raises(Exception, match="sft, dpo, kto, reward"):
        build_rows("ppo", frame([]))
