"""What the sample help desk promises: enough instructions, a visible house style, raters who disagree believably."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from evalica import alpha

from pitchpipe.sample_data import make_ratings
from pitchpipe.store.importing.reading import read_examples
from pitchpipe.store.records import ParsedRow

FOLDER = Path(make_ratings.__file__).parent
RATERS = ("amara", "jonas", "mei")
QUESTIONS = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
Rows = list[dict[str, Any]]


def read(name: str) -> Rows:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def instructions() -> Rows:
    return read("helpdesk.jsonl")


@pytest.fixture(scope="module")
def preferences() -> Rows:
    return read("preferences.jsonl")


@pytest.fixture(scope="module")
def ratings() -> Rows:
    return read("ratings.jsonl")


@pytest.fixture(scope="module")
def house_style() -> re.Pattern[str]:
    checks = tomllib.loads((FOLDER / "style.toml").read_text(encoding="utf-8"))["checks"]
    return re.compile(checks["house_style"], re.MULTILINE)


def words(prompt: str) -> list[str]:
    return re.findall(r"\w+", prompt.lower())


def shingles(prompt: str) -> set[tuple[str, ...]]:
    found = words(prompt)
    return {tuple(found[start : start + 5]) for start in range(max(1, len(found) - 4))}


def test_there_are_at_least_248_instructions_of_at_least_eight_kinds(instructions: Rows) -> None:
    assert len(instructions) >= 248
    kinds = Counter(row["category"] for row in instructions)
    assert len(kinds) >= 8
    assert min(kinds.values()) >= 15


def test_exactly_forty_instructions_are_holdout_and_every_kind_has_some(instructions: Rows) -> None:
    sealed = [row["category"] for row in instructions if row["split"] == "holdout"]
    assert len(sealed) == 40
    assert set(sealed) == {row["category"] for row in instructions}
    assert {row["split"] for row in instructions} == {"train", "holdout"}


def test_ids_are_unique_and_mean_the_same_example_in_all_files(
    instructions: Rows, preferences: Rows, ratings: Rows
) -> None:
    by_id = {row["id"]: row for row in instructions}
    assert len(by_id) == len(instructions)
    assert [row["id"] for row in preferences] == [row["id"] for row in instructions]
    for row in preferences + ratings:
        assert {key: row[key] for key in ("category", "split", "prompt")} == {
            key: by_id[row["id"]][key] for key in ("category", "split", "prompt")
        }
    for row in preferences:
        assert {row["answer_a"], row["answer_b"]} == {by_id[row["id"]]["answer"], by_id[row["id"]]["rival"]}


def test_every_house_answer_has_the_house_style_and_few_rivals_have_it(
    instructions: Rows, house_style: re.Pattern[str]
) -> None:
    assert [row["id"] for row in instructions if not house_style.search(row["answer"])] == []
    assert sum(bool(house_style.search(row["rival"])) for row in instructions) <= 0.03 * len(instructions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes.\nNext step: Open Orders.", True),
        ("Yes.\nIt is free.\n\nNext step: Open Orders.\n", True),
        ("Next step: Open Orders.", False),
        ("Yes. Next step: Open Orders.", False),
        ("Yes.\nNext step: ", False),
        ("Yes.\nNext step: Open Orders.\nThank you!", False),
        ("Yes.\nNext step: Open Orders.\nNext step: Press Cancel.", False),
        ("Next step: Wait.\nYes.\nNext step: Open Orders.", False),
    ],
)
def test_the_style_check_wants_text_and_then_exactly_one_last_line(
    text: str, expected: bool, house_style: re.Pattern[str]
) -> None:
    assert bool(house_style.search(text)) is expected


def test_texts_are_short_enough_to_train_on_a_cpu(instructions: Rows) -> None:
    assert max(len(row["prompt"].split()) for row in instructions) <= 40
    assert max(len(row[side].split()) for row in instructions for side in ("answer", "rival")) <= 60
    assert min(len(row[side].split()) for row in instructions for side in ("answer", "rival")) >= 10


def test_no_two_prompts_are_equal_or_nearly_so(instructions: Rows) -> None:
    plain = Counter(" ".join(words(row["prompt"])) for row in instructions)
    assert plain.most_common(1)[0][1] == 1
    marked = [(row["prompt"], shingles(row["prompt"])) for row in instructions]
    near = [
        (first, second)
        for position, (first, left) in enumerate(marked)
        for second, right in marked[:position]
        if len(left & right) >= 0.5 * len(left | right)
    ]
    assert near == []


def test_three_raters_give_a_verdict_with_a_strength_that_agrees_with_it(preferences: Rows) -> None:
    for row in preferences:
        for rater in RATERS:
            strength = row[f"{rater}_strength"]
            sign = {"a": -1, "b": 1, "tie": 0, "both_bad": 0}[row[rater]]
            assert -3 <= strength <= 3
            assert (strength > 0) - (strength < 0) == sign, (row["id"], rater)


def test_every_rater_explains_some_verdicts_but_not_all(preferences: Rows) -> None:
    for rater in RATERS:
        explained = sum(bool(row[f"{rater}_reason"]) for row in preferences)
        assert 20 <= explained <= 0.5 * len(preferences)


def test_the_raters_disagree_as_people_do(preferences: Rows, ratings: Rows) -> None:
    verdicts = pd.DataFrame([[row[rater] for row in preferences] for rater in RATERS])
    helpfulness = pd.DataFrame([[row[f"{rater}_helpfulness"] for row in ratings] for rater in RATERS])
    assert 0.55 <= alpha(verdicts, distance="nominal").alpha <= 0.75
    assert 0.50 <= alpha(helpfulness, distance="ordinal").alpha <= 0.75
    unanimous = sum(len({row[rater] for rater in RATERS}) == 1 for row in preferences)
    assert 0.5 <= unanimous / len(preferences) <= 0.8


def test_the_rival_wins_sometimes_and_its_side_is_drawn(preferences: Rows) -> None:
    sides = Counter(row["model_a"] for row in preferences)
    assert 0.4 <= sides["quillmarsh-desk"] / len(preferences) <= 0.6
    won = Counter(row[f"model_{row[rater]}"] for row in preferences for rater in RATERS if row[rater] in ("a", "b"))
    assert 0.08 <= won["generic-assistant"] / won.total() <= 0.2


def test_ratings_cover_most_training_instructions_and_no_holdout_one(instructions: Rows, ratings: Rows) -> None:
    rated = {row["id"] for row in ratings}
    training = {row["id"] for row in instructions if row["split"] == "train"}
    assert rated < training
    assert len(rated) >= 0.85 * len(training)
    assert {row[f"{rater}_{question}"] for row in ratings for rater in RATERS for question in QUESTIONS} == set(
        range(5)
    )


def test_nobody_rates_the_answer_higher_that_they_call_worse(preferences: Rows, ratings: Rows) -> None:
    given = {(row["id"], row["answer"]): row for row in ratings}
    for row in preferences:
        if (row["id"], row["answer_a"]) not in given:
            continue
        for rater in RATERS:
            first, second = (given[row["id"], row[side]][f"{rater}_helpfulness"] for side in ("answer_a", "answer_b"))
            if row[rater] in ("a", "b"):
                assert (first - second) * (1 if row[rater] == "a" else -1) >= 0, (row["id"], rater)
            else:
                assert abs(first - second) <= 1, (row["id"], rater)


def test_the_numbers_follow_again_from_the_hand_written_files() -> None:
    derived = make_ratings.derive(FOLDER)
    assert derived[0] == (FOLDER / "preferences.jsonl").read_text(encoding="utf-8")
    assert derived[1] == (FOLDER / "ratings.jsonl").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "kind", "judgements"), [("helpdesk", "write", 0), ("preferences", "compare", 3), ("ratings", "rate", 15)]
)
def test_every_mapping_file_parses_and_names_only_fields_of_its_rows(name: str, kind: str, judgements: int) -> None:
    text = (FOLDER / f"{name}.map.toml").read_text(encoding="utf-8")
    mapping = tomllib.loads(text)
    assert mapping["kind"] == kind
    assert len(mapping.get("judgements", ())) == judgements
    fields = set(re.findall(r'"\{(\w+)\}"', text))
    assert all(fields <= row.keys() for row in read(f"{name}.jsonl"))


def test_all_three_files_import_whole_and_share_their_candidates() -> None:
    imported: dict[str, list[ParsedRow]] = {}
    for name in ("helpdesk", "preferences", "ratings"):
        parsed = list(read_examples(FOLDER / f"{name}.jsonl", mapping=FOLDER / f"{name}.map.toml"))
        imported[name] = [row for row in parsed if isinstance(row, ParsedRow)]
        assert len(imported[name]) == len(parsed) == len(read(f"{name}.jsonl"))
    assert sum(len(row.judgements) for row in imported["preferences"]) == 3 * 260
    known = {(row.external_id, c.text, c.model) for row in imported["preferences"] for c in row.candidates}
    others = [
        (row.external_id, c.text, c.model)
        for n in ("helpdesk", "ratings")
        for row in imported[n]
        for c in row.candidates
    ]
    assert set(others) <= known
