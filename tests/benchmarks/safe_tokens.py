"""What becomes of the attack bank in plain TRL, with the switch of transformers, and in Pitchpipe; by family of models.

Run with `python -m tests.benchmarks safe_tokens`. Every text of the bank is the question and the answer of a row. Three
things can go wrong with it: control tokens that the template did not write, text that comes back otherwise, and a loss
that covers other than the answer and its end. What is right is read off a harmless row made in the same way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.training.exports.export_check import CheckRequest
from pitchpipe.training.exports.trainer_loading import _prepare
from pitchpipe.training.tokens.plain_text import find_controls
from pitchpipe.training.tokens.tokenizing import IGNORED, ChatEncoder
from tests.training.tokens.attack_bank import BANK
from tests.training.tokens.families import BUILDERS

ASKED, SAID = "QQQ", "ZZZ"
FAULTS = ("control tokens", "changed text", "wrong loss")
Row = tuple[list[int], list[int]]
"""The ids of a row, and those of them that are learned."""


def measure() -> dict[str, Any]:
    """By family and way: of how many texts of the bank each thing goes wrong, or why the way is not open to it."""
    ways = {"TRL SFT": by_trl_sft, "TRL DPO": by_trl_dpo, "transformers' switch": by_switch, "Pitchpipe": by_pitchpipe}
    found = {}
    for family, build in BUILDERS.items():
        found[family] = {name: count_faults(build(), way) for name, way in ways.items()}
    return {"texts": len(BANK), "faults": found}


def count_faults(tokenizer: Any, way: Callable[[Any, list[str], list[str]], list[Row]]) -> dict[str, int] | str:
    """How many texts of the bank go wrong, by fault."""
    texts = list(BANK.values())
    try:
        harmless, *rows = way(tokenizer, [ASKED, *texts], [SAID, *texts])
    except (ValueError, NotImplementedError, TypeError) as error:
        return f"refused: {error}"
    controls = {tokenizer.convert_tokens_to_ids(token) for token in find_controls(tokenizer)}
    found = dict.fromkeys(FAULTS, 0)
    for text, (ids, learned) in zip(texts, rows, strict=True):
        found["control tokens"] += _controls(ids, controls) != _controls(harmless[0], controls)
        found["changed text"] += _decode(tokenizer, ids) != _fill(_decode(tokenizer, harmless[0]), text)
        found["wrong loss"] += _decode(tokenizer, learned) != _fill(_decode(tokenizer, harmless[1]), text)
    return found


def _controls(ids: list[int], controls: set[int]) -> list[int]:
    return [number for number in ids if number in controls]


def _decode(tokenizer: Any, ids: list[int]) -> str:
    text: str = tokenizer.backend_tokenizer.decode(
        [*tokenizer("x", add_special_tokens=False)["input_ids"], *ids], False
    )
    return text


def _fill(decoded: str, text: str) -> str:
    return decoded.replace(ASKED, text).replace(SAID, text)


def by_pitchpipe(tokenizer: Any, asked: list[str], said: list[str]) -> list[Row]:
    """As our rounds tokenise."""
    encoder = ChatEncoder(tokenizer)
    encoder.check_template()
    prompts = encoder.prompts([[{"role": "user", "content": text}] for text in asked])
    return [(prompt + answer, answer) for prompt, answer in zip(prompts, encoder.answers(said), strict=True)]


def by_switch(tokenizer: Any, asked: list[str], said: list[str]) -> list[Row]:
    """As TRL would tokenise, had it set `sanitize_control_tokens` of transformers."""
    rows = []
    for one, other in zip(asked, said, strict=True):
        turns = [{"role": "user", "content": one}, {"role": "assistant", "content": other}]
        prompt, whole = _switch(tokenizer, turns[:1], True), _switch(tokenizer, turns, False)
        shared = next((n for n, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), len(prompt))
        rows.append((whole, whole[shared:]))
    return rows


def _switch(tokenizer: Any, turns: list[dict[str, str]], ready: bool) -> list[int]:
    made = tokenizer.apply_chat_template(turns, add_generation_prompt=ready, sanitize_control_tokens=True)
    return list(made["input_ids"])


def by_trl_sft(tokenizer: Any, asked: list[str], said: list[str]) -> list[Row]:
    """As TRL's own SFTTrainer prepares the rows."""
    pairs = zip(asked, said, strict=True)
    rows = [{"prompt": _turn("user", one), "completion": _turn("assistant", other)} for one, other in pairs]
    made = _let_trl_prepare("sft", rows, tokenizer)
    learned = [
        [number for number, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED]
        for row in made
    ]
    return [(row["input_ids"], ids) for row, ids in zip(made, learned, strict=True)]


def by_trl_dpo(tokenizer: Any, asked: list[str], said: list[str]) -> list[Row]:
    """As TRL's own DPOTrainer prepares the chosen side of pairs."""
    rows = [
        {"prompt": _turn("user", one), "chosen": _turn("assistant", other), "rejected": _turn("assistant", "no")}
        for one, other in zip(asked, said, strict=True)
    ]
    made = _let_trl_prepare("dpo", rows, tokenizer)
    return [(row["prompt_ids"] + row["chosen_ids"], row["chosen_ids"]) for row in made]


def _turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def _let_trl_prepare(form: str, rows: list[dict[str, Any]], tokenizer: Any) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.parquet"
        pl.DataFrame(rows).write_parquet(path)
        request = CheckRequest(snapshot="", form=form, model="", max_length=100_000, samples=0)
        made = list(_prepare(path, request, tokenizer, scratch))
    if len(made) != len(rows):
        raise AssertionError(f"TRL kept {len(made)} of {len(rows)} rows")
    return made
