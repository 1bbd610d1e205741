"""Duplicate rules on 50,000 requests, and on shapes that make careless searches quadratic.

Run with `python -m tests.benchmarks duplicates`. Processor seconds beside those of the clock; memory is the most that
the process ever held, the texts included.
"""

from __future__ import annotations

import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from itertools import accumulate, repeat
from typing import Any

from pitchpipe.store.freezing.knowledge import ROW_COLUMNS
from pitchpipe.store.rules.duplicates import EXACT, NEAR
from pitchpipe.store.rules.rule import Background, Row, Rule, fill_parameters

_CHANCE = random.Random(42)
_WORDS = ["".join(_CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=_CHANCE.randint(2, 10))) for _ in range(20_000)]
# Words of a language are used about as often as 1 over their rank (Zipf).
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(_WORDS) + 1)))


def measure(size: int = 50_000) -> dict[str, Any]:
    """Seconds and findings of the exact and the near rule for each shape of data, and the peak of memory in MB."""
    shapes: dict[str, Callable[[int], Iterator[str]]] = {
        "requests_with_planted_copies": write_requests,
        "one_request_many_times": lambda count: repeat("Please tell me all that you know of this old town.", count),
        "one_preamble_for_all": lambda count: write_behind_preamble(count, 1.0),
        "one_preamble_for_a_tenth": lambda count: write_behind_preamble(count, 0.1),
        "a_few_words_in_a_form": write_forms,
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, write in shapes.items():
        rows = [_make_row(number, text) for number, text in enumerate(write(size))]
        found[name] = {rule.id: _time_rule(rule, rows) for rule in (EXACT, NEAR)}
    found["peak_megabytes"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return found


def write_requests(count: int) -> Iterator[str]:
    """Requests of 8 to 120 words; of each ten one is a copy with other punctuation and one has a twentieth edited."""
    chance = random.Random(1)
    originals = []
    for number in range(count):
        if number % 10 == 8:
            yield chance.choice(originals).title() + "!"
        elif number % 10 == 9:
            words = chance.choice(originals).split()
            for place in chance.sample(range(len(words)), max(1, len(words) // 20)):
                words[place] = chance.choice(_WORDS)
            yield " ".join(words)
        else:
            originals.append(" ".join(chance.choices(_WORDS, cum_weights=_WEIGHTS, k=chance.randint(8, 120))))
            yield originals[-1]


def write_behind_preamble(count: int, share: float) -> Iterator[str]:
    """Requests of six words, that share of them behind the same forty."""
    chance = random.Random(2)
    preamble = " ".join(chance.choices(_WORDS, k=40))
    for number in range(count):
        text = " ".join(chance.choices(_WORDS, k=6))
        yield f"{preamble} {text}" if number < share * count else text


def write_forms(count: int) -> Iterator[str]:
    """One sentence with five gaps, each filled with one of thirty words."""
    chance = random.Random(3)
    for _ in range(count):
        yield "Write a {} poem about a {} {} who lives in {} and likes {}".format(*chance.choices(_WORDS[:30], k=5))


def _make_row(number: int, text: str) -> Row:
    row: Row = dict.fromkeys(ROW_COLUMNS)
    row.update(row_kind="answer", example_id=f"ex_{number}", split="train", candidate_id=f"cand_{number}", answer="-")
    row["messages"] = json.dumps([{"role": "user", "content": text}])
    return row


def _time_rule(rule: Rule, rows: list[Row]) -> dict[str, float]:
    cpu, clock = time.process_time(), time.perf_counter()
    parameters = fill_parameters(rule, {"on": "prompt"})
    findings = sum(1 for _ in rule.find(rows, parameters, Background()))
    return {
        "findings": findings,
        "processor_seconds": round(time.process_time() - cpu, 1),
        "clock_seconds": round(time.perf_counter() - clock, 1),
    }
