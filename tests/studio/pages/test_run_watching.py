"""Watching a run on the Rounds page: advice, samples, several runs over each other, and long runs read bit by bit."""

from __future__ import annotations

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.studio import watch_verbs
from pitchpipe.studio.app_pages.rounds import curves
from pitchpipe.studio.app_pages.rounds.metric_log import MetricLog, collect_curves
from pitchpipe.training.plans.plan_files import load_recipe, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import read_metrics, write_atomic
from tests.studio.pages.test_rounds import make_run, read_everything, seal_run, show_rounds


def write(path: Path, lines: list[dict[str, Any]], mode: str = "a") -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def test_a_log_read_bit_by_bit_holds_what_a_reading_of_the_whole_would(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricLog(path)
    log.catch_up()
    assert log.lines == []
    write(path, [{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}])
    with path.open("a") as file:
        file.write('{"step": 3, "lo')  # still being written
    log.catch_up()
    assert [line["step"] for line in log.lines] == [1, 2]
    with path.open("a") as file:
        file.write('ss": 1.0}\n')
    log.catch_up()
    assert log.lines == read_metrics(tmp_path) and log.curves["loss"] == (array("d", [1, 3]), array("d", [2, 1]))
    # A run that goes on from a checkpoint cuts its lines and writes them again.
    write_atomic(path, json.dumps({"step": 1, "loss": 2.0}) + "\n")
    write(path, [{"step": step, "loss": 3.0} for step in range(2, 6)])
    log.catch_up()
    assert log.lines == read_metrics(tmp_path) and list(log.curves["loss"][1]) == [2, 3, 3, 3, 3]
    # Of two lines for one step the later one counts.
    write(path, [{"step": 4, "loss": 9.0}])
    log.catch_up()
    assert log.curves == collect_curves([*read_metrics(tmp_path)[:3], {"step": 4, "loss": 9.0}])


def test_advice_on_a_log_is_worked_out_again_when_there_is_more(tmp_path: Path) -> None:
    log, plan = MetricLog(tmp_path / "metrics.jsonl"), TrainPlan()
    write(log.path, [{"step": step, "learning_rate": 0.0} for step in range(2)])
    log.catch_up()
    assert log.advise(plan, is_final=False) == []
    write(log.path, [{"step": 2, "learning_rate": 0.0}])
    log.catch_up()
    assert [finding.rule for finding in log.advise(plan, is_final=False)] == ["no_rate"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(2, 40))
def test_a_thinned_curve_keeps_its_ends_of_value_and_its_order(values: list[float], most: int) -> None:
    curve = array("d", range(len(values))), array("d", values)
    thin = curves.thin_curve(curve, most)
    steps = [step for step, _ in thin]
    assert len(thin) <= max(most, 2) and steps == sorted(set(steps))
    assert all(values[step] == value for step, value in thin)
    assert {min(values), max(values)} <= {value for _, value in thin}


def test_a_chart_of_the_same_shape_is_worked_out_once_and_holds_no_points() -> None:
    shape = curves.Shape("loss", ("a", "b"), True, True, True, False, ((4, "best"),))
    spec = json.loads(curves.write_spec(shape))
    assert curves.write_spec(shape) is curves.write_spec(shape)
    assert spec["layer"][1]["encoding"]["y"]["scale"]["type"] == "log"
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == ["a", "b"]
    assert curves._POINTS not in spec["datasets"]


@pytest.fixture
def plan(snapshot: Snapshot) -> TrainPlan:
    recipe = load_recipe("sft")
    return with_dials(recipe, snapshot=str(snapshot.folder.resolve()), name="house *style*")


def overfit(folder: Path) -> None:
    lines: list[dict[str, Any]] = [{"step": step, "loss": 2.0 - step / 100} for step in range(1, 51)]
    found = {0: 2.0, 10: 1.5, 20: 1.6, 30: 1.7, 40: 1.8}
    for line in lines:
        if line["step"] in found:
            line["dev_loss"] = line["dev_nll"] = found[line["step"]]
    write(folder / "metrics.jsonl", [{"step": 0, "dev_loss": 2.0, "dev_nll": 2.0}, *lines], "w")


def test_advice_is_on_the_page_with_the_change_to_make_and_the_best_step_is_marked(
    desk: Store, plan: TrainPlan
) -> None:
    folder = make_run(desk, plan, [2.0], progress={"stage": "training", "step": 50, "total_steps": 50})
    overfit(folder)
    shown = read_everything(app := show_rounds())
    assert "the loss on held back rows rose three times" in shown and "set patience to 2 and keep_best" in shown
    assert "rule overfitting, step 40" in shown
    assert "best on held back rows" in str(app.get("vega_lite_chart")[0].proto.datasets)
    assert "NLL of good answers, nats a token" not in shown  # for sft it is the loss, drawn already


def test_sample_answers_are_shown_as_text_beside_the_first_ones(desk: Store, plan: TrainPlan) -> None:
    folder = make_run(desk, plan, [2.0])
    ask = [{"role": "user", "content": "<b>Hi</b> ![x](http://evil/x.png)"}]
    for step, answer in ((0, "So long"), (20, "Next step: *none*")):
        line = {"step": step, "row_id": "r1", "prompt": ask, "answer": answer, "finished": bool(step), "tokens": 4}
        write(folder / "samples.jsonl", [line])
    app = show_rounds()
    assert app.dataframe[0].value.to_dict("records") == [
        {
            "prompt": ask[0]["content"],
            "at first": "So long",
            "answer at step 20": "Next step: *none*",
            "end": "ended, 4 tokens",
        }
    ]
    app.select_slider[0].set_value(0).run()
    assert app.dataframe[0].value.to_dict("records")[0]["answer at step 0"] == "So long"
    assert app.dataframe[0].value.to_dict("records")[0]["end"] == "cut off, 4 tokens"


def test_curves_of_other_runs_are_laid_over_those_of_the_one_that_is_shown(desk: Store, plan: TrainPlan) -> None:
    make_run(desk, plan, [2.0, 1.0])
    make_run(desk, with_dials(plan, name="second"), [2.0, 1.5])
    app = show_rounds()
    (other,) = app.multiselect[0].options
    assert other == "house *style* (SFT)"
    app.multiselect[0].select(other).run()
    assert not app.exception
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == ["second (SFT)", "house *style* (SFT)"]


def test_a_run_that_stopped_early_says_so_and_a_failed_one_gets_no_advice_beside_its_failure(
    desk: Store, plan: TrainPlan, snapshot: Snapshot
) -> None:
    folder = make_run(desk, plan, [2.0], failure={"happened": "The loss was lost.", "advice": "Lower the rate."})
    overfit(folder)
    assert "pp-advice" not in read_everything(show_rounds())
    (folder / "failure.json").unlink()
    (folder / "summary.json").write_text(json.dumps({"dev": {"weights_of_step": 10, "stopped_early": True}}))
    seal_run(folder, plan, snapshot)
    shown = read_everything(app := show_rounds())
    assert "stopped early" in shown
    assert "best on held back rows, kept" in str(app.get("vega_lite_chart")[0].proto.datasets)


def test_the_verb_tells_what_the_page_shows_of_a_run_that_is_not_finished(desk: Store, plan: TrainPlan) -> None:
    folder = make_run(desk, plan, [2.0], progress={"stage": "training", "step": 50, "total_steps": 60})
    overfit(folder)
    told = watch_verbs.watch(desk, folder.name[:-4])
    assert (told["run"], told["status"], told["step"], told["total_steps"]) == (folder.name, "interrupted", 50, 60)
    assert (told["latest"]["step"], told["measured"]["dev_loss"]) == (50, 1.8)
    assert (told["best_step"], told["best_loss"], told["since_best"]) == (10, 1.5, 3)
    assert [finding["rule"] for finding in told["advice"]] == ["overfitting"]
    with pytest.raises(NotFoundError, match="0 training runs have an id that begins with 'run_none'"):
        watch_verbs.watch(desk, "run_none")
