"""Dev rows: training rows that are held back, so that a run can be watched and its best step be chosen.

The holdout of a snapshot is sealed: it measures a finished model and never chooses one. So the rows to choose by come
from the training side, whole groups of them, and are listed in the ledger as held back. Which groups is decided by a
salted hash of the group alone: a group that is held back in one round is held back in the next, and a larger share
holds back the same groups and some more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pitchpipe.store.errors import UsageError
from pitchpipe.store.identity import hash_text
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.rows.formats import VERSION, DroppedRow, FormatResult
from pitchpipe.training.tokens.ledger import HELD_BACK
from pitchpipe.training.tokens.tokenizing import ChatEncoder

_SALT = "dev rows 1"
_MEASURED = ("sft", "dpo", "kto", "reward")


def check_watching(plan: TrainPlan) -> None:
    """Raises a UsageError for dials that ask for a choice with nothing to choose by."""
    choosing = [name for name in ("patience", "keep_best") if getattr(plan, name)]
    if choosing and not (plan.dev_share and plan.measure_every):
        raise UsageError(
            f"The dial `{choosing[0]}` needs measurements of held back rows, and the plan asks for none.",
            "Set `dev_share` (0.1, say) and `measure_every` (20 steps, say), or turn it off.",
        )
    if plan.method == "classify" and (plan.dev_share or plan.measure_every):
        raise UsageError(
            "A classify run holds no rows back and measures nothing on the way.",
            "Set `dev_share` and `measure_every` to 0; `pitchpipe evaluate` measures it on the sealed holdout.",
        )
    if choosing and plan.method not in _MEASURED:
        raise UsageError(
            f"The dial `{choosing[0]}` cannot choose for the method {plan.method!r}.",
            f"It needs a loss on held back rows, which {', '.join(_MEASURED)} have. Turn it off.",
        )


def hold_back(result: FormatResult, rows: pl.DataFrame, share: float) -> tuple[FormatResult, list[dict[str, Any]]]:
    """The rows that are learned, and those held back; a row held back counts as dropped by the rule `held_back`.

    Args:
        rows: the snapshot, which knows the group of each row.
        share: of the groups, 0 to 0.5; at least one group is held back, and one learned, unless it is 0.

    Raises:
        UsageError: fewer than two groups.
    """
    if not share:
        return result, []
    group_of = dict(zip(rows["row_id"], rows["group_id"], strict=True))
    held = choose_groups({group_of[row["row_id"]] for row in result.kept}, share)
    kept = [row for row in result.kept if group_of[row["row_id"]] not in held]
    back = [row for row in result.kept if group_of[row["row_id"]] in held]
    reason = f"its group is one of {len(held)} to choose the best step by"
    dropped = [DroppedRow(row["row_id"], HELD_BACK, VERSION, reason) for row in back]
    return FormatResult(kept, result.dropped + dropped, result.considered), back


def choose_groups(groups: set[str], share: float) -> set[str]:
    """The groups that are held back: those whose hash, as a number from 0 to 1, is below the share.

    >>> choose_groups({"a", "b", "c", "d"}, 0.5) <= {"a", "b", "c", "d"}
    True
    """
    if len(groups) < 2:
        raise UsageError(
            f"The rows are of {len(groups)} groups, too few to hold some back.",
            "Set `dev_share` to 0, or bring more rows.",
        )
    places = sorted((int(hash_text(f"{_SALT} {group}")[7:23], 16) / 16**16, group) for group in groups)
    below = sum(place < share for place, _ in places)
    return {group for _, group in places[: min(max(below, 1), len(groups) - 1)]}


@dataclass
class DevRows:
    """Held back rows as token ids."""

    method: str
    prompts: list[list[int]] = field(default_factory=list)
    answers: list[list[list[int]]] = field(default_factory=list)
    """Of each row its answer, or the chosen and the rejected one."""
    labels: list[bool] = field(default_factory=list)
    """KTO: whether the answer is a good one."""
    too_long: int = 0
    """Rows that are longer than the plan allows, so not measured."""

    def pieces(self) -> list[tuple[list[int], list[int]]]:
        """Every (prompt, answer), the answers of one row next to each other."""
        return [(prompt, answer) for prompt, given in zip(self.prompts, self.answers, strict=True) for answer in given]

    def __len__(self) -> int:
        return len(self.prompts)


def tokenise_dev(plan: TrainPlan, rows: Sequence[dict[str, Any]], encoder: ChatEncoder) -> DevRows:
    """Held back rows as their method needs them; none for a method that has no loss to measure."""
    dev = DevRows(plan.method)
    for row in rows if plan.method in _MEASURED else []:
        sides = ["chosen", "rejected"] if "chosen" in row else ["completion"]
        prompt = encoder.prompt(row["prompt"])
        answers = [encoder.answer(row[side][0]["content"]) for side in sides]
        if len(prompt) + max(len(answer) for answer in answers) > plan.max_length:
            dev.too_long += 1
            continue
        dev.prompts.append(prompt)
        dev.answers.append(answers)
        if "label" in row:
            dev.labels.append(bool(row["label"]))
    return dev
