"""The token ledger: what became of every row, counted in tokens, before a trainer sees any.

TRL drops rows that are too long without a count and cuts others so that they lose their end of turn. So rows are
tokenised and measured here; the trainer is given only what the ledger keeps, and is asked afterwards whether it has all
of it.

    kept       learned whole
    truncated  learned, but its end was cut (it then has no end of turn)
    too_long   left out: longer than the plan allows
    dropped    left out by a rule of the formats
    held_back  not learned, but measured on the way
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pitchpipe.store.errors import RunError
from pitchpipe.training.rows.formats import DroppedRow, FormatResult
from pitchpipe.training.tokens.tokenizing import IGNORED, ChatEncoder

HELD_BACK = "held_back"
_SCHEMA = {
    "row_id": pl.String,
    "status": pl.String,
    "why": pl.String,
    "tokens": pl.Int64,
    "prompt_tokens": pl.Int64,
    "answer_tokens": pl.Int64,
    "rejected_tokens": pl.Int64,
}


@dataclass
class Ledger:
    """The fate of every row, and the token ids of those that are learned."""

    max_length: int
    over_length: str
    """`drop`, `truncate` or `fail`."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    learned: list[dict[str, Any]] = field(default_factory=list)
    """Trainer rows: token ids by the columns of the method, with what else of the row the trainer needs."""

    def count(self) -> dict[str, int]:
        """Rows by status; they add up to the rows considered."""
        counts = Counter(row["status"] for row in self.rows)
        named = {status: counts[status] for status in ("kept", "truncated", "too_long", "dropped")}
        return named | ({HELD_BACK: counts[HELD_BACK]} if counts[HELD_BACK] else {})

    def frame(self) -> pl.DataFrame:
        """The ledger as a table, in order of row id."""
        return pl.DataFrame(self.rows, schema=_SCHEMA).sort("row_id")

    def add_dropped(self, dropped: list[DroppedRow]) -> None:
        """Lists the rows that the formats left out."""
        for row in dropped:
            status = HELD_BACK if row.rule == HELD_BACK else "dropped"
            self.rows.append({"row_id": row.row_id, "status": status, "why": f"{row.rule}: {row.reason}"})

    def place(self, row_id: str, prompt: list[int], answer: list[int], rejected: list[int] | None = None) -> bool:
        """Lists a tokenised row and says whether it is learned (perhaps cut to `max_length` by the caller)."""
        longest = len(prompt) + max(len(answer), len(rejected or []))
        status, why = "kept", ""
        if longest > self.max_length:
            cut = self.over_length == "truncate" and len(prompt) < self.max_length
            status = "truncated" if cut else "too_long"
            why = f"{longest} tokens are more than the {self.max_length} that the plan allows"
        facts = {"tokens": longest, "prompt_tokens": len(prompt), "answer_tokens": len(answer)}
        counted = {**facts, "rejected_tokens": None if rejected is None else len(rejected)}
        self.rows.append({"row_id": row_id, "status": status, "why": why, **counted})
        return status != "too_long"

    def check(self, considered: int) -> None:
        """Asserts the promise of the ledger and applies the policy `fail`."""
        counts = self.count()
        if sum(counts.values()) != considered or len(self.learned) != counts["kept"] + counts["truncated"]:
            raise AssertionError(f"{considered} rows considered, ledger {counts}, learned {len(self.learned)}")
        if self.over_length == "fail" and counts["too_long"]:
            first = next(row for row in self.rows if row["status"] == "too_long")
            raise RunError(
                f"{counts['too_long']} rows are too long, the first is {first['row_id']}: {first['why']}.",
                "Raise `max_length`, or set `over_length` to drop or truncate.",
            )
        if not self.learned:
            raise RunError(
                f"Of {considered} rows none is left to learn from: {counts}.",
                "ledger.parquet in the run folder names the reason of each row.",
            )


def build_sft_ledger(
    result: FormatResult, encoder: ChatEncoder, max_length: int, over_length: str, columns: tuple[str, ...] = ()
) -> Ledger:
    """Tokenises instruction rows; only the answer and its end of turn carry labels.

    Here as below, `columns` names what else of a row goes to the trainer (weight, label_smoothing).
    """
    ledger = Ledger(max_length, over_length)
    ledger.add_dropped(result.dropped)
    prompts = encoder.prompts([row["prompt"] for row in result.kept])
    answers = encoder.answers([row["completion"][0]["content"] for row in result.kept])
    for row, prompt, answer in zip(result.kept, prompts, answers, strict=True):
        if ledger.place(row["row_id"], prompt, answer):
            ids = (prompt + answer)[:max_length]
            labels = ([IGNORED] * len(prompt) + answer)[:max_length]
            ledger.learned.append({"input_ids": ids, "labels": labels, **_also(row, columns)})
    ledger.check(result.considered)
    return ledger


def build_dpo_ledger(
    result: FormatResult, encoder: ChatEncoder, max_length: int, over_length: str, columns: tuple[str, ...] = ()
) -> Ledger:
    """Tokenises pairs; the longer side decides whether a pair fits."""
    ledger = Ledger(max_length, over_length)
    ledger.add_dropped(result.dropped)
    prompts = encoder.prompts([row["prompt"] for row in result.kept])
    sides = [encoder.answers([row[side][0]["content"] for row in result.kept]) for side in ("chosen", "rejected")]
    for row, prompt, chosen, rejected in zip(result.kept, prompts, *sides, strict=True):
        if ledger.place(row["row_id"], prompt, chosen, rejected):
            room = max_length - len(prompt)
            ids = {"prompt_ids": prompt, "chosen_ids": chosen[:room], "rejected_ids": rejected[:room]}
            ledger.learned.append({**ids, **_also(row, columns)})
    ledger.check(result.considered)
    return ledger


def build_reward_ledger(
    result: FormatResult, encoder: ChatEncoder, max_length: int, over_length: str, columns: tuple[str, ...] = ()
) -> Ledger:
    """Tokenises pairs for a model that scores conversations: each side is prompt and answer in one."""
    ledger = build_dpo_ledger(result, encoder, max_length, over_length, ("margin", *columns))
    for row in ledger.learned:
        prompt = row.pop("prompt_ids")
        row["chosen_ids"], row["rejected_ids"] = prompt + row["chosen_ids"], prompt + row["rejected_ids"]
    return ledger


def build_kto_ledger(
    result: FormatResult, encoder: ChatEncoder, max_length: int, over_length: str, columns: tuple[str, ...] = ()
) -> Ledger:
    """Tokenises answers with their thumb, up (True) or down."""
    ledger = Ledger(max_length, over_length)
    ledger.add_dropped(result.dropped)
    for row in result.kept:
        prompt, answer = encoder.prompt(row["prompt"]), encoder.answer(row["completion"][0]["content"])
        if ledger.place(row["row_id"], prompt, answer):
            ids = {"prompt_ids": prompt, "completion_ids": answer[: max_length - len(prompt)]}
            ledger.learned.append({**ids, "label": row["label"], **_also(row, columns)})
    ledger.check(result.considered)
    return ledger


def _also(row: dict[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in columns}
