"""Advice by rule: a series made by hand that fires it, and one beside it that does not."""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.tuning.advice import RULES, advise
from pitchpipe.training.tuning.standing import Standing, find_standing


def lines(**columns: list[Any]) -> list[dict[str, Any]]:
    """Metrics of steps 1, 2, … from columns; `a__b` is written a/b, and a place that holds "-" has no such number."""
    count = max(map(len, columns.values()))
    return [
        {"step": place + 1}
        | {
            name.replace("__", "/"): column[place]
            for name, column in columns.items()
            if place < len(column) and column[place] != "-"
        }
        for place in range(count)
    ]


def measured(every: int = 10, **columns: list[float]) -> list[dict[str, Any]]:
    """Measurements at steps 0, 10, 20, … beside a training loss that falls from 2.0 by 0.01 a step."""
    count = max(map(len, columns.values()))
    found = []
    for step in range((count - 1) * every + 1):
        line: dict[str, Any] = {"step": step} | ({"loss": 2.0 - step / 100} if step else {})
        if step % every == 0:
            line |= {name: column[step // every] for name, column in columns.items()}
        found.append(line)
    return found


DPO = TrainPlan(method="dpo", beta=0.1, learning_rate=1e-5)
SFT = TrainPlan(method="sft", learning_rate=2e-4)
RISING = [1.0 + 0.1 * place for place in range(30)]
FALLING = [2.0 - 0.02 * place for place in range(40)]
PAIRS = {"rewards__accuracies": [1.0] * 31}

FIRES = {
    "not_finite": (SFT, lines(loss=[2.0, None], grad_norm=[1.0, 1.0])),
    "loss_spike": (SFT, lines(loss=[1.0] * 12 + [2.1, 2.2, 2.3])),
    "steep_gradient": (SFT, lines(loss=[1.0, 1.0], grad_norm=[1.0, 101.0])),
    "overfitting": (SFT, measured(dev_loss=[2.0, 1.5, 1.6, 1.7, 1.8])),
    "never_better": (SFT, measured(dev_loss=[1.5, 1.6, 1.5, 1.7])),
    "saturated": (DPO, lines(**PAIRS, dev_accuracy=[0.7, 0.7, 0.7, 0.69])),
    "both_fall": (DPO, lines(rewards__chosen=[-3.5] * 10, rewards__rejected=[-6.0] * 10)),
    "longer_answers": (DPO, measured(answer_tokens=[20.0, 22.0, 27.0, 28.0])),
    "stops_less": (SFT, measured(stop_rate=[1.0, 0.9, 0.75, 0.5])),
    "far_from_reference": (TrainPlan(method="kto"), lines(kl=[31.0] * 5)),
    "no_rate": (SFT, lines(learning_rate=[0.0, 0.0, 0.0])),
    "not_moving": (SFT, lines(loss=[2.0, 2.01, 1.99] * 10)),
}
QUIET = {
    "not_finite": [(SFT, lines(loss=[2.0, 1.0], grad_norm=[1.0, 1.0])), (SFT, [{"step": 0, "dev_loss": 1.0}])],
    "loss_spike": [
        (SFT, lines(loss=[1.0] * 12 + [2.1, 2.2, 1.0, 2.3])),  # not three in a row
        (SFT, lines(loss=[0.05] * 12 + [0.2, 0.2, 0.2])),  # four times next to nothing
        (SFT, lines(loss=[3.0, 9.0, 9.0, 9.0])),  # too early to know what is usual
    ],
    "steep_gradient": [(SFT, lines(grad_norm=[100.0, 0.1]))],
    "overfitting": [
        (SFT, measured(dev_loss=[2.0, 1.5, 1.6, 1.7, 1.65, 1.7])),  # twice only
        (SFT, lines(loss=RISING, dev_loss=RISING)),  # the training loss rises too: no overfitting
    ],
    "never_better": [
        (SFT, measured(dev_loss=[1.5, 1.6, 1.4, 1.7])),
        (SFT, measured(dev_loss=[1.5, 1.6, 1.5])),
        (SFT, [{"step": 10 + step, "dev_loss": 1.0 + step} for step in range(5)]),  # not measured before training
    ],
    "saturated": [
        (DPO, lines(**PAIRS, dev_accuracy=[0.7, 0.7, 0.75, 0.8])),  # still learning what it has not seen
        (DPO, lines(**PAIRS)),
        (DPO, lines(**PAIRS, dev_accuracy=[1.0] * 4)),  # learned, and it holds for what it has not seen
        (DPO, lines(rewards__accuracies=[0.9] * 31, dev_accuracy=[0.7] * 4)),
    ],
    "both_fall": [
        (DPO, lines(rewards__chosen=[0.5] * 10, rewards__rejected=[-6.0] * 10)),
        (DPO, lines(rewards__chosen=[-3.5] * 9, rewards__rejected=[-6.0] * 9)),
    ],
    "longer_answers": [
        (SFT, measured(answer_tokens=[20.0, 27.0, 28.0])),  # the rows may be longer than what it said before
        (DPO, measured(answer_tokens=[20.0, 28.0, 25.0])),
        (DPO, measured(answer_tokens=[20.0, 26.0, 26.0])),
    ],
    "stops_less": [(SFT, measured(stop_rate=[1.0, 0.5, 1.0])), (SFT, measured(stop_rate=[0.0, 0.0, 0.0]))],
    "far_from_reference": [
        (TrainPlan(method="kto"), lines(kl=[31.0] * 4)),
        (TrainPlan(method="kto"), lines(kl=[25.0] * 9)),
        (TrainPlan(method="grpo"), lines(kl=[0.9] * 9)),
    ],
    "no_rate": [(SFT, lines(learning_rate=[0.0, 1e-5, 0.0])), (SFT, lines(learning_rate=[0.0, 0.0]))],
    "not_moving": [
        (SFT, lines(loss=FALLING)),
        (SFT, lines(loss=[2.0] * 29)),
        (TrainPlan(method="grpo"), lines(loss=[0.1] * 60)),
    ],
}


def names(plan: TrainPlan, metrics: list[dict[str, Any]]) -> list[str]:
    return [finding.rule for finding in advise(metrics, plan)]


@pytest.mark.parametrize("name", [rule.name for rule in RULES])
def test_each_rule_fires_on_its_series_and_not_on_the_ones_beside_it(name: str) -> None:
    plan, metrics = FIRES[name]
    assert name in names(plan, metrics)
    for plan, metrics in QUIET[name]:
        assert name not in names(plan, metrics), metrics


def test_a_finding_tells_the_step_what_happened_and_the_change_in_numbers() -> None:
    (found,) = advise(FIRES["overfitting"][1], SFT)
    assert (found.rule, found.version, found.step) == ("overfitting", "1", 40)
    assert found.happened == "From step 10 on the loss on held back rows rose three times while the training loss fell."
    assert "set `patience` to 2" in found.advice
    (found,) = advise(FIRES["not_finite"][1], SFT)
    assert found.advice == "Lower the learning rate, which is 0.0002, to about 2e-05."
    (found,) = advise(FIRES["saturated"][1], DPO)
    assert "raise beta from 0.1 to 0.2" in found.advice


def test_no_rule_speaks_before_there_is_anything_to_speak_of() -> None:
    for plan in (SFT, DPO, TrainPlan(method="grpo")):
        assert advise([], plan) == [] == advise([{"step": 1, "loss": 2.0, "learning_rate": 0.0}], plan)


def test_the_best_measurement_is_the_first_of_the_lowest_and_those_after_it_count() -> None:
    metrics = [{"step": step, "dev_loss": loss} for step, loss in enumerate([3, 2, 1.0, 1.0, 2, None])]
    standing = find_standing(metrics)
    assert standing == Standing(2, 1.0, 2)
    assert (standing.is_exhausted(2), standing.is_exhausted(3), standing.is_exhausted(0)) == (True, False, False)
    assert find_standing(metrics, up_to_step=2) == Standing(2, 1.0, 0)
    assert find_standing([]) == Standing()
