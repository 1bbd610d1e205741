"""Soft labels: what they are, that they come only when asked, and that a trainer takes the rows."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pitchpipe.training.exports.exporting import export_snapshot
from pitchpipe.training.rows.formats import FormatPolicy, build_rows
from tests.training.snapshots import SCHEMA, answer_row, pair_row, write_snapshot

SOFT = FormatPolicy(soft_labels=True, confidence_weights=True)


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema={**SCHEMA, "posterior": pl.String})


def test_the_posterior_goes_before_the_support_and_smoothing_stays_below_one_half() -> None:
    """Support 2/3 of a: 1/3. A posterior of 0.9 for a: 0.1, though one of two said so. Support 0: 0.49. Unasked: 0."""
    rows = frame(
        pair_row(1, support=2 / 3),
        pair_row(2, support=0.5, posterior='{"a": 0.9, "b": 0.1}'),
        pair_row(3, support=0.0),
        pair_row(4, support=None),
    )
    for form in ("dpo", "reward"):
        kept = build_rows(form, rows, SOFT).kept
        assert [row["label_smoothing"] for row in kept] == pytest.approx([1 / 3, 0.1, 0.49, 0.0])
        assert [row["weight"] for row in kept] == pytest.approx([2 / 3, 0.9, 0.0, 1.0])


def test_half_of_what_says_that_neither_is_better_counts_as_a_label_the_wrong_way_round() -> None:
    """cDPO's epsilon is the chance of a flip: 0.1 + 0.4/2 = 0.3; 0 + (0.3 + 0.3)/2 = 0.3; 0.1 + 0.8/2 = 0.5, cut."""
    rows = frame(
        pair_row(1, support=1.0, posterior='{"a": 0.5, "b": 0.1, "tie": 0.4}'),
        pair_row(2, support=1.0, posterior='{"b": 0.4, "tie": 0.3, "both_bad": 0.3}', verdict="b"),
        pair_row(3, support=1.0, posterior='{"a": 0.1, "b": 0.1, "tie": 0.8}'),
    )
    for form in ("dpo", "reward"):
        kept = build_rows(form, rows, SOFT).kept
        assert [row["label_smoothing"] for row in kept] == pytest.approx([0.3, 0.3, 0.49])
        assert [row["weight"] for row in kept] == pytest.approx([0.5, 0.4, 0.1])


def test_weights_of_a_ranking_stay_shares_of_their_prompt() -> None:
    (row,) = build_rows("dpo", frame(pair_row(1, support=0.5, weight=1 / 3)), SOFT).kept
    assert row["weight"] == pytest.approx(1 / 6)


def test_a_thumb_is_as_sure_as_the_rating_is_on_its_side_of_the_line() -> None:
    """Rated 3 or better with 0.75: up. Rated below 3 with 0.8: down. Without a posterior the support counts."""
    up = json.dumps({"helpfulness": {"2": 0.25, "3": 0.5, "4": 0.25}})
    down = json.dumps({"helpfulness": {"1": 0.8, "4": 0.2}})
    rows = frame(
        answer_row(1, scores='{"helpfulness": 3.0}', posterior=up, support=0.5),
        answer_row(2, scores='{"helpfulness": 1.6}', posterior=down, support=0.5),
        answer_row(3, scores='{"helpfulness": 4.0}', support=0.6),
        answer_row(4),
    )
    kept = build_rows("kto", rows, SOFT).kept
    assert [(row["label"], row["weight"]) for row in kept] == [
        (True, 0.75), (False, pytest.approx(0.8)), (True, 0.6), (True, 1.0)
    ]  # fmt: skip
    assert "label_smoothing" not in kept[0]


def test_labels_of_a_classifier_weigh_by_their_probability() -> None:
    label = {**answer_row(1), "row_kind": "label", "labels": '["refund"]', "support": 0.5,
             "posterior": json.dumps({'["refund"]': 0.8, '["other"]': 0.2})}  # fmt: skip
    assert build_rows("classify", frame(label), SOFT).kept[0]["weight"] == 0.8


@pytest.mark.parametrize("form", ["sft", "dpo", "kto", "reward", "classify"])
def test_without_a_wish_nothing_of_an_export_changes(snapshot: Path, tmp_path: Path, form: str) -> None:
    export_snapshot(snapshot, form, tmp_path, policy=FormatPolicy())  # type: ignore[arg-type]
    assert "label_smoothing" not in pl.read_parquet(tmp_path / f"{form}.parquet").columns
    policy = json.loads((tmp_path / f"{form}.manifest.json").read_text())["policy"]
    assert policy == {"minimum_rating": 3.0, "rating_question": "helpfulness", "minimum_support": 0.0}


@pytest.mark.parametrize("format", ["parquet", "jsonl", "csv"])
def test_an_export_carries_the_column_when_asked(tmp_path: Path, format: str) -> None:
    folder = write_snapshot(tmp_path / "snapshot", [pair_row(1, support=0.75), pair_row(2, prompt="Ho", support=1.0)])
    export_snapshot(folder, "dpo", tmp_path / "out", format, SOFT)  # type: ignore[arg-type]
    path = tmp_path / "out" / f"dpo.{format}"
    read = {"parquet": pl.read_parquet, "jsonl": pl.read_ndjson, "csv": pl.read_csv}[format]
    assert read(path)["label_smoothing"].to_list() == [0.25, 0.0]
    policy = json.loads((tmp_path / "out" / "dpo.manifest.json").read_text())["policy"]
    assert (policy["soft_labels"], policy["confidence_weights"]) == (True, True)


@pytest.mark.parametrize("form", ["dpo", "reward"])
def test_a_plain_trainer_takes_the_soft_columns_and_uses_the_margin_of_reward_rows(
    tmp_path: Path, tiny_model: Path, form: str
) -> None:
    import trl
    from datasets import load_dataset

    from pitchpipe.training.exports.trainer_loading import _TRAINERS, _stand_in
    from pitchpipe.training.models.loading import load_tokenizer

    pairs = [pair_row(n, prompt=f"where {n}", support=0.75, strength=-2.0) for n in range(4)]
    export_snapshot(write_snapshot(tmp_path / "snapshot", pairs), form, tmp_path, policy=SOFT)  # type: ignore[arg-type]
    trainer, config, _ = _TRAINERS[form]
    tokenizer = load_tokenizer(tiny_model)
    settings = getattr(trl, config)(
        output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, report_to="none",
        use_cpu=True, bf16=False, disable_tqdm=True, logging_steps=1,
    )  # fmt: skip
    rows = load_dataset("parquet", data_files=str(tmp_path / f"{form}.parquet"), split="train", cache_dir=str(tmp_path))
    assert {"margin", "label_smoothing", "weight"} <= set(rows.column_names)
    built = getattr(trl, trainer)(
        model=_stand_in(form, tokenizer, tmp_path / "model"), args=settings, train_dataset=rows,
        processing_class=tokenizer,
    )  # fmt: skip
    loss = built.train().training_loss
    if form == "reward":
        # An untrained model prefers neither, so the loss is about log(1 + e^margin) = log(1 + e^2) = 2.13, not log 2.
        assert loss == pytest.approx(2.13, abs=0.1)
    else:
        assert loss == pytest.approx(0.693, abs=0.01)  # the reference is the model itself: log 2
