"""Ids are encoded once and found again, never stale, and a damaged file is as good as none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.tokens import token_cache
from pitchpipe.training.tokens.token_cache import TokenCache
from pitchpipe.training.tokens.tokenizing import ChatEncoder
from tests.training.tokens.families import BUILDERS, build_tokenizer

ANSWERS = [f"the lamp {number}" for number in range(300)]
PROMPTS = [[{"role": "user", "content": f"where is {number}"}] for number in range(300)]


class Watched(TokenCache):
    """Tells how many texts were encoded and not found."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.encoded = 0

    def find_or_make(self, what: str, encoder_hash: str, texts: Sequence[Any], make: Any) -> list[list[int]]:
        def count(texts: Sequence[Any]) -> list[list[int]]:
            self.encoded += len(texts)
            made: list[list[int]] = make(texts)
            return made

        return super().find_or_make(what, encoder_hash, texts, count)

    def take_count(self) -> int:
        count, self.encoded = self.encoded, 0
        return count


@pytest.fixture
def cache(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "tokens")


def test_a_second_run_finds_what_the_first_encoded(cache: Watched) -> None:
    plain = ChatEncoder(build_tokenizer("chatml"))
    for expected in (600, 0):
        again = ChatEncoder(BUILDERS["chatml"](), cache)  # as another process would build it
        assert (again.prompts(PROMPTS), again.answers(ANSWERS)) == (plain.prompts(PROMPTS), plain.answers(ANSWERS))
        assert cache.take_count() == expected


def test_a_changed_letter_order_template_or_tokenizer_finds_nothing(cache: Watched) -> None:
    encoder = ChatEncoder(build_tokenizer("chatml"), cache)
    encoder.answers(ANSWERS)
    encoder.prompts(PROMPTS)
    cache.take_count()
    letter = [*ANSWERS[:-1], "the lamp 29B"]
    assert encoder.answers(letter) == [encoder.answer(text) for text in letter]
    assert cache.take_count() == 300 + 300  # the list at once, then one by one
    encoder.answers(ANSWERS[::-1])
    assert cache.take_count() == 300
    spaced = BUILDERS["chatml"]()
    spaced.chat_template = "\n" + spaced.chat_template
    assert ChatEncoder(spaced, cache).prompts(PROMPTS) == [ChatEncoder(spaced).prompt(prompt) for prompt in PROMPTS]
    assert cache.take_count() == 300
    added = BUILDERS["chatml"]()
    added.add_tokens(["lamp"])
    assert ChatEncoder(added, cache).answers(ANSWERS) != encoder.answers(ANSWERS)
    assert cache.take_count() == 300


def test_prompts_and_answers_of_the_same_texts_are_kept_apart(cache: Watched) -> None:
    made = [cache.find_or_make(what, "h", ANSWERS, lambda texts, n=n: [[n]] * 300) for n, what in enumerate("ab")]
    assert made == [[[0]] * 300, [[1]] * 300]


def test_other_code_finds_nothing(cache: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = ChatEncoder(build_tokenizer("chatml"), cache)
    encoder.answers(ANSWERS)
    monkeypatch.setattr(token_cache, "hash_code", lambda: "sha256:other")
    cache.take_count()
    encoder.answers(ANSWERS)
    assert cache.take_count() == 300


def test_a_damaged_file_is_ignored_and_written_anew(cache: Watched) -> None:
    import polars as pl

    encoder = ChatEncoder(build_tokenizer("chatml"), cache)
    expected = encoder.answers(ANSWERS)
    (path,) = cache.folder.iterdir()
    whole = path.read_bytes()
    middle = len(whole) // 3
    damages = [
        b"",
        whole[: len(whole) // 2],
        b"PAR1",
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    ]
    for damage in damages:
        path.write_bytes(damage)
        cache.take_count()
        assert (encoder.answers(ANSWERS), cache.take_count()) == (expected, 300)
        assert (encoder.answers(ANSWERS), cache.take_count()) == (expected, 0)
    pl.DataFrame({"ids": [[1]] * 300}).write_parquet(path)  # a whole file, but none of ours
    assert encoder.answers(ANSWERS) == expected


def test_a_cache_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    encoder = ChatEncoder(build_tokenizer("chatml"), TokenCache(tmp_path / "file" / "tokens"))
    assert encoder.answers(ANSWERS) == [encoder.answer(text) for text in ANSWERS]


def test_the_oldest_files_are_forgotten(cache: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache, "_MOST_FILES", 2)
    for number in range(4):
        cache.find_or_make("answers", str(number), ANSWERS, lambda texts: [[1]] * len(texts))
    assert len(list(cache.folder.iterdir())) == 2


def test_a_round_keeps_its_tokens_for_the_next(
    sft_plan: TrainPlan, carry_out: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PITCHPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(token_cache, "_FEWEST", 1)
    ledgers, kept = [], []
    for _ in range(2):
        ledgers.append((carry_out(with_dials(sft_plan, max_steps=1, samples=0)) / "ledger.parquet").read_bytes())
        kept.append(sorted(path.name for path in (tmp_path / "cache" / "tokens").iterdir()))
    assert ledgers[0] == ledgers[1] and kept[0] == kept[1]
    assert {name.split("-")[0] for name in kept[0]} == {"answers", "prompts"}
