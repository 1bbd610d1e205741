"""A classifier learns labels for real on a tiny encoder: what it learns, records, refuses, and how it is measured."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pitchpipe.store.errors import RunError, SnapshotError, UsageError
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import (
    create_run_folder,
    read_json,
    read_manifest,
    read_metrics,
    read_state,
    verify_run,
)
from tests.tiny_encoder import build_tiny_encoder
from tests.tiny_model import WORDS
from tests.training.snapshots import label_row, write_snapshot

CarryOut = Callable[..., Path]
TOPICS = {"delivery": "parcel", "product": "lamp", "account": "page"}
FILLER = [word for word in dict.fromkeys(WORDS) if word not in TOPICS.values()]


def labelled(number: int, **more: Any) -> dict[str, Any]:
    """A text whose topic one word gives away, every fourth of them on the holdout side."""
    topic = list(TOPICS)[number % 3]
    words = [FILLER[(number * 7 + place) % len(FILLER)] for place in range(3 + number % 4)]
    words.insert(number % len(words), TOPICS[topic])
    side = {"split": "holdout" if number % 4 == 0 else "train", "labels": json.dumps([topic])}
    return label_row(number, " ".join(words), **{**side, **more})


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    build_tiny_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety-six labelled texts, twenty-four of them sealed, and four that teach nothing."""
    rows = [labelled(number) for number in range(96)]
    rows.append(labelled(201, labels='["delivery", "product"]'))
    rows.append(labelled(202, labels=None))
    rows.append(labelled(203, labels='["delivery"]', messages='[{"role": "user", "content": " "}]'))
    rows.append(label_row(205, "the lamp " * 40, labels='["product"]'))
    return write_snapshot(tmp_path_factory.mktemp("snapshots") / "snap_topics", rows, "snap_topics")


@pytest.fixture
def plan(tiny_encoder: Path, topics: Path) -> TrainPlan:
    return with_dials(
        TrainPlan(),
        method="classify",
        model=str(tiny_encoder),
        snapshot=str(topics),
        weights="full",
        precision="fp32",
        epochs=12.0,
        batch_size=12,
        learning_rate=3e-3,
        max_length=32,
        samples=2,
        threads=1,
    )


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (path,) = (folder / "model").glob("*.safetensors")
    return load_file(path)


def evaluate(carry_out: CarryOut, run: Path, snapshot: Path, **dials: Any) -> Path:
    return carry_out(with_dials(EvaluatePlan(), run=str(run), snapshot=str(snapshot), resamples=200, **dials))


def test_all_weights_learn_the_topics_and_the_holdout_says_how_well(
    plan: TrainPlan, carry_out: CarryOut, topics: Path, tiny_encoder: Path
) -> None:
    from safetensors.torch import load_file

    run = carry_out(plan)
    assert verify_run(run) == []
    before, after = load_file(tiny_encoder / "model.safetensors"), weights(run)
    learned = {name.removeprefix("bert."): weight for name, weight in after.items()}
    assert learned.keys() - before.keys() == {"classifier.weight", "classifier.bias"}
    assert all(not before[name].equal(learned[name]) for name in before)
    ledger = pl.read_parquet(run / "ledger.parquet")
    assert dict(ledger["status"].value_counts().iter_rows()) == {"kept": 72, "dropped": 27, "too_long": 1}
    reasons = dict(ledger.filter(pl.col("row_id") > "row_l0200").select("row_id", "why").iter_rows())
    assert reasons["row_l0201"].startswith("several_labels") and reasons["row_l0202"].startswith("not_judged")
    assert read_json(run / "classes.json") == {"classes": ["account", "delivery", "product"]}
    metrics = read_metrics(run)
    early, late = ([metric["accuracy"] for metric in part] for part in (metrics[:3], metrics[-6:]))
    assert len(metrics) == 72 and sum(early) / 3 < 0.6 and sum(late) / 6 > 0.95
    assert metrics[-1]["num_tokens"] == 12 * ledger.filter(pl.col("status") == "kept")["tokens"].sum()
    measured = evaluate(carry_out, run, topics)
    assert verify_run(measured) == [] and read_manifest(measured)["parent_run_id"] == run.name
    report = read_json(measured / "evaluation.json")
    table = pl.read_parquet(measured / "predictions.parquet")
    right = (table["label"] == table["predicted"]).sum()
    assert report["accuracy"]["n"] == table.height == 24 and report["accuracy"]["share"] == right / 24 > 0.9
    assert report["comparisons"]["commonest"]["accuracy"] == pytest.approx(1 / 3)
    assert report["comparisons"]["commonest"]["p"] < 0.001
    assert sum(map(sum, report["confusion"]["rows"])) == 24
    assert read_state(measured).summary["accuracy"] == report["accuracy"]
    card = (run / "model_card.md").read_text()
    assert "| delivery | 24 |" in card and "72 learned whole, 0 cut, 1 too long, 27 left out by rule, of 100" in card


