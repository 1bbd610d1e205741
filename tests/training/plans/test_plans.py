"""Plans survive TOML, and a dial out of range is told with its name, value and range."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.training.plans.dials import describe_dials
from pitchpipe.training.plans.measure_plans import EvaluatePlan, GeneratePlan
from pitchpipe.training.plans.plan_files import (
    list_recipes,
    load_plan,
    load_recipe,
    plan_from_dict,
    plan_to_toml,
    with_dials,
)
from pitchpipe.training.plans.train_plan import TrainPlan


@pytest.mark.parametrize(("method", "name"), list_recipes())
def test_every_recipe_is_a_plan_that_trl_accepts(method: str, name: str, tmp_path: Path) -> None:
    from pitchpipe.training.tuning.overrides import build_config

    plan = load_recipe(method, name)
    config = build_config(plan, tmp_path, on_accelerator=False)
    assert plan.method == method and config.learning_rate == plan.learning_rate


def test_every_method_has_a_recipe_for_a_cpu_one_for_a_gpu_and_one_for_many() -> None:
    from pitchpipe.training.tuning.methods import METHODS

    wanted = {(method, name) for method in METHODS for name in ("cpu_demo", "one_gpu", "many_gpus")}
    assert wanted <= set(list_recipes())


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, st.dictionaries(TEXTS, TEXTS))
def test_a_plan_survives_toml_whatever_its_texts(name: str, checks: dict[str, str]) -> None:
    plan = with_dials(EvaluatePlan(), name=name, checks=checks)
    assert plan_from_dict(tomllib.loads(plan_to_toml(plan))) == plan


@pytest.mark.parametrize(
    ("dial", "value", "told"),
    [
        ("epochs", 0.0, "between 0.01 and 100"),
        ("batch_size", 2.5, "type int"),
        ("method", "ppo", "sft, dpo"),
        ("learning_rte", 1.0, "no dial"),
    ],
)
def test_a_dial_out_of_range_is_refused_with_its_name_and_range(dial: str, value: object, told: str) -> None:
    with pytest.raises(UsageError, match=dial) as caught:
        with_dials(TrainPlan(), **{dial: value})
    assert told in str(caught.value)


def test_a_missing_or_broken_plan_file_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        load_plan(tmp_path / "nowhere.toml")
    (tmp_path / "broken.toml").write_text("epochs = \n")
    with pytest.raises(UsageError, match="line 1"):
        load_plan(tmp_path / "broken.toml")
    with pytest.raises(NotFoundError, match="sft/cpu_demo"):
        load_recipe("sft", "tpu_pod")


@pytest.mark.parametrize("plan_type", [TrainPlan, EvaluatePlan, GeneratePlan])
def test_every_dial_is_described(plan_type: type[TrainPlan]) -> None:
    assert all(dial.help.endswith(".") for dial in describe_dials(plan_type))


def test_an_override_that_trl_does_not_know_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    from pitchpipe.training.tuning.overrides import check_overrides

    with pytest.raises(UsageError, match="weight_decay"):
        check_overrides(with_dials(TrainPlan(), trl_overrides={"weight_dekay": 0.1}))
    with pytest.raises(UsageError, match="`batch_size`"):
        check_overrides(with_dials(TrainPlan(), trl_overrides={"per_device_train_batch_size": 2}))
    with pytest.raises(UsageError, match="see each other"):
        check_overrides(with_dials(TrainPlan(), trl_overrides={"packing_strategy": "wrapped"}))
    with pytest.raises(UsageError, match="trust_remote_code"):
        check_overrides(with_dials(TrainPlan(), trl_overrides={"trust_remote_code": True}))
