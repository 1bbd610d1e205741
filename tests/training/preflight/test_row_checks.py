"""What is said of rows: lengths of pairs, balance of labels, repeats, amounts; and padding and memory by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.amounts import check_amount
from pitchpipe.training.preflight.memory import Batch, ModelShape, estimate_memory, read_shape
from pitchpipe.training.preflight.padding import count_bins, measure_layout
from pitchpipe.training.preflight.planned_rows import PlannedRow
from pitchpipe.training.preflight.row_checks import check_balance, check_lengths_of_pairs, check_repeats

SHAPE = ModelShape(1000, 50, 4, 2, 2, 4, 8, 16)


def make_pairs(lengths: list[tuple[int, int]]) -> list[PlannedRow]:
    return [
        PlannedRow({"row_id": f"r{n}"}, [1], {"chosen": [2] * chosen, "rejected": [3] * rejected}, "kept")
        for n, (chosen, rejected) in enumerate(lengths)
    ]


@pytest.mark.parametrize(
    ("lengths", "severity"),
    [([(9, 2)] * 20, "warns"), ([(9, 2)] * 19, "fine"), ([(9, 2), (2, 9)] * 20, "fine"), ([(4, 4)] * 30, "fine")],
)
def test_pairs_are_warned_of_where_many_of_enough_chosen_answers_are_longer(
    lengths: list[tuple[int, int]], severity: str
) -> None:
    (found,) = check_lengths_of_pairs(make_pairs(lengths))
    assert found.severity.value == severity


@pytest.mark.parametrize(
    ("method", "labels", "severity"),
    [
        ("kto", {"thumb up": 10}, "blocks"), ("kto", {"thumb up": 40, "thumb down": 10}, "fine"),
        ("kto", {"thumb up": 41, "thumb down": 10}, "warns"), ("classify", {"refund": 30}, "blocks"),
        ("classify", {"refund": 30, "delivery": 7}, "warns"), ("classify", {"refund": 30, "delivery": 8}, "fine"),
        ("classify", {"refund": 90, "delivery": 10}, "warns"),
    ],
)  # fmt: skip
def test_labels_need_enough_rows_of_more_than_one(method: str, labels: dict[str, int], severity: str) -> None:
    (found,) = check_balance(method, labels)
    assert found.severity.value == severity


def test_rows_that_repeat_another_are_told_with_their_ids() -> None:
    rows = [
        PlannedRow({"row_id": f"r{n}"}, [1], {"completion": [number]}, "kept") for n, number in enumerate([4, 5, 4, 4])
    ]
    (found,) = check_repeats(rows)
    assert found.rows == ["r2", "r3"] and "2 rows (50%)" in found.happened
    assert check_repeats(rows[:2]) == []


def test_few_rows_are_warned_of_with_how_many_are_missing() -> None:
    (found,) = check_amount("sft", 30)
    assert found.severity.value == "warns" and "at least 20 more" in found.advice
    assert check_amount("sft", 50)[0].severity.value == "fine"


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=40), st.integers(1, 6), st.sampled_from(["shuffled", "grouped"])
)
@settings(max_examples=50, deadline=None)
def test_a_layout_computes_every_token_and_never_less(lengths: list[int], batch_size: int, name: str) -> None:
    rows = [[length] for length in lengths]
    layout = measure_layout(name, rows, batch_size, 12)
    assert layout.tokens == sum(lengths) <= layout.computed <= max(lengths) * len(lengths)
    assert layout.batches == -(-len(lengths) // batch_size)


def test_a_pair_is_padded_to_the_longest_side_of_its_batch() -> None:
    layout = measure_layout("shuffled", [[2, 6], [3, 3]], batch_size=2, max_length=8)
    assert (layout.tokens, layout.computed, layout.waste) == (14, 24, 1 - 14 / 24)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_packing_leaves_at_most_one_bin_half_empty(lengths: list[int]) -> None:
    # Two bins that are both at most half full would have gone into one.
    assert sum(lengths) <= 8 * count_bins(lengths, 8) < 2 * sum(lengths) + 8


def test_memory_counts_weights_gradients_and_moments_exactly() -> None:
    adapter = with_dials(TrainPlan(), lora_rank=2)
    parts = estimate_memory(adapter, SHAPE, Batch(1, 8, 4), "bf16", False, True)
    # 1000 parameters in bf16 beside an adapter of 2 x 50 in fp32, with its gradients and two moments.
    assert (parts["weights"], parts["gradients"], parts["optimiser"]) == (2000 + 400, 400, 800)
    whole = estimate_memory(with_dials(adapter, weights="full"), SHAPE, Batch(1, 8, 4), "fp32", False, True)
    assert (whole["weights"], whole["gradients"], whole["optimiser"]) == (4000, 4000, 8000)
    pairs = with_dials(adapter, weights="full", method="dpo")
    assert estimate_memory(pairs, SHAPE, Batch(1, 8, 4), "fp32", False, True)["weights"] == 8000


def test_checkpointing_and_shorter_rows_take_less_and_eager_attention_more() -> None:
    def count(batch: Batch, is_eager: bool = False, **dials: Any) -> int:
        shape = ModelShape(1000, 50, 64, 12, 4, 64, 256, 500)
        return estimate_memory(with_dials(TrainPlan(), **dials), shape, batch, "bf16", is_eager, True)["activations"]

    plain = count(Batch(4, 100, 10))
    assert count(Batch(4, 100, 10), checkpointing=True) < plain / 3
    assert count(Batch(4, 50, 10)) * 2 == plain < count(Batch(4, 100, 10), is_eager=True)


def test_the_shape_of_a_model_is_read_of_its_headers(tiny_model: Path) -> None:
    shape = read_shape(tiny_model)
    config = json.loads((tiny_model / "config.json").read_text())
    width, inner, words = 32, 64, config["vocab_size"]
    # A layer: q and o are 32 x 32, k and v 32 x 16, gate, up and down 32 x 64, two norms; tied words and a last norm.
    layer = 2 * width * width + 2 * width * 16 + 3 * width * inner + 2 * width
    assert shape.parameters == 2 * layer + words * width + width
    assert shape.adapter_units == 2 * (2 * 64 + 2 * 48 + 3 * 96)
    assert (shape.width, shape.layers, shape.heads, shape.key_value_width) == (32, 2, 4, 16)
