"""Rows report: what becomes of the rows of a plan, in numbers and in findings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.amounts import check_amount, stand
from pitchpipe.training.preflight.findings import Finding, block, fine, warn
from pitchpipe.training.preflight.planned_rows import SIDES, PlannedRow, PlannedRows
from pitchpipe.training.preflight.row_checks import (
    check_balance,
    check_contradictions,
    check_lengths_of_pairs,
    check_repeats,
    count_labels,
    measure_length_bias,
    summarise_reasons,
)

_MANY_LOST = 0.05
_STEPS = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "longest": 1.0}


def describe_rows(plan: TrainPlan, planned: PlannedRows) -> dict[str, Any]:
    """The numbers of the report that are about rows and tokens."""
    learned = planned.learned
    described: dict[str, Any] = {
        "rows": {
            "considered": planned.result.considered,
            **planned.ledger.count(),
            "learned": len(learned),
            "reasons": summarise_reasons(planned.ledger.rows),
        },
        "tokens": measure_tokens(plan, learned),
        "amount": stand(plan.method, len(learned)),
    }
    if len(SIDES[plan.method]) == 2:
        described["length_bias"] = measure_length_bias(learned)
    if plan.method in ("kto", "classify"):
        described["labels"] = count_labels(learned)
    return described


def measure_tokens(plan: TrainPlan, learned: Sequence[PlannedRow]) -> dict[str, int]:
    """Tokens of one pass, and of the row at a share of the way up: total, answers, p50 ... longest."""
    lengths = sorted(max(row.measure(plan.max_length)) for row in learned)
    answers = sum(
        max(0, length - len(row.prompt))
        for row in learned
        for length in row.measure(plan.max_length)
        if row.sides and plan.method != "classify"
    )
    steps = {name: lengths[round(share * (len(lengths) - 1))] for name, share in _STEPS.items()} if lengths else {}
    return {"total": sum(sum(row.measure(plan.max_length)) for row in learned), "answers": answers, **steps}


def check_rows(plan: TrainPlan, planned: PlannedRows) -> list[Finding]:
    """What is to be said of the rows."""
    learned = planned.learned
    found = _check_fates(plan, planned)
    if not learned:
        return found
    found += check_amount(plan.method, len(learned))
    found += check_repeats(learned)
    if len(SIDES[plan.method]) == 2:
        found += check_lengths_of_pairs(learned) + check_contradictions(learned)
    if plan.method in ("kto", "classify"):
        found += check_balance(plan.method, count_labels(learned))
    return found


def _check_fates(plan: TrainPlan, planned: PlannedRows) -> list[Finding]:
    counts = planned.ledger.count()
    too_long = [row.row_id for row in planned.tokenised if row.fate == "too_long"]
    if too_long and plan.over_length == "fail":
        advice = "Raise `max_length`, or set `over_length` to drop or truncate."
        return [
            block("lengths", f"{len(too_long):,} rows are longer than {plan.max_length:,} tokens.", advice, too_long)
        ]
    lost = counts["too_long"] + counts["truncated"]
    words = (
        f"Of {planned.result.considered:,} rows {counts['kept']:,} are learned whole, {counts['truncated']:,} cut, "
        f"{counts['too_long']:,} left out as too long, {counts['dropped']:,} left out by a rule."
    )
    if planned.tokenised and lost > _MANY_LOST * len(planned.tokenised):
        longest = max(row["tokens"] or 0 for row in planned.ledger.rows if row.get("tokens"))
        advice = f"Raise `max_length`: the longest row has {longest:,} tokens."
        return [warn("lengths", words, advice, too_long)]
    return [fine("lengths", words)]
