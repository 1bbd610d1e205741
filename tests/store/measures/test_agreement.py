"""Agreement on tables worked out by hand, on Krippendorff's own example, and on properties that hold for any table."""

from __future__ import annotations

import random
import time
from typing import Any

import evalica
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.measures.agreement import LEVELS, Agreement, Level, measure_agreement

Rating = tuple[str, str, Any]

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", data of section C: 4 observers, 12 units.
KRIPPENDORFF = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""


def read_grid(grid: str) -> list[Rating]:
    """Ratings from lines of observers and columns of units, a dot for a missing one."""
    lines = grid.strip().splitlines()
    return [
        (f"u{unit}", f"r{rater}", int(cell))
        for rater, line in enumerate(lines)
        for unit, cell in enumerate(line.split())
        if cell != "."
    ]


# Two values on units rated by three people or fewer: enough variety for every branch.
tables = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2", "u3", "u4", "u5", "u6"]),
        st.sampled_from(["ana", "ben", "cy"]),
        st.integers(0, 4),
    ),
    max_size=18,
    unique_by=lambda rating: rating[:2],
)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_krippendorffs_own_example_is_the_published_one(level: Level, expected: float) -> None:
    assert measure_agreement(read_grid(KRIPPENDORFF), level).alpha == pytest.approx(expected, abs=0.0005)


def test_ac1_of_the_same_table_is_the_one_that_irrcac_publishes() -> None:
    # irrCAC's documentation gives 0.77544 for this table (its cac_raw4raters), raw agreement 0.81818.
    measured = measure_agreement(read_grid(KRIPPENDORFF))
    assert measured.ac1 == pytest.approx(0.77544, abs=0.00001)
    assert measured.raw_agreement == pytest.approx(0.81818, abs=0.00001)


def test_counts_tell_rated_pairable_and_unanimous_units_apart() -> None:
    measured = measure_agreement(read_grid(KRIPPENDORFF))
    # Unit 12 has a single rating; units 2, 6 and 8 of the eleven others are not unanimous.
    assert (measured.units, measured.pairable_units, measured.unanimous) == (12, 11, 8)
    assert (measured.ratings, measured.raters) == (41, 4)


def test_a_table_of_two_raters_gives_the_numbers_worked_out_by_hand() -> None:
    # Pairs (0,0) (0,1) (1,1) (1,1). Values: 3 zeros, 5 ones, n = 8.
    # Alpha: observed sum 2 (the two orders of the one disagreement), expected 64 - 9 - 25 = 30, 1 - 7 * 2 / 30 = 8/15.
    # AC1: raw 3/4; p(0) = 3/8, chance = 2 * 3/8 * 5/8 = 15/32, (24 - 15) / (32 - 15) = 9/17.
    # Kappa: mean squared difference 1/4; over all pairs P(0) Q(1) + P(1) Q(0) = 1/2 * 3/4 + 1/2 * 1/4 = 1/2.
    measured = measure_agreement(read_grid("0 0 1 1\n0 1 1 1"), "interval")
    assert measured.alpha == pytest.approx(8 / 15)
    assert measured.ac1 == pytest.approx(9 / 17)
    assert measured.quadratic_kappa == pytest.approx(1 / 2)
    assert measured.raw_agreement == pytest.approx(3 / 4)


def test_quadratic_kappa_weighs_a_wide_miss_more_than_a_narrow_one() -> None:
    narrow = measure_agreement(read_grid("0 1 2 3 4\n1 1 2 3 4"), "ordinal").quadratic_kappa
    wide = measure_agreement(read_grid("0 1 2 3 4\n4 1 2 3 4"), "ordinal").quadratic_kappa
    # Narrow: observed 1/5; variances 2 and 34/25, means 2 and 11/5: expected 2 + 1.36 + 0.04 = 3.4.
    assert narrow == pytest.approx(1 - 0.2 / 3.4)
    assert wide is not None
    assert narrow is not None
    assert wide < narrow


def test_quadratic_kappa_is_left_out_for_categories_and_for_three_raters() -> None:
    assert measure_agreement(read_grid("0 1\n0 1"), "nominal").quadratic_kappa is None
    assert measure_agreement(read_grid("0 1\n0 1\n0 1"), "interval").quadratic_kappa is None


def test_where_all_ratings_are_one_value_alpha_is_undefined_and_not_zero_or_one() -> None:
    measured = measure_agreement(read_grid("3 3 3\n3 3 3"), "interval")
    assert measured.alpha is None
    assert measured.alpha_low is None
    assert measured.undefined_because == "every rating is the same value, so agreement cannot be told from chance"
    assert measured.ac1 is None
    assert measured.quadratic_kappa is None
    assert measured.raw_agreement == 1.0


@pytest.mark.parametrize("ratings", [[], [("u1", "ana", 1), ("u2", "ben", 2)], [("u1", "ana", None)]])
def test_where_no_unit_has_two_ratings_everything_is_undefined(ratings: list[Rating]) -> None:
    measured = measure_agreement(ratings)
    assert measured.undefined_because == "no unit has two ratings"
    assert measured.alpha is measured.ac1 is measured.raw_agreement is None


def test_missing_ratings_are_left_out_whether_null_or_nan() -> None:
    frame = pl.DataFrame(
        {"unit": ["a", "a", "b", "b"], "rater": ["r", "s", "r", "s"], "value": [1.0, None, 2.0, np.nan]}
    )
    assert measure_agreement(frame, "interval").ratings == 2


