"""How long it takes to tokenise 50,000 rows: one by one, many at once, and found in the cache of an earlier run.

Run with `python -m tests.benchmarks tokens`. The rows are random words with the tokenizer of the embedded model; every
row differs from every other. Seconds are of the processor, all cores together, since the clock tells more about what
else runs. `row_by_row_by_transformers` renders and encodes each row with `apply_chat_template`, twice, as TRL does.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pitchpipe.training.tokens.token_cache import TokenCache
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from tests.benchmarks.export_scale import _WORDS as WORDS


def measure(rows: int = 50_000, rounds: int = 3) -> dict[str, Any]:
    """The best of `rounds` in processor seconds, by way of tokenising; every way must give the same ids."""
    from pitchpipe.training.models.embedded_model import prepare_embedded_model
    from pitchpipe.training.models.loading import load_tokenizer

    encoder = ChatEncoder(load_tokenizer(prepare_embedded_model()))
    encoder.check_template()
    prompts, answers = make_rows(rows)
    with tempfile.TemporaryDirectory() as folder:
        cached = ChatEncoder(encoder.tokenizer, TokenCache(Path(folder)))
        ways: dict[str, Callable[[], Any]] = {
            "row_by_row_by_transformers": lambda: encode_as_transformers(encoder.tokenizer, prompts, answers),
            "one_by_one": lambda: (
                [encoder.prompt(prompt) for prompt in prompts],
                [encoder.answer(answer) for answer in answers],
            ),
            "many_at_once": lambda: (encoder.prompts(prompts), encoder.answers(answers)),
            "first_run_with_cache": lambda: _empty_first(cached, prompts, answers),
            "found_in_cache": lambda: (cached.prompts(prompts), cached.answers(answers)),
        }
        made = {name: _time(way, rounds) for name, way in ways.items()}
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    _, (asked, told) = made["many_at_once"]
    for name, (_, ids) in made.items():
        if name != "row_by_row_by_transformers" and ids != (asked, told):
            raise AssertionError(f"{name} gives other ids")
    return {
        "rows": rows,
        "tokens": sum(map(len, asked)) + sum(map(len, told)),
        "processor_seconds": {name: seconds for name, (seconds, _) in made.items()},
        "cache_mib": round(size / 2**20, 1),
    }


def make_rows(count: int, seed: int = 0) -> tuple[list[list[dict[str, str]]], list[str]]:
    """Prompts of one turn and their answers, 20 to 60 words each."""
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(20, 60))) for _ in range(2 * count)]
    prompts = [[{"role": "user", "content": f"{text}, question {row}?"}] for row, text in enumerate(texts[:count])]
    return prompts, [f"{text}, answer {row}." for row, text in enumerate(texts[count:])]


def encode_as_transformers(tokenizer: Any, prompts: list[list[dict[str, str]]], answers: list[str]) -> int:
    """Every row as a plain trainer does it: the prompt, then the whole."""
    for prompt, answer in zip(prompts, answers, strict=True):
        tokenizer.apply_chat_template(prompt, add_generation_prompt=True)
        tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": answer}])
    return len(prompts)


def _empty_first(encoder: ChatEncoder, prompts: list[list[dict[str, str]]], answers: list[str]) -> Any:
    assert encoder.cache is not None
    for path in encoder.cache.folder.glob("*"):
        path.unlink()
    return encoder.prompts(prompts), encoder.answers(answers)


def _time(way: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        result = way()
        best = min(best, time.process_time() - began)
    return round(best, 2), result
