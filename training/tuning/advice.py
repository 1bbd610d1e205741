# ruff: noqa: ARG001 (every rule is asked with the same two)
"""Advice: what the numbers of a run say is wrong, and what to change. Pure and free of torch.

Each rule has a name, a version and a threshold with its source; the page, the command line and the end summary read
the same findings. A rule looks at the lines of metrics.jsonl (a number that was not finite stands there as null) and
says nothing on a healthy run. Sources: Axolotl's guide to training stability for what is healthy (loss watchdog,
gradient norm); issues of TRL (#800, #1236, #1623) and of LLaMA-Factory (#6153) for what people met. Where a source
names the sign but no number, the number is ours, and the threshold says so.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from pitchpipe.training.plans.train_plan import TrainPlan

Metrics = Sequence[dict[str, Any]]
Found = tuple[int, str, str]
"""The step at which it shows, what happened, and the change to make."""
_PREFERENCE = ("dpo", "kto", "rloo", "grpo")
_BEFORE = 50
"""Lines that a running median looks back on."""
_SOONEST = 10
"""Lines before which nothing is usual yet."""
_LONG = 10
"""Lines whose mean stands for `now`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may be wrong with a run."""

    name: str
    version: str
    threshold: str
    """What makes it fire, and where the number comes from."""
    find: Callable[[Metrics, TrainPlan], Found | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired."""

    rule: str
    version: str
    step: int
    happened: str
    advice: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def advise(metrics: Metrics, plan: TrainPlan) -> list[Finding]:
    """What is wrong with a run by its metrics so far, in the order of the rules; nothing for a healthy run.

    >>> advise([{"step": 1, "loss": None}], TrainPlan(learning_rate=0.01))[0].happened
    'The loss was no finite number at step 1.'
    """
    found = []
    for rule in RULES:
        result = rule.find(metrics, plan)
        if result:
            found.append(Finding(rule.name, rule.version, *result))
    return found


def series(metrics: Metrics, name: str) -> list[tuple[int, float]]:
    """The (step, value) of every line that has a finite number of that name.

    >>> series([{"step": 1, "loss": 2.0}, {"step": 2, "loss": None}, {"step": 3}], "loss")
    [(1, 2.0)]
    """
    lines = [(line["step"], line.get(name)) for line in metrics]
    return [(step, value) for step, value in lines if isinstance(value, int | float)]


def _not_finite(metrics: Metrics, plan: TrainPlan) -> Found | None:
    for line in metrics:
        for name, words in (("loss", "loss"), ("grad_norm", "gradient norm")):
            if name in line and line[name] is None:
                happened = f"The {words} was no finite number at step {line['step']}."
                return line["step"], happened, lower_rate(plan, 10)
    return None


def lower_rate(plan: TrainPlan, times: int) -> str:
    """The advice to learn more slowly, in numbers."""
    return f"Lower the learning rate, which is {plan.learning_rate:g}, to about {plan.learning_rate / times:.2g}."


