"""Which rows teach, and that no row vanishes: every answer worked out by hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.training.rows.formats import FormatPolicy, FormatResult, build_rows, choose_references
from tests.training.snapshots import answer_row, frame, label_row, pair_row

SAMPLES = Path(__file__).resolve().parents[3] / "sample_data"


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


def test_models_are_measured_against_people_then_the_house_then_judged_imports_and_never_against_a_model() -> None:
    best, holdout = json.dumps({"helpfulness": 4.0}), {"split": "holdout"}
    rows = frame(
        [
            answer_row(1, candidate_id="lost", scores=json.dumps({"helpfulness": 0.0}), **holdout),
            answer_row(2, example_id="ex_0001", origin="import", candidate_id="won", scores=best, **holdout),
            pair_row(3, example_id="ex_0001", candidate_a="won", candidate_b="lost", **holdout),
            answer_row(4, **holdout),
            answer_row(5, example_id="ex_0004", origin="person", **holdout),
            answer_row(6, example_id="ex_0004", origin="model", candidate_id="tuned", scores=best, **holdout),
            pair_row(7, example_id="ex_0004", candidate_a="tuned", candidate_b="cand_0005", **holdout),
            answer_row(8, origin="import", **holdout),
            answer_row(9, example_id="ex_0008", origin="import", scores=best, **holdout),
            answer_row(10, origin="model", scores=best, **holdout),
            answer_row(11, answer=" ", **holdout),
            answer_row(12),
        ]
    )
    result = choose_references(rows)
    assert kept(result) == ["row_a0001", "row_a0005", "row_a0009"]
    assert rules(result) == {
        "row_a0002": "better_answer_exists",
        "row_a0004": "better_answer_exists",
        "row_a0006": "written_by_model",
        "row_a0008": "not_judged",
        "row_a0010": "written_by_model",
        "row_a0011": "empty_answer",
        "row_a0012": "not_holdout",
    }
    assert kept(build_rows("sft", rows)) == ["row_a0012"]


def test_every_sample_holdout_row_has_its_house_answer_as_reference_though_it_lost_its_comparison() -> None:
    samples = [json.loads(line) for line in (SAMPLES / "helpdesk.jsonl").read_text(encoding="utf-8").splitlines()]
    rows, house = [], []
    for number, sample in enumerate(samples):
        side = {"split": sample["split"]}
        theirs = {"example_id": f"ex_{number:04d}", "candidate_id": f"rival_{number:04d}", "origin": "import"}
        rows += [
            answer_row(number, sample["prompt"], sample["answer"], **side),
            answer_row(number + 5000, sample["prompt"], sample["rival"], **theirs, **side),
            pair_row(number, verdict="b", **side),
        ]
        house += [sample["answer"]] if sample["split"] == "holdout" else []
    references = choose_references(frame(rows)).kept
    assert len(references) == 40
    assert [row["completion"][0]["content"] for row in references] == house


def test_the_margin_of_a_reward_row_is_the_rating_gap_else_the_strength() -> None:
    """Pair 2: rated 4 and 1, a gap of 3. Pair 5: the winner is rated 1 below, so nobody may learn a margin. Pair 8: one
    rating is missing, so the strength of 1 counts. Pair 9: neither, so 0. For DPO it is always the strength."""
    rated = [answer_row(n, scores=json.dumps({"helpfulness": score}), candidate_id=f"c{n}") for n, score in
             ((1, 4.0), (3, 1.0), (4, 2.0), (6, 3.0), (7, 2.0))]  # fmt: skip
    pairs = [
        pair_row(2, candidate_a="c1", candidate_b="c3", strength=-1.0),
        pair_row(5, candidate_a="c6", candidate_b="c4", verdict="b", strength=2.0),
        pair_row(8, candidate_a="c7", candidate_b="unrated", strength=-1.0),
        pair_row(9, strength=None),
    ]
    assert [row["margin"] for row in build_rows("reward", frame(rated + pairs)).kept] == [3.0, 0.0, 1.0, 0.0]
    assert [row["margin"] for row in build_rows("dpo", frame(rated + pairs)).kept] == [1.0, 2.0, 1.0, 0.0]


def test_an_option_is_no_rating() -> None:
    rows = frame([answer_row(1, origin="model", scores=json.dumps({"helpfulness": "very"}))])
    assert rules(build_rows("kto", rows)) == {"row_a0001": "not_judged"}


def test_a_rated_turn_teaches_beside_the_last_answer_and_never_measures() -> None:
    good = json.dumps({"helpfulness": 4.0})
    turn = {"origin": "import", "candidate_id": None, "scores": good, "turn": 1}
    rows = frame([answer_row(1), answer_row(2, example_id="ex_0001", **turn)])
    assert kept(build_rows("sft", rows)) == ["row_a0001", "row_a0002"]
    sealed = frame([answer_row(1, split="holdout"), answer_row(2, example_id="ex_0001", split="holdout", **turn)])
    assert kept(choose_references(sealed)) == ["row_a0001"]
    assert rules(choose_references(sealed)) == {"row_a0002": "inner_turn"}


def test_a_classifier_gets_each_text_that_has_one_label() -> None:
    two = json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}])
    rows = frame(
        [
            label_row(1, prompt="Where is it?", labels='["delivery"]'),
            label_row(2, labels='["delivery", "refund"]'),
            label_row(3, split="holdout"),
            label_row(4, support=0.4),
            label_row(5, prompt=" "),
            label_row(6, messages=two, labels='["other"]'),
            label_row(7, answer="Hello.", labels='["other"]'),
            answer_row(8),
        ]
    )
    result = build_rows("classify", rows, FormatPolicy(minimum_support=0.5))
    assert [(row["text"], row["label"]) for row in result.kept] == [
        ("Where is it?", "delivery"),
        ("user: Hi\n\nassistant: Yes?", "other"),
        ("user: Hi\n\nassistant: Hello.", "other"),
    ]
    assert list(rules(result).values()) == ["several_labels", "sealed_holdout", "weak_support", "empty_answer"]
    assert result.considered == 7


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
LABELS = st.builds(label_row, st.integers(0, 9), labels=st.sampled_from(['["a"]', '["a", "b"]', None]), split=SIDES)
KINDS = {"sft": "answer", "kto": "answer", "dpo": "pair", "reward": "pair", "classify": "label"}


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWERS | PAIRS | LABELS, max_size=12), st.sampled_from(sorted(KINDS)))
def test_every_row_is_kept_or_listed_and_no_holdout_row_is_kept(rows: list[dict[str, Any]], form: str) -> None:
    numbered = [{**row, "row_id": f"row_{index}"} for index, row in enumerate(rows)]
    result = build_rows(form, frame(numbered))
    of_kind = [row["row_id"] for row in numbered if row["row_kind"] == KINDS[form]]
    assert Counter(kept(result) + [row.row_id for row in result.dropped]) == Counter(of_kind)
    sealed = {row["row_id"] for row in numbered if row["split"] == "holdout"}
    assert not sealed & set(kept(result))
    assert all(rules(result)[row_id] == "sealed_holdout" for row_id in sealed & set(of_kind))


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWERS | PAIRS, max_size=12))
def test_every_answer_is_a_reference_or_listed_and_none_is_of_the_train_side_or_by_a_model(
    rows: list[dict[str, Any]],
) -> None:
    numbered = [{**row, "row_id": f"row_{index}"} for index, row in enumerate(rows)]
    result = choose_references(frame(numbered))
    answers = {row["row_id"]: row for row in numbered if row["row_kind"] == "answer"}
    assert Counter(kept(result) + [row.row_id for row in result.dropped]) == Counter(list(answers))
    chosen = [answers[row_id] for row_id in kept(result)]
    assert all(row["split"] == "holdout" and row["origin"] != "model" for row in chosen)


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
