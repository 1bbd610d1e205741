"""The known formats by name, and the guess which of them a file is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pitchpipe.store.importing.argilla import is_argilla, parse_argilla
from pitchpipe.store.importing.instruction_formats import (
    parse_alpaca,
    parse_kto,
    parse_openai,
    parse_prompt_completion,
    parse_sharegpt,
)
from pitchpipe.store.importing.label_studio import parse_label_studio
from pitchpipe.store.importing.potato import is_potato, parse_potato
from pitchpipe.store.importing.preference_formats import parse_hh_rlhf, parse_preference
from pitchpipe.store.importing.rows import RawRow, RowParser
from pitchpipe.store.importing.tree_formats import parse_oasst

PARSERS: Mapping[str, RowParser] = {
    "alpaca": parse_alpaca,
    "sharegpt": parse_sharegpt,
    "openai": parse_openai,
    "trl-prompt-completion": parse_prompt_completion,
    "trl-preference": parse_preference,
    "trl-kto": parse_kto,
    "hh-rlhf": parse_hh_rlhf,
    "oasst": parse_oasst,
    "label-studio": parse_label_studio,
    "argilla": parse_argilla,
    "potato": parse_potato,
}

FORMATS: tuple[str, ...] = tuple(PARSERS)

SIGNS: Mapping[str, str] = {
    "alpaca": "instruction, output",
    "sharegpt": "conversations",
    "openai": "messages",
    "trl-prompt-completion": "prompt, completion",
    "trl-preference": "chosen, rejected",
    "trl-kto": "prompt, completion, label",
    "hh-rlhf": 'chosen, rejected that begin with "Human:"',
    "oasst": "message_tree_id, prompt with replies",
    "label-studio": "data, annotations",
    "argilla": "fields with responses, or a column that ends with .responses",
    "potato": "label_annotations, or instance_id, user_id, labels",
}
"""What the guess looks for, as told to a user whose file shows none of it."""


def guess_format(rows: Sequence[RawRow]) -> str | None:
    """The format that all of these rows show the signs of, None where there is none or they differ.

    >>> guess_format([{"instruction": "Add.", "input": "1+1", "output": "2"}])
    'alpaca'
    """
    guesses = {_guess_row(row) for row in rows}
    return guesses.pop() if len(guesses) == 1 else None


def _guess_row(row: RawRow) -> str | None:
    if "message_tree_id" in row and isinstance(row.get("prompt"), dict):
        return "oasst"
    if isinstance(row.get("data"), dict) and ("annotations" in row or "completions" in row):
        return "label-studio"
    if is_potato(row):
        return "potato"
    if is_argilla(row):
        return "argilla"
    if "chosen" in row and "rejected" in row:
        return "hh-rlhf" if "prompt" not in row and _is_transcript(row["chosen"]) else "trl-preference"
    if "prompt" in row and "completion" in row:
        return "trl-kto" if "label" in row else "trl-prompt-completion"
    if "instruction" in row and "output" in row:
        return "alpaca"
    if "conversations" in row or "conversation" in row:
        return "sharegpt"
    return "openai" if "messages" in row else None


def _is_transcript(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("Human:")
