"""Formats: from the rows of a snapshot to the rows that a method learns from. Pure and free of torch.

Every builder looks at each row of the kind it considers exactly once and either keeps it or says why not, so that
`considered == len(kept) + len(dropped)`. The seal comes first: a holdout row is dropped before anything else is asked.
Only `choose_references` looks at the holdout, and it looks at nothing else: its rows measure and never teach.

| builder | considers | keeps |
|---|---|---|
| `build_sft_rows` | answer rows | row_id, example_id, prompt, completion, weight |
| `build_dpo_rows` | pair rows | row_id, example_id, prompt, chosen, rejected, margin, weight |
| `build_kto_rows` | answer rows | row_id, example_id, prompt, completion, label, weight |
| `build_reward_rows` | pair rows | as dpo; the margin comes from ratings where both answers have one |
| `build_classify_rows` | label rows | row_id, example_id, text, label, weight |
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from pitchpipe.store.errors import UsageError
from pitchpipe.training.rows.format_rules import (
    VERSION,
    FormatPolicy,
    Refusal,
    Row,
    empty,
    measure_gap,
    preference,
    rate_candidates,
    reference_preference,
    refuse_answer,
    refuse_label,
    refuse_pair,
    refuse_reference,
    seal,
    standing_of,
    text_of,
    thumb,
)
from pitchpipe.training.rows.soft_labels import soften_rows

__all__ = [
    "VERSION", "DroppedRow", "Form", "FormatPolicy", "FormatResult", "build_classify_rows", "build_dpo_rows",
    "build_kto_rows", "build_reward_rows", "build_rows", "build_sft_rows", "choose_references",
]  # fmt: skip

Form = Literal["sft", "dpo", "kto", "reward", "classify", "raw"]


@dataclass(frozen=True, slots=True)
class DroppedRow:
    """A row that was left out, and why."""

    row_id: str
    rule: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class FormatResult:
    """What a builder made of the rows it considered."""

    kept: list[Row]
    dropped: list[DroppedRow]
    considered: int

    def __post_init__(self) -> None:
        if self.considered != len(self.kept) + len(self.dropped):
            raise AssertionError(f"{self.considered} considered, {len(self.kept)} kept, {len(self.dropped)} dropped")


def build_sft_rows(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """One answer an example (and one a rated turn of its conversation), the best that people vouch for.

    A person's own answer goes before the winner of comparisons, that before the better rated, that before an unjudged
    demonstration; equal answers are told apart by row id, so the choice never depends on the order of rows.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "answer", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Hi"}]', "candidate_id": "c1", "answer": "Hello.",
    ...     "origin": "demonstration", "scores": None, "weight": 1.0}])
    >>> build_sft_rows(rows).kept[0]["completion"]
    [{'role': 'assistant', 'content': 'Hello.'}]
    """
    return _best_of_each(rows, policy or FormatPolicy(), refuse_answer, preference)


def choose_references(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """One answer a holdout example, which models are measured against: prompt and completion, as of `build_sft_rows`.

    A person's answer goes before the house's demonstration, and that before an import that people vouch for. What a
    model wrote is never a reference, and a demonstration stays one though it lost a comparison.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "answer", "example_id": "e1", "split": "holdout",
    ...     "messages": '[{"role": "user", "content": "Hi"}]', "candidate_id": "c1", "answer": "Hello.",
    ...     "origin": "demonstration", "scores": None, "weight": 1.0}])
    >>> choose_references(rows).kept[0]["completion"]
    [{'role': 'assistant', 'content': 'Hello.'}]
    """
    return _best_of_each(rows, policy or FormatPolicy(), refuse_reference, reference_preference)


def _best_of_each(
    rows: pl.DataFrame,
    policy: FormatPolicy,
    refuse: Callable[[Row, dict[str, int], FormatPolicy], Refusal | None],
    rank: Callable[[Row, dict[str, int], FormatPolicy], tuple[Any, ...]],
) -> FormatResult:
    """The answer of each example, and of each rated turn in it, that is not refused and ranks first."""
    answers = _of_kind(rows, "answer")
    standing = standing_of(_of_kind(rows, "pair"))
    dropped: list[DroppedRow] = []
    contenders: dict[tuple[str, int | None], list[Row]] = defaultdict(list)
    for row in answers:
        verdict = refuse(row, standing, policy)
        if verdict:
            dropped.append(_drop(row, *verdict))
        else:
            contenders[row["example_id"], row.get("turn")].append(row)
    kept = []
    for example in contenders.values():
        best = min(example, key=lambda row: rank(row, standing, policy))
        kept.append(best)
        for row in example:
            if row is not best:
                reason = f"{best['row_id']} answers the same example and stands higher"
                dropped.append(_drop(row, "better_answer_exists", reason))
    return FormatResult([_completion_row(row) for row in _in_order(kept)], _in_order_dropped(dropped), len(answers))


def build_dpo_rows(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """Pairs with a winner: prompt, chosen, rejected, and the margin by which people preferred the winner.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "pair", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Hi"}]', "answer_a": "Hello.", "answer_b": "What?",
    ...     "verdict": "a", "strength": -2.0, "support": 1.0, "weight": 1.0}])
    >>> build_dpo_rows(rows).kept[0]["chosen"], build_dpo_rows(rows).kept[0]["margin"]
    ([{'role': 'assistant', 'content': 'Hello.'}], 2.0)
    """
    policy = policy or FormatPolicy()
    pairs = _of_kind(rows, "pair")
    kept, dropped = [], []
    for row in pairs:
        verdict = refuse_pair(row, policy)
        if verdict:
            dropped.append(_drop(row, *verdict))
        else:
            kept.append(row)
    return FormatResult([_pair_row(row) for row in _in_order(kept)], _in_order_dropped(dropped), len(pairs))


def build_reward_rows(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """The same pairs as for DPO, with the margin that a reward model learns.

    The margin is the gap between the two ratings on the policy's question where both answers have one (0 where the
    ratings contradict the verdict), else the strength of the preference, else 0.

    >>> build_reward_rows(pl.DataFrame(schema={"row_kind": pl.String})).considered
    0
    """
    policy = policy or FormatPolicy()
    result = build_dpo_rows(rows, policy)
    ratings = rate_candidates(_of_kind(rows, "answer"), policy)
    gaps = {row["row_id"]: measure_gap(row, ratings) for row in _of_kind(rows, "pair")}
    for row in result.kept:
        gap = gaps[row["row_id"]]
        row["margin"] = row["margin"] if gap is None else gap
    return result


def build_classify_rows(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """Every labelled text with its one label, for a classifier.

    The text is the request, or all of a longer conversation, with the answer where that was labelled. One with several
    labels is left out and listed (the raw form keeps it).

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "label", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Where is it?"}]', "answer": None, "labels": '["delivery"]',
    ...     "support": 1.0, "weight": 1.0}])
    >>> build_classify_rows(rows).kept[0]["text"], build_classify_rows(rows).kept[0]["label"]
    ('Where is it?', 'delivery')
    """
    policy = policy or FormatPolicy()
    labelled = _of_kind(rows, "label")
    kept, dropped = [], []
    for row in labelled:
        verdict = refuse_label(row, policy)
        if verdict:
            dropped.append(_drop(row, *verdict))
        else:
            facts = {"row_id": row["row_id"], "example_id": row["example_id"], "weight": _weight(row)}
            kept.append({**facts, "text": text_of(row), "label": json.loads(row["labels"])[0]})
    return FormatResult(_in_order(kept), _in_order_dropped(dropped), len(labelled))


def build_kto_rows(rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """Every judged answer with a thumb up or down, as ratings, comparisons or its author say.

    >>> rows = pl.DataFrame([{"row_id": "r1", "row_kind": "answer", "example_id": "e1", "split": "train",
    ...     "messages": '[{"role": "user", "content": "Hi"}]', "candidate_id": "c1", "answer": "What?",
    ...     "origin": "model", "scores": '{"helpfulness": 1.0}', "weight": 1.0}])
    >>> build_kto_rows(rows).kept[0]["label"]
    False
    """
    policy = policy or FormatPolicy()
    answers = _of_kind(rows, "answer")
    standing = standing_of(_of_kind(rows, "pair"))
    kept, dropped = [], []
    for row in answers:
        verdict = seal(row) or empty(row["answer"])
        label = None if verdict else thumb(row, standing, policy)
        if verdict is None and label is None:
            verdict = ("not_judged", "nobody rated or preferred it, and it is no demonstration")
        if verdict:
            dropped.append(_drop(row, *verdict))
        else:
            kept.append({**_completion_row(row), "label": label})
    return FormatResult(_in_order(kept), _in_order_dropped(dropped), len(answers))


_BUILDERS: dict[str, Callable[[pl.DataFrame, FormatPolicy | None], FormatResult]] = {
    "sft": build_sft_rows,
    "dpo": build_dpo_rows,
    "kto": build_kto_rows,
    "reward": build_reward_rows,
    "classify": build_classify_rows,
}


def build_rows(form: str, rows: pl.DataFrame, policy: FormatPolicy | None = None) -> FormatResult:
    """The rows of a form by its name, with the soft labels that the policy asks for."""
    if form == "prompts":
        from pitchpipe.training.rows.prompt_rows import build_prompt_rows

        return build_prompt_rows(rows)
    if form not in _BUILDERS:
        raise UsageError(f"There is no form {form!r}.", f"The forms are: {', '.join(_BUILDERS)} and raw.")
    result = _BUILDERS[form](rows, policy)
    soften_rows(form, result.kept, rows, policy or FormatPolicy())
    return result


def _of_kind(rows: pl.DataFrame, kind: str) -> list[Row]:
    return rows.filter(pl.col("row_kind") == kind).to_dicts()


def _in_order(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row["row_id"]))


def _in_order_dropped(dropped: Iterable[DroppedRow]) -> list[DroppedRow]:
    return sorted(dropped, key=lambda row: row.row_id)


def _drop(row: Row, rule: str, reason: str) -> DroppedRow:
    return DroppedRow(row["row_id"], rule, VERSION, reason)


def _assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _weight(row: Row) -> float:
    weight = row.get("weight")
    return 1.0 if weight is None else float(weight)


def _completion_row(row: Row) -> Row:
    return {
        "row_id": row["row_id"],
        "example_id": row["example_id"],
        "prompt": json.loads(row["messages"]),
        "completion": _assistant(row["answer"]),
        "weight": _weight(row),
    }


def _pair_row(row: Row) -> Row:
    winner, loser = ("a", "b") if row["verdict"] == "a" else ("b", "a")
    strength = row.get("strength") or 0.0
    return {
        "row_id": row["row_id"],
        "example_id": row["example_id"],
        "prompt": json.loads(row["messages"]),
        "chosen": _assistant(row[f"answer_{winner}"]),
        "rejected": _assistant(row[f"answer_{loser}"]),
        # The sign is the verdict's; a mean that leans the other way says only that the margin is nil.
        "margin": max(0.0, -strength if winner == "a" else strength),
        "weight": _weight(row),
    }