def test_the_later_rating_of_a_rater_on_a_unit_counts() -> None:
    ratings = [("u", "ana", 0), ("u", "ben", 4), ("v", "ana", 0), ("v", "ben", 0), ("u", "ana", 4)]
    measured = measure_agreement(ratings)
    assert (measured.alpha, measured.ratings) == (1.0, 4)


def test_numbers_are_demanded_where_the_level_needs_them() -> None:
    with pytest.raises(UsageError, match="'tie' are not numbers"):
        measure_agreement([("u", "ana", "tie"), ("u", "ben", "tie")], "ordinal")


def test_labels_may_mix_text_and_numbers() -> None:
    ratings = [("u", "ana", "none"), ("u", "ben", "none"), ("v", "ana", 3), ("v", "ben", 3)]
    assert measure_agreement(ratings).alpha == 1.0


def test_an_unknown_level_names_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="nominal, ordinal, interval"):
        measure_agreement([], "ratio")  # type: ignore[arg-type]


@given(tables, st.sampled_from(LEVELS), st.randoms(use_true_random=False))
def test_renaming_raters_and_shuffling_rows_changes_nothing(
    ratings: list[Rating], level: Level, chance: random.Random
) -> None:
    renamed = [(f"x{unit}", {"ana": "ben", "ben": "zoe", "cy": "ana"}[rater], value) for unit, rater, value in ratings]
    chance.shuffle(renamed)
    one, other = (measure_agreement(rows, level, resamples=20) for rows in (ratings, renamed))
    assert round_numbers(one) == round_numbers(other)


def round_numbers(measured: Agreement) -> list[object]:
    values = (getattr(measured, name) for name in Agreement.__slots__)
    return [round(value, 9) if isinstance(value, float) else value for value in values]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 4), min_size=2), st.sampled_from(LEVELS))
def test_perfect_agreement_on_different_values_is_one(truth: dict[str, int], level: Level) -> None:
    ratings = [(unit, rater, value) for unit, value in truth.items() for rater in ("ana", "ben", "cy")]
    measured = measure_agreement(ratings, level, resamples=0)
    if len(set(truth.values())) == 1:
        assert measured.alpha is None
    else:
        assert measured.alpha == pytest.approx(1.0)
        assert measured.ac1 == pytest.approx(1.0)
        assert measured.unanimous == len(truth)


@settings(deadline=None)
@given(tables, st.sampled_from(LEVELS))
def test_alpha_equals_an_independent_implementation(ratings: list[Rating], level: Level) -> None:
    measured = measure_agreement(ratings, level, resamples=0)
    if measured.alpha is None:
        return
    frame = pd.DataFrame(ratings, columns=["unit", "rater", "value"]).pivot(
        index="rater", columns="unit", values="value"
    )
    assert measured.alpha == pytest.approx(evalica.alpha(frame.astype(float), level).alpha, abs=1e-9)


@given(tables, st.sampled_from(LEVELS))
def test_every_measure_stays_within_its_bounds(ratings: list[Rating], level: Level) -> None:
    measured = measure_agreement(ratings, level, resamples=10)
    for value in (measured.alpha, measured.ac1, measured.quadratic_kappa, measured.alpha_high):
        assert value is None or value <= 1 + 1e-9
    assert (measured.alpha is None) == (measured.undefined_because is not None)
    assert measured.unanimous <= measured.pairable_units <= measured.units


def test_the_interval_covers_the_true_alpha_about_as_often_as_it_says() -> None:
    # Two raters see a fair coin through noise: each reports it with probability 0.9, so they agree on
    # 0.81 + 0.01 = 0.82 of units; both values are equally frequent, so alpha tends to 1 - 0.18 / 0.5 = 0.64.
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        truth = generator.integers(0, 2, 200)
        ratings = [
            (str(unit), rater, int(value ^ (generator.random() < 0.1)))
            for unit, value in enumerate(truth)
            for rater in ("ana", "ben")
        ]
        measured = measure_agreement(ratings, resamples=200)
        assert measured.alpha_low is not None
        assert measured.alpha_high is not None
        covered += measured.alpha_low <= 0.64 <= measured.alpha_high
    assert 88 <= covered <= 100


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    ratings = read_grid(KRIPPENDORFF)
    one, again, other = (measure_agreement(ratings, seed=seed) for seed in (1, 1, 2))
    assert (one.alpha_low, one.alpha_high) == (again.alpha_low, again.alpha_high)
    assert (one.alpha_low, one.alpha_high) != (other.alpha_low, other.alpha_high)


def test_a_quarter_of_a_million_ratings_with_their_interval_take_a_moment() -> None:
    generator = np.random.default_rng(0)
    units = np.repeat(np.arange(83_334), 3)[:250_000]
    values = np.clip(generator.integers(0, 5, 83_334)[units] + generator.integers(-1, 2, 250_000), 0, 4)
    raters = np.arange(250_000) % 3
    frame = pl.DataFrame({"unit": units, "rater": raters, "value": values})
    began = time.perf_counter()
    assert measure_agreement(frame, "ordinal").resamples == 1000
    assert time.perf_counter() - began < 5  # about 0.3 s where nothing else runs; the budget is 2 s for a million
