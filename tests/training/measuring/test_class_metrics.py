"""What is said of a classifier is what one would work out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.training.measuring.class_metrics import (
    bootstrap_macro_f1,
    compare_paired,
    count_confusion,
    macro_f1,
    measure_calibration,
    measure_classes,
)


def test_each_class_and_the_macro_f1_are_those_worked_out_by_hand() -> None:
    # Three of class 0 (one taken for 1), two of class 1 (both right), one of class 2 (taken for 0).
    confusion = count_confusion([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 1, 0], 4)
    assert confusion.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    zero, one, two, never = measure_classes(confusion)
    assert zero == {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3}
    assert one == {"precision": 2 / 3, "recall": 1.0, "f1": 4 / 5, "support": 2}
    assert two == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert never["support"] == 0
    # The class that neither occurs nor is predicted does not count: (2/3 + 4/5 + 0) / 3.
    assert macro_f1(confusion) == pytest.approx((2 / 3 + 4 / 5) / 3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_the_macro_f1_agrees_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    truth, predicted = (list(side) for side in zip(*pairs, strict=True))
    assert macro_f1(count_confusion(truth, predicted, 4)) == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro", zero_division=0)
    )


def test_rows_of_one_group_do_not_make_the_interval_of_the_macro_f1_narrower() -> None:
    truth, predicted = [0, 0, 0, 0, 1, 1, 1, 1] * 4, [0, 0, 0, 1, 1, 1, 1, 0] * 4
    apart = bootstrap_macro_f1(truth, predicted, 2, [str(number) for number in range(32)], 500, 7)
    together = bootstrap_macro_f1(truth, predicted, 2, [str(number // 8) for number in range(32)], 500, 7)
    assert apart[0] < 0.75 < apart[1]
    assert together == (0.75, 0.75)  # every group of eight is the same mix


def test_the_calibration_error_is_the_one_of_the_paper() -> None:
    # Bin 0.6-0.7: confidence 0.65, half right: 0.15 off, half of the rows; bin 0.9-1: 1.0, all right: 0 off.
    found = measure_calibration([0.65, 0.65, 1.0, 1.0], [True, False, True, True])
    assert found["ece"] == pytest.approx(0.075)
    assert [(entry["from"], entry["rows"], entry["accuracy"]) for entry in found["bins"]] == [
        (0.6, 2, 0.5),
        (0.9, 2, 1.0),
    ]


def test_mcnemars_exact_p_is_that_of_the_binomial() -> None:
    first = [True] * 9 + [False] * 1 + [True] * 20
    second = [False] * 9 + [True] * 1 + [True] * 20
    found = compare_paired(first, second)
    # 2 * (C(10,0) + C(10,1)) / 2**10
    assert found == {"only_first": 9, "only_second": 1, "p": 22 / 1024}
    assert compare_paired([True, False], [True, False])["p"] == 1.0
    many = np.random.default_rng(0).random((2, 5000)) < 0.5
    assert 0.0 < compare_paired(many[0].tolist(), many[1].tolist())["p"] <= 1.0