def _loss_spike(metrics: Metrics, plan: TrainPlan) -> Found | None:
    values = [value for _, value in series(metrics, "loss")]
    steps = [step for step, _ in series(metrics, "loss")]
    in_a_row, usual = 0, 0.0
    window = sorted(values[:_SOONEST])
    for place in range(_SOONEST, len(values)):
        if not in_a_row:  # the median from before the spike, which must not rise with it
            usual = (window[len(window) // 2] + window[(len(window) - 1) // 2]) / 2
        # Near zero twice is little: an easy batch and a less easy one.
        value = values[place]
        in_a_row = in_a_row + 1 if value > 2 * usual and value - usual > 0.25 else 0
        if in_a_row == 3:
            happened = f"The loss stood at over twice its usual {usual:.3g} for three logs, up to step {steps[place]}."
            return steps[place], happened, f"{lower_rate(plan, 3)} If it comes back, look for broken rows there."
        insort(window, value)
        if place >= _BEFORE:
            window.pop(bisect_left(window, values[place - _BEFORE]))
    return None


def _steep_gradient(metrics: Metrics, plan: TrainPlan) -> Found | None:
    for step, value in series(metrics, "grad_norm"):
        if value > 100:
            happened = f"The gradient norm was {value:.0f} at step {step}; 0.1 to 10 is healthy."
            return step, happened, f"{lower_rate(plan, 3)} A longer warm-up helps when it happens early."
    return None


def _overfitting(metrics: Metrics, plan: TrainPlan) -> Found | None:
    measured = series(metrics, "dev_loss")
    losses = series(metrics, "loss")
    for place in range(3, len(measured)):
        stretch = measured[place - 3 : place + 1]
        if not all(later[1] > sooner[1] for sooner, later in pairwise(stretch)):
            continue
        begin, end = stretch[0][0], stretch[-1][0]
        during = [value for step, value in losses if begin < step <= end]
        before = [value for step, value in losses if begin - (end - begin) < step <= begin]
        if during and before and fmean(during) < fmean(before):
            happened = f"From step {begin} on the loss on held back rows rose three times while the training loss fell."
            advice = f"Learn for less than the {plan.epochs:g} epochs: set `patience` to 2 and `keep_best`."
            return end, happened, f"{advice} Or lower the learning rate, or bring more rows."
    return None


def _never_better(metrics: Metrics, plan: TrainPlan) -> Found | None:
    measured = series(metrics, "dev_loss")
    if len(measured) < 4 or measured[0][0] != 0:
        return None
    start = measured[0][1]
    if min(value for _, value in measured[1:]) < start:
        return None
    happened = f"None of {len(measured) - 1} measurements of the held back rows is better than before training."
    return measured[-1][0], happened, f"{lower_rate(plan, 3)} Look at some rows too: they may teach nothing in common."


def _saturated(metrics: Metrics, plan: TrainPlan) -> Found | None:
    ranked = (series(metrics, "rewards/accuracies") or series(metrics, "accuracy"))[-_LONG:]
    measured = series(metrics, "dev_accuracy")[-4:]
    if plan.method not in ("dpo", "reward") or len(ranked) < _LONG or len(measured) < 4:
        return None
    learned, flat = fmean(value for _, value in ranked), max(value for _, value in measured[1:]) <= measured[0][1]
    if learned < 0.98 or not flat or measured[-1][1] > learned - 0.05:  # all learned, here and there: no harm
        return None
    happened = f"Nearly every training pair is ranked right, but on held back pairs it stays at {measured[-1][1]:.0%}."
    advice = (
        f"Stop here, or raise beta from {plan.beta:g} to {2 * plan.beta:g}." if plan.method == "dpo" else "Stop here."
    )
    return ranked[-1][0], happened, f"{advice} More pairs will help more than more epochs."


def _both_fall(metrics: Metrics, plan: TrainPlan) -> Found | None:
    chosen, rejected = (series(metrics, f"rewards/{side}")[-_LONG:] for side in ("chosen", "rejected"))
    if plan.method not in ("dpo", "kto") or min(len(chosen), len(rejected)) < _LONG:
        return None
    # A reward is beta times the change of the answer's log-probability against the reference, in nats.
    changes = [fmean(value for _, value in side) / plan.beta for side in (chosen, rejected)]
    if max(changes) > -30:
        return None
    happened = f"Good answers became less likely too: by {-changes[0]:.0f} nats each, the others by {-changes[1]:.0f}."
    advice = "Set `sft_weight` to 0.2, which holds on to the chosen answers, or" if plan.method == "dpo" else "Instead"
    raised = f"raise beta from {plan.beta:g} to {2 * plan.beta:g}, or lower the learning rate"
    return chosen[-1][0], happened, f"{advice} {raised}."


def _longer_answers(metrics: Metrics, plan: TrainPlan) -> Found | None:
    lengths = series(metrics, "answer_tokens")
    if plan.method not in _PREFERENCE or len(lengths) < 3:
        return None
    start, last = lengths[0][1], lengths[-2:]
    if min(value for _, value in last) <= 1.3 * start:
        return None
    happened = f"Sample answers grew from {start:.0f} to {last[-1][1]:.0f} tokens: length may be what is being learned."
    advice = "Check whether people prefer the longer answer (preflight tells)"
    if plan.method == "dpo":
        advice += ", and set `ld_alpha` to 0.5, or `loss_type` to sigmoid_norm, under [trl_overrides]"
    elif plan.method != "kto":
        advice += ", and let a check of the length take part in the reward"
    return last[-1][0], happened, f"{advice}."


def _stops_less(metrics: Metrics, plan: TrainPlan) -> Found | None:
    rates = series(metrics, "stop_rate")
    if len(rates) < 3:
        return None
    start, last = rates[0][1], rates[-2:]
    if max(value for _, value in last) > start - 0.2:
        return None
    happened = f"Fewer sample answers end by themselves: {start:.0%} before training, {last[-1][1]:.0%} now."
    advice = (
        "Look at the samples. If they run on, check in the ledger that few rows were truncated (a cut row has no end)"
    )
    return last[-1][0], happened, f"{advice}, or lower the learning rate."


def _far_from_reference(metrics: Metrics, plan: TrainPlan) -> Found | None:
    # TRL logs nats a token for GRPO and nats an answer for the others.
    limit = 1.0 if plan.method == "grpo" else 30.0
    values = series(metrics, "kl")[-5:]
    if plan.method not in _PREFERENCE or len(values) < 5 or fmean(value for _, value in values) <= limit:
        return None
    unit = "token" if plan.method == "grpo" else "answer"
    now = fmean(value for _, value in values)
    happened = f"The model has moved far from its reference: {now:.2g} nats {'a' if unit == 'token' else 'an'} {unit}."
    return values[-1][0], happened, f"Raise beta from {plan.beta:g} to {2 * plan.beta:g}, or lower the learning rate."


def _no_rate(metrics: Metrics, plan: TrainPlan) -> Found | None:
    rates = series(metrics, "learning_rate")
    if len(rates) < 3 or any(value for _, value in rates):
        return None
    happened = f"The learning rate is 0 in all {len(rates)} logs, so nothing is learned."
    return rates[-1][0], happened, "Set `learning_rate`; 2e-4 is usual for sft with LoRA, 1e-5 for dpo."


def _not_moving(metrics: Metrics, plan: TrainPlan) -> Found | None:
    values = series(metrics, "loss")
    if plan.method in ("rloo", "grpo") or len(values) < 30:
        return None
    third = len(values) // 3
    first, last = (fmean(value for _, value in part) for part in (values[:third], values[-third:]))
    if first < 0.05 or abs(last - first) > 0.01 * first:
        return None
    happened = f"The loss has hardly moved: {first:.3f} at first, {last:.3f} now."
    advice = f"Raise the learning rate, which is {plan.learning_rate:g}, to about {3 * plan.learning_rate:.2g}"
    return values[-1][0], happened, f"{advice}, unless the model knew these rows before."


_AXOLOTL = "Axolotl, training_stability"
RULES = (
    Rule("not_finite", "1", "a loss or gradient norm that is NaN or infinite", _not_finite),
    Rule(
        "loss_spike", "1", f"over 2 x the running median for 3 logs ({_AXOLOTL}), by 0.25 at least (ours)", _loss_spike
    ),
    Rule("steep_gradient", "1", f"a gradient norm over 100 ({_AXOLOTL})", _steep_gradient),
    Rule(
        "overfitting",
        "1",
        "dev loss up 3 times in a row while the training loss falls (Prechelt 1998, UP)",
        _overfitting,
    ),
    Rule("never_better", "1", "3 measurements, none below the one before training (ours)", _never_better),
    Rule("saturated", "1", "pairs ranked right >= 98% over 10 logs, dev accuracy flat and 5 points lower", _saturated),
    Rule(
        "both_fall", "1", "chosen and rejected both 30 nats an answer below the reference (TRL #800; ours)", _both_fall
    ),
    Rule("longer_answers", "1", "sample answers over 30% longer than at first, twice (ours)", _longer_answers),
    Rule(
        "stops_less", "1", "20 points fewer sample answers that end than at first, twice (TRL #1623; ours)", _stops_less
    ),
    Rule(
        "far_from_reference",
        "1",
        "KL over 30 nats an answer, or 1 nat a token, over 5 logs (ours)",
        _far_from_reference,
    ),
    Rule("no_rate", "1", "a learning rate of 0 in every log", _no_rate),
    Rule("not_moving", "1", "first and last third of 30 logs or more differ by under 1% (ours)", _not_moving),
)
"""Every rule, the gravest first."""
