"""Templating: rows as a plain trainer of TRL tokenises them, with the model's own chat template, and what is off there.

Pitchpipe's own rounds encode typed text so that it can never become a control token (`tokenizing.py`); a trainer that
reads an exported file does not. So this module does as such a trainer does, and says which rows it would misread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pitchpipe.store.errors import RunError
from pitchpipe.training.tokens.tokenizing import ChatEncoder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SIDES = {
    "sft": ("completion",),
    "kto": ("completion",),
    "dpo": ("chosen", "rejected"),
    "reward": ("chosen", "rejected"),
}


@dataclass(frozen=True, slots=True)
class TemplatedRow:
    """The token ids of a row: a context that all its sides share, and what follows it on each side."""

    context: list[int]
    sides: dict[str, list[int]]
    troubles: tuple[str, ...]
    """Names of `export_check.TROUBLES`."""

    @property
    def longest(self) -> int:
        """Tokens of the context with its longest side."""
        return len(self.context) + max(len(ids) for ids in self.sides.values())

    def find_fate(self, form: str, max_length: int) -> tuple[str, str]:
        """What becomes of the row in TRL 1.16 and why, as read in its trainers.

        SFT, DPO and KTO cut at the end and leave out a row whose context alone fills `max_length`; a reward model's
        trainer leaves out every pair of which one side is longer.
        """
        if self.longest <= max_length:
            return "kept", ""
        if form == "reward":
            return "too_long", f"{self.longest} tokens are more than {max_length}"
        if len(self.context) >= max_length:
            return "too_long", f"the prompt alone has {len(self.context)} tokens of {max_length}"
        return "truncated", f"{self.longest} tokens are more than {max_length}: {self.longest - max_length} are cut"


@dataclass
class RowTemplater:
    """Templates rows of one form with one tokenizer, many at a time."""

    tokenizer: PreTrainedTokenizerBase
    form: str

    def __post_init__(self) -> None:
        encoder = ChatEncoder(self.tokenizer)
        controls = {re.escape(str(token)) for token in self.tokenizer.added_tokens_decoder.values()}
        self._control = re.compile("|".join(sorted(controls)) or r"(?!)")
        self._special = set(self.tokenizer.added_tokens_decoder)
        self._tail = self._find_tail()
        eos = self.tokenizer.eos_token_id
        try:
            self._ends = {encoder.end_of_turn[-1], eos}
        except RunError:  # a template without an end of turn; every row will be told of it
            self._ends = {eos}

    def template(self, rows: Sequence[dict[str, Any]]) -> list[TemplatedRow]:
        """The rows as the trainer tokenises them, in their order."""
        sides = SIDES[self.form]
        prompts = self._encode([row["prompt"] for row in rows], True)
        wholes = {side: self._encode([row["prompt"] + row[side] for row in rows], False) for side in sides}
        made = []
        for number, row in enumerate(rows):
            whole = {side: wholes[side][number] for side in sides}
            made.append(self._join(row, prompts[number], whole))
        return made

    def _join(self, row: dict[str, Any], prompt: list[int], whole: dict[str, list[int]]) -> TemplatedRow:
        # TRL: the context ends where the prompt alone and the whole part ways, on the side where they do so first.
        shared = min(_shared_length(prompt, ids) for ids in whole.values())
        sides = {side: ids[shared:] for side, ids in whole.items()}
        checks = {
            "not_prefix": shared < len(prompt),
            "no_end_of_turn": not all(self._ends & set(ids[-self._tail :]) for ids in sides.values()),
            "control_token": any(self._control.search(turn["content"]) for turn in _turns(row, whole)),
            "empty_answer": not all(self._has_text(ids) for ids in sides.values()),
            "same_tokens": len(sides) == 2 and len({tuple(ids) for ids in sides.values()}) == 1,
        }
        return TemplatedRow(prompt[:shared], sides, tuple(name for name, found in checks.items() if found))

    def _encode(self, conversations: list[list[dict[str, str]]], ready: bool) -> list[list[int]]:
        try:
            texts = self.tokenizer.apply_chat_template(conversations, add_generation_prompt=ready, tokenize=False)
        except Exception as error:
            raise RunError(
                f"The chat template refuses a conversation: {error}",
                "Use a model whose template takes these roles (some refuse a system turn).",
            ) from error
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def _find_tail(self) -> int:
        """How many tokens the template puts after an answer."""
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\ue000"}]
        (text,) = self.tokenizer.apply_chat_template([turns], tokenize=False)
        tail = self.tokenizer(text.rpartition("\ue000")[2], add_special_tokens=False)["input_ids"]
        return max(1, len(tail))

    def _has_text(self, ids: list[int]) -> bool:
        words = [number for number in ids if number not in self._special]
        return bool(self.tokenizer.decode(words).strip())


def _shared_length(one: list[int], other: list[int]) -> int:
    if other[: len(one)] == one:
        return len(one)
    return next(place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)


def _turns(row: dict[str, Any], sides: Iterable[str]) -> list[dict[str, str]]:
    return [*row["prompt"], *(turn for side in sides for turn in row[side])]
