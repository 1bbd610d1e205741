"""How often a model ranks sealed pairs as people did: counted by hand, and by thirds of the difference in length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pitchpipe.store.errors import SnapshotError
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from tests.training.snapshots import answer_row, frame, pair_row, write_snapshot

CarryOut = Callable[..., Path]


def pair(name: str, chosen: int, rejected: int) -> Any:
    from pitchpipe.training.measuring.pair_accuracy import HoldoutPair

    return HoldoutPair(name, [1], [2] * chosen, [3] * rejected)


def test_the_share_is_told_by_thirds_of_the_difference_in_length() -> None:
    from pitchpipe.training.measuring.pair_accuracy import report_accuracy

    pairs = [pair("f", 9, 1), pair("a", 1, 9), pair("c", 5, 5), pair("b", 2, 9), pair("d", 5, 4), pair("e", 9, 2)]
    margins = [3.0, -1.0, 1.0, -2.0, 0.0, 5.0]  # a model that likes what is long; of a draw it is not right either
    report = report_accuracy(pairs, margins, too_long=2)
    assert (report["pairs"], report["accuracy"], report["too_long"], report["mean_margin"]) == (6, 0.5, 2, 1.0)
    # Wilson for 3 of 6 with z = 1.96: 0.5 +- 1.96 / 2 * sqrt(1 / (6 + 1.96 ** 2))
    assert (round(report["low"], 4), round(report["high"], 4)) == (0.1876, 0.8124)
    thirds = [(third["third"], third["longer_by"], third["pairs"], third["accuracy"]) for third in report["by_length"]]
    assert thirds == [
        ("chosen shorter", [-8, -7], 2, 0.0),
        ("about as long", [0, 1], 2, 0.5),
        ("chosen longer", [7, 8], 2, 1.0),
    ]


def test_with_no_pair_there_is_no_share() -> None:
    from pitchpipe.training.measuring.pair_accuracy import report_accuracy

    report = report_accuracy([], [])
    assert (report["pairs"], report["accuracy"], report["mean_margin"]) == (0, None, None)


def test_only_decided_pairs_of_the_holdout_are_read(encoder: Any) -> None:
    from pitchpipe.training.measuring.pair_accuracy import read_holdout_pairs

    sealed = {"split": "holdout"}
    rows = [
        pair_row(0, "a", "thank you", "the lamp", **sealed),
        pair_row(1, "a", "thank you", "the lamp"),
        pair_row(2, "a", "thank you", "the lamp", verdict="tie", **sealed),
        pair_row(3, "a", "thank you", "the lamp", verdict="b", **sealed),
        pair_row(4, "a", "thank you " * 60, "the lamp", **sealed),
        answer_row(5, "a", "thank you", **sealed),
    ]
    pairs, too_long = read_holdout_pairs(frame(rows), encoder, 60)
    assert [one.row_id for one in pairs] == ["row_p0000", "row_p0003"] and too_long == 1
    assert pairs[0].chosen == pairs[1].rejected == encoder.answer("thank you")


def test_a_scores_rank_does_not_depend_on_the_batch(sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path) -> None:
    run = carry_out(with_dials(sft_plan, method="reward"))
    rows = [pair_row(number, "a", "the lamp " * number, "thank you", split="holdout") for number in range(1, 8)]
    sealed = write_snapshot(tmp_path / "sealed", rows, "snap_sealed")
    measure = with_dials(EvaluatePlan(), run=str(run), snapshot=str(sealed))
    one, all_at_once = (
        pl.read_parquet(carry_out(with_dials(measure, batch_size=size)) / "pairs.parquet") for size in (1, 32)
    )
    assert one.height == 7 and one["margin"].n_unique() == 7
    assert all(abs(x - y) < 1e-4 for x, y in zip(one["margin"], all_at_once["margin"], strict=True))


def test_a_reward_model_without_a_sealed_pair_cannot_be_measured(
    sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    run = carry_out(with_dials(sft_plan, method="reward"))
    bare = write_snapshot(tmp_path / "bare", [pair_row(0), answer_row(1, split="holdout")], "snap_bare")
    with pytest.raises(SnapshotError, match="no decided pair"):
        carry_out(with_dials(EvaluatePlan(), run=str(run), snapshot=str(bare)))
