"""Sessions, trends, forecasts and what an agreement means, each worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import log

import polars as pl
import pytest

from pitchpipe.store.measures.pace import (
    compare_thirds,
    describe_forecast,
    describe_trend,
    forecast_end,
    mark_sessions,
)
from pitchpipe.store.measures.wording import (
    count_raters_needed,
    explain_agreement,
    explain_one_more,
    name_band,
    predict_reliability,
)

START = datetime(2026, 3, 2, 9)


def test_a_pause_of_more_than_half_an_hour_and_another_rater_begin_a_session() -> None:
    minutes = [0, 10, 20, 51, 61, 121]  # after 20 a pause of 31 minutes, after 61 one of 60
    at = [START + timedelta(minutes=m) for m in minutes]
    marked = mark_sessions(pl.DataFrame({"rater": ["b"] * 6 + ["a"], "at": [*at, START]}))
    assert marked["rater"].to_list() == ["a"] + ["b"] * 6
    assert marked["session"].to_list() == [1, 2, 2, 2, 3, 3, 4]


def test_thirds_and_hours_count_within_a_session() -> None:
    at = [START + timedelta(minutes=15 * n) for n in range(10)]
    marked = mark_sessions(pl.DataFrame({"rater": ["a"] * 10, "at": at}))
    assert marked["third"].to_list() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]  # place * 3 // 10
    assert marked["hour"].to_list() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_a_short_session_has_no_thirds() -> None:
    at = [START + timedelta(minutes=n) for n in range(8)]
    assert mark_sessions(pl.DataFrame({"rater": ["a"] * 8, "at": at}))["third"].to_list() == [None] * 8


def test_half_the_time_in_the_last_third_is_told_as_faster() -> None:
    """Logs of 20 s and of 10 s, each 0.1 to either side: the means differ by ln 2, so the ratio is 1/2.

    Standard deviation of +-0.1 five times each: sqrt(10 * 0.01 / 9) = 0.1054; of the difference
    sqrt(2 * 0.0111 / 10) = 0.0471; half width 0.0924: 0.5 * e^(+-0.0924) = 0.456 to 0.548.
    """
    trend = compare_thirds([log(20) + 0.1, log(20) - 0.1] * 5, [log(10) + 0.1, log(10) - 0.1] * 5)
    assert (trend.ratio, trend.low, trend.high) == (
        pytest.approx(0.5), pytest.approx(0.456, abs=5e-4), pytest.approx(0.548, abs=5e-4),
    )  # fmt: skip
    assert describe_trend(trend).startswith("Gets faster: 50% less time")


def test_few_times_and_a_range_around_one_claim_nothing() -> None:
    few = compare_thirds([1.0] * 9, [1.0] * 20)
    assert few.ratio is None and "fewer than 10" in describe_trend(few)
    even = compare_thirds([0.5, -0.5] * 10, [0.4, -0.4] * 10)
    assert describe_trend(even).startswith("Keeps the pace: +0%")


@pytest.mark.parametrize(
    ("remaining", "daily", "words"),
    [
        (0, [5, 5], "Nothing is left"),
        (10, [], "nobody has judged"),
        (10, [0, 0, 0], "nobody has judged"),
        (10, [5, 5], "in about 2 days; a range needs 3 days"),
        (10, [5, 5, 5], "the queue is empty in about 2 days."),
        (1, [0, 0, 30], "1 judgement is left. At 10 a day the queue is empty in less than a day (at best 1; the pace"),
    ],
)
def test_a_forecast_says_its_range_or_why_there_is_none(remaining: int, daily: list[int], words: str) -> None:
    assert words in describe_forecast(forecast_end(remaining, daily))


def test_the_bands_are_krippendorffs() -> None:
    assert [name_band(alpha) for alpha in (0.80, 0.7999, 0.667, 0.6669, -1.0)] == [
        "firm", "tentative", "tentative", "not yet", "not yet",
    ]  # fmt: skip


def test_raw_agreement_is_told_beside_what_chance_would_bring() -> None:
    """(0.726 - 0.5) / 0.5 = 0.452: the published 72.6% of InstructGPT's labelers is a kappa of 0.45."""
    assert "73% of the time; chance alone would bring 50%" in explain_agreement(0.452, 0.726, None, is_nominal=True)
    assert (
        explain_agreement(None, 1.0, "every rating is the same", False) == "Cannot be told: every rating is the same."
    )
    assert "no better than chance" in explain_agreement(-0.1, 0.4, None, is_nominal=True)


def test_spearman_brown_doubles_a_half_to_two_thirds_and_inverts() -> None:
    """2 * 0.5 / (1 + 0.5) = 2/3; and 0.8 * 0.5 / (0.5 * 0.2) = 4 raters for 0.80, where 4 * 0.5 / 2.5 = 0.8."""
    assert predict_reliability(0.5, 2) == pytest.approx(2 / 3)
    assert count_raters_needed(0.5) == 4
    assert predict_reliability(0.5, 4) == pytest.approx(0.8)
    assert (count_raters_needed(0.85), count_raters_needed(0.05), count_raters_needed(-0.2)) == (1, None, None)


def test_what_one_more_rater_buys_is_told_or_that_it_buys_nothing() -> None:
    assert explain_one_more(0.5, 2).startswith(
        "With 2 raters a task their mean reaches 0.67; one more would bring 0.75"
    )
    assert "would not help" in explain_one_more(0.0, 2)
    assert "more than 50" in explain_one_more(0.05, 3)
    assert "cannot be told" in explain_one_more(None, 3)