def test_an_adapter_learns_too_and_a_later_run_goes_on_from_it_and_is_held_against_it(
    plan: TrainPlan, carry_out: CarryOut, topics: Path
) -> None:
    lora = with_dials(plan, weights="lora", lora_rank=4, learning_rate=0.01)
    first = carry_out(lora)
    found = weights(first)
    # LoRA's B matrices start at zero; two layers of six linear maps, and the pooler, each with A and B; and the head.
    assert len(found) == 2 * (2 * 6 + 1) + 2 and all(weight.abs().sum() > 0 for weight in found.values())
    second = carry_out(with_dials(lora, model=str(first), max_steps=3))
    assert read_manifest(second)["parent_run_id"] == first.name
    assert all(not found[name].equal(weight) for name, weight in weights(second).items())
    report = read_json(evaluate(carry_out, second, topics) / "evaluation.json")
    assert report["accuracy"]["share"] > 0.9
    assert report["comparisons"]["earlier"]["what"] == first.name
    named = read_json(evaluate(carry_out, first, topics, against=str(second)) / "evaluation.json")
    assert named["comparisons"]["earlier"]["accuracy"] == report["accuracy"]["share"]


def test_a_run_goes_on_from_all_weights_of_another_with_its_classes(plan: TrainPlan, carry_out: CarryOut) -> None:
    first = carry_out(with_dials(plan, max_steps=4))
    second = carry_out(with_dials(plan, model=str(first), max_steps=2, max_rows=6, learning_rate=0.0))
    assert all(weight.equal(weights(second)[name]) for name, weight in weights(first).items())
    assert read_json(second / "classes.json") == read_json(first / "classes.json")
    assert read_json(second / "inputs.json")["start_run"] == first.name


