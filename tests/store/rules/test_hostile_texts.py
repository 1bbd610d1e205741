"""Rules on megabytes of the worst shape: they take seconds, not hours."""

from __future__ import annotations

import time

import pytest

from tests.store.rules.made_rows import answer, find

MEGABYTE = 1_000_000
LINE = "one two three four five six seven eight nine\n"
SHAPES = {
    "line breaks": "\n" * MEGABYTE,
    "lines of space": "\n " * (MEGABYTE // 2),
    "the beginning of a request": LINE * (MEGABYTE // len(LINE)),
    "lone digits": "1 " * (MEGABYTE // 2),
    "addresses": "8.8.8.8 " * (MEGABYTE // 8),
    "halves of an e-mail address": "a@b." * (MEGABYTE // 4),
    "apologies": "sorry " + " " * 250 + "sorry " + " " * 300 + "x",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", ["prompt_mismatch", "personal_data", "secrets", "refusal", "boilerplate"])
def test_a_text_of_the_worst_shape_is_read_in_seconds(rule: str, shape: str) -> None:
    started = time.process_time()
    find(rule, [answer(SHAPES[shape], "What?"), answer("ok", LINE + "ten")])
    assert time.process_time() - started < 20
