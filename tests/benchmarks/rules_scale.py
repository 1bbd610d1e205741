"""How long each rule on texts takes over 50,000 rows, answers and pairs of 40 to 200 words.

Run with `python -m tests.benchmarks rules`. Seconds of the processor, all cores together; everything is made here.
Rules that count tokens are measured with the embedded model where it is installed.
"""

from __future__ import annotations

import json
import random
import re
import time
from typing import Any

from pitchpipe.store.freezing.knowledge import ROW_COLUMNS
from pitchpipe.store.rules.applying import apply_rules
from pitchpipe.store.rules.masking import mask_row
from pitchpipe.store.rules.rule import Background, RuleChoice
from pitchpipe.training.exports.token_counting import load_token_counter
from pitchpipe.training.models.embedded_model import find_embedded_folder

RULES = (
    "empty_answer", "same_answers", "rating_against_choice", "prompt_mismatch", "refusal", "boilerplate", "repetition",
    "language", "length_only", "same_model", "personal_data", "secrets",
)  # fmt: skip
_COMMON = re.findall(
    r"\w+",
    "the of and to in is that it for was on are as with be by this have from or had not but what which when there "
    "their would can if has more will your about into than them some could time very people made over way now",
)
_RARE = [first + middle + last for first in ("ca", "del", "mor", "sti", "pra", "vin", "tor", "hel", "ban", "rud")
         for middle in ("", "ni", "ta", "ro", "li", "ve")
         for last in ("ment", "ing", "er", "ous", "ted", "ly", "al", "ic")]  # fmt: skip
_ODD = (
    "", "N/A", "I'm sorry, but I can't help with that.", "As an AI language model, I have no taste.",
    "Write to jane.doe@mail.org or call (415) 555-2671.", "It is a good idea to do this now. " * 10,
    "Das Buch liegt auf dem Tisch, und ich lese es jeden Abend vor dem Schlafen noch eine ganze Weile.",
    "Sure.\n\nHuman: And cats?\n\nAssistant: Cats too.", "password = hG7dk2Lq9z",
)  # fmt: skip


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Answers and pairs in equal number; one text in twenty is one that some rule finds."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        row: dict[str, Any] = dict.fromkeys(ROW_COLUMNS)
        asked = [{"role": "user", "content": _make_text(chance, 10, 40)}]
        row.update(example_id=f"ex_{number}", split="train", messages=json.dumps(asked))
        if number % 2:
            row.update(row_kind="answer", answer=_make_answer(chance), candidate_id=f"c_{number}")
        else:
            row.update(row_kind="pair", answer_a=_make_answer(chance), answer_b=_make_answer(chance), verdict="a")
        rows.append(row)
    return rows


def _make_answer(chance: random.Random) -> str:
    return chance.choice(_ODD) if chance.random() < 0.05 else _make_text(chance, 40, 200)


def _make_text(chance: random.Random, least: int, most: int) -> str:
    """Sentences, half of whose words are common; some end a line, some hold a number."""
    words = []
    for _ in range(chance.randint(least, most)):
        words.append(chance.choice(_COMMON if chance.random() < 0.5 else _RARE))
        ends = chance.random()
        if ends < 0.08:
            words[-1] += ".\n" if ends < 0.01 else "."
        elif ends < 0.1:
            words.append(str(chance.randint(1, 3000)))
    return " ".join(words)


def measure(count: int = 50_000) -> dict[str, Any]:
    """Seconds of the processor by rule, of masking, and of the whole chain."""
    rows = make_rows(count)
    has_model = find_embedded_folder() is not None
    background = Background(count_tokens=load_token_counter("embedded") if has_model else None)
    seconds, hits = {}, {}
    for rule in (*RULES, *(("too_long", "too_short") if has_model else ())):
        start = time.process_time()
        outcome = apply_rules(rows, [RuleChoice(rule, "mark")], background)
        seconds[rule] = round(time.process_time() - start, 2)
        hits[rule] = len(outcome.hits)
    masking = [RuleChoice("personal_data", "mask"), RuleChoice("secrets", "mask")]
    found = apply_rules(rows, masking, background).hits
    start = time.process_time()
    for hit in found:
        mask_row(rows[hit.place], [hit])
    seconds["masking what was found"] = round(time.process_time() - start, 2)
    characters = sum(len(row[name] or "") for row in rows for name in ("messages", "answer", "answer_a", "answer_b"))
    return {"rows": count, "megabytes": round(characters / 1e6, 1), "processor_seconds": seconds, "hits": hits}