def test_a_run_that_is_asked_to_stop_ends_with_the_weights_of_one_that_was_not(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pitchpipe.training.tuning import monitor

    plan = with_dials(plan, max_steps=6, checkpoint_every=2)
    tell = monitor.write_progress

    def tell_and_stop(folder: Path, stage: str, step: int = 0, *rest: Any, **more: Any) -> None:
        tell(folder, stage, step, *rest, **more)
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    folder = create_run_folder(tmp_path / "stopped", plan)
    with monkeypatch.context() as patch:
        patch.setattr(monitor, "write_progress", tell_and_stop)
        with pytest.raises(monitor.StoppedError):
            carry_out(plan, folder)
    monitor._stop.clear()
    carry_out(plan, folder)
    whole = carry_out(plan)
    assert all(weight.equal(weights(whole)[name]) for name, weight in weights(folder).items())
    one, other = ([(m["loss"], m["accuracy"], m["num_tokens"]) for m in read_metrics(run)] for run in (folder, whole))
    assert one == other


def test_what_people_type_never_becomes_a_control_token_and_a_cut_text_keeps_its_end(tiny_encoder: Path) -> None:
    from pitchpipe.training.models.classifiers import load_text_encoder, resolve_classifier

    encoder = load_text_encoder(resolve_classifier(str(tiny_encoder)))
    controls = set(encoder.tokenizer.all_special_ids)
    ids = encoder.encode("where [SEP] is [MASK] my [CLS] [PAD] parcel")
    assert [place for place, number in enumerate(ids) if number in controls - {encoder.tokenizer.unk_token_id}] == [
        0,
        len(ids) - 1,
    ]
    cut = encoder.cut("where is my parcel today please", 5)
    assert (cut[0], cut[-1], len(cut)) == (encoder.tokenizer.cls_token_id, encoder.tokenizer.sep_token_id, 5)


def test_what_it_says_of_a_text_does_not_depend_on_the_batch(plan: TrainPlan, carry_out: CarryOut) -> None:
    from pitchpipe.training.models.classifiers import load_classifier, load_text_encoder, predict, resolve_classifier

    run = carry_out(with_dials(plan, max_steps=4))
    resolved = resolve_classifier(str(run))
    encoder = load_text_encoder(resolved)
    model = load_classifier(resolved, ["account", "delivery", "product"], encoder.tokenizer.pad_token_id)
    rows = [encoder.encode(text) for text in ("the lamp", "where is my parcel today please", "page")]
    together = predict(model, encoder, rows)
    assert np.allclose(together, np.concatenate([predict(model, encoder, [row]) for row in rows]), atol=1e-6)
    assert np.allclose(together.sum(1), 1.0)


def test_surer_rows_teach_more_where_the_plan_says_so(plan: TrainPlan, carry_out: CarryOut, tmp_path: Path) -> None:
    rows = [labelled(number, split="train", support=0.0 if number % 3 == 0 else 1.0) for number in range(24)]
    snapshot = write_snapshot(tmp_path / "unsure", rows)
    plan = with_dials(plan, snapshot=str(snapshot), max_steps=1, batch_size=24, soft_labels=True)
    soft, hard = carry_out(plan), carry_out(with_dials(plan, soft_labels=False))
    # A third of the rows weighs nothing: the mean over all rows is about two thirds of that with full weights.
    ratio = read_metrics(soft)[0]["loss"] / read_metrics(hard)[0]["loss"]
    assert 0.4 < ratio < 0.9


def test_what_cannot_be_learned_or_measured_is_told(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path, topics: Path, sft_plan: TrainPlan
) -> None:
    alone = write_snapshot(tmp_path / "alone", [label_row(number) for number in range(4)])
    with pytest.raises(RunError, match=r"name 1 classes: \['refund'\]"):
        carry_out(with_dials(plan, snapshot=str(alone)))
    with pytest.raises(UsageError, match="allows 64 tokens, but this model reads at most 32"):
        carry_out(with_dials(plan, max_length=64))
    with pytest.raises(UsageError, match="no argument 'optimiser'"):
        carry_out(with_dials(plan, model="no/such-model", trl_overrides={"optimiser": "sgd"}))
    run = carry_out(with_dials(plan, max_steps=1))
    other = write_snapshot(tmp_path / "other", [*(labelled(n) for n in range(1, 4)), label_row(9, "the lamp")])
    with pytest.raises(RunError, match=r"does not know the classes \['refund'\]"):
        carry_out(with_dials(plan, snapshot=str(other), model=str(run)))
    with pytest.raises(SnapshotError, match="no holdout text with one label"):
        evaluate(carry_out, run, other)
    with pytest.raises(UsageError, match="a classifier writes no answers"):
        evaluate(carry_out, run, topics, checks={"anything": ""})
    with pytest.raises(RunError, match="made no classifier"):
        carry_out(with_dials(plan, model=str(carry_out(with_dials(sft_plan, max_steps=1)))))


def test_texts_with_several_labels_and_classes_with_few_texts_are_warned_of(
    plan: TrainPlan, carry_out: CarryOut, tmp_path: Path
) -> None:
    both = '["delivery", "product"]'
    few = [labelled(number, split="train", labels=both if number > 6 else None or labelled(number)["labels"])
           for number in range(24)]  # fmt: skip
    folder = carry_out(with_dials(plan, snapshot=str(write_snapshot(tmp_path / "several", few)), max_steps=1))
    warning = read_json(folder / "summary.json")["warning"]
    assert warning["happened"].startswith("17 texts have several labels and were left out, more than the 7 with one")
    rows = [labelled(number, split="train") for number in range(7)]
    folder = carry_out(with_dials(plan, snapshot=str(write_snapshot(tmp_path / "few", rows)), max_steps=1))
    happened = read_state(folder).happened
    assert "fewer than 8 texts to learn from: account (2), delivery (3), product (2)" in happened
