"""Contamination: test items inside requests and answers, how much of them, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.applying import Hit, apply_rules
from pitchpipe.store.rules.overlap import RUN, EvaluationIndex, read_tokens
from pitchpipe.store.rules.reading import read_field
from pitchpipe.store.rules.rule import Background, Row, RuleChoice
from tests.store.rules.dataset_rows import make_answer, make_pair

ITEM = " ".join(f"item{letter}" for letter in "abcdefghijklmnopqrstuvwxyz") + " end of it all here and now"
"""33 tokens, so the coverage alone decides."""
WORDS = ITEM.split()


def find(rows: list[Row], items: list[str], **parameters: Any) -> list[Hit]:
    background = Background(evaluation_sets={"exam": [(f"i{place}", text) for place, text in enumerate(items)]})
    return apply_rules(rows, [RuleChoice("contamination", "mark", tuple(parameters.items()))], background).hits


def test_half_of_the_words_of_an_item_in_runs_of_eight_is_the_border() -> None:
    assert len(WORDS) == 33
    # A run of 16 words covers 16/33 = 48 %, one of 17 covers 52 %.
    rows = [make_answer(f"e{count}", "Say this: " + " ".join(WORDS[3 : 3 + count]), "no") for count in (16, 17)]
    hits = find(rows, [ITEM])
    assert [(hit.place, hit.evidence["score"]) for hit in hits] == [(1, round(17 / 33, 4))]
    # Two runs of 10 words in one text count together: 20/33; runs of 7 words count nothing.
    both = make_answer("e1", " ".join([*WORDS[:10], "or", *WORDS[20:30]]), "no")
    assert find([both], [ITEM])[0].evidence["score"] == round(20 / 33, 4)
    sevens = " or ".join(" ".join(WORDS[start : start + 7]) for start in range(0, 28, 7))
    assert find([make_answer("e1", sevens, "no")], [ITEM]) == []
    # In two texts, such as two turns, they do not.
    turns = make_answer("e1", [" ".join(WORDS[:10]), " ".join(WORDS[20:30])], "no")
    assert find([turns], [ITEM]) == []


def test_a_coverage_of_one_asks_for_the_whole_item_and_finds_it_inside_a_longer_text() -> None:
    rows = [
        make_answer("e1", f"Please say: {ITEM}. Thank you.", "no"),
        make_answer("e2", "Please say: " + " ".join(WORDS[:32]), "no"),
        make_answer("e3", "Say something.", f"Here it is: {ITEM}!"),
    ]
    hits = find(rows, [ITEM], coverage=1.0)
    assert [(hit.place, hit.evidence["score"], hit.evidence["exact"]) for hit in hits] == [
        (0, 1.0, False), (2, 1.0, False)
    ]  # fmt: skip


def test_the_found_stretch_is_shown_in_the_text_as_it_stands() -> None:
    request = "Hello!  Please  say:\n" + ", ".join(word.upper() for word in WORDS[:20]) + " – thank you, item zoo."
    row = make_answer("e1", ["And first of all?", request], "no")
    hit = find([row], [ITEM])[0]
    assert hit.evidence["field"] == "messages.2"
    [[start, end, kind]] = hit.evidence["spans"]
    text = read_field(row, "messages.2")
    assert text is not None
    assert text[start:end] == ", ".join(word.upper() for word in WORDS[:20])
    assert (kind, hit.evidence["set"], hit.evidence["item"]) == ("contamination", "exam", "i0")
    assert hit.reason.startswith("Its request holds 61% of item i0 of the evaluation set 'exam': \"ITEMA, ITEMB")


def test_a_short_item_is_found_where_it_is_the_whole_text_only() -> None:
    rows = [
        make_answer("e1", "what is the capital of France", "no"),
        make_answer("e2", "Tell me: what is the capital of France?", "no"),
        make_answer("e3", "Anything?", "What's the capital of France?"),
    ]
    hits = find(rows, ["What is the capital of France?"])
    assert [(hit.place, hit.evidence["exact"], hit.evidence["spans"]) for hit in hits] == [
        (0, True, [[0, 29, "contamination"]])
    ]
    assert hits[0].reason == "Its request is item i0 of the evaluation set 'exam', word by word."


def test_a_short_answer_is_no_item_word_by_word_and_one_of_eight_words_is() -> None:
    items = ["Yes", " ".join(WORDS[:7]), " ".join(WORDS[:8])]
    rows = [make_answer(f"e{place}", f"Question {place}?", f"{item}.") for place, item in enumerate(items)]
    assert [(hit.place, hit.evidence["exact"]) for hit in find(rows, items)] == [(2, True)]
    assert [hit.place for hit in find([make_answer("e1", "yes!", "No.")], items)] == [0], "a request of any length is"


def test_the_shorter_an_item_the_more_of_it_must_be_there() -> None:
    # 14 words: needed is 1 - (14 - 8)/(32 - 8) x 0.5 = 0.875; 8 of 14 are 57 %, 13 of 14 are 93 %.
    item = " ".join(WORDS[:14])
    rows = [make_answer("e1", " ".join(WORDS[:8]) + " other", "no"), make_answer("e2", " ".join(WORDS[:13]), "no")]
    assert [hit.place for hit in find(rows, [item])] == [1]
    assert [hit.place for hit in find(rows, [item], relaxed_from=10)] == [0, 1]


def test_another_number_or_operator_is_another_sum() -> None:
    assert read_tokens("3.5 + x2 = -7; 4-3, a - b") == ["3.5", "+", "x", "2", "=", "-", "7", "4", "-", "3", "a", "b"]
    item = "Compute 12 + 7 * 3 - 5 = x and give x"
    rows = [make_answer("e1", item.upper(), "no"), make_answer("e2", item.replace("+", "/"), "no")]
    assert [hit.place for hit in find(rows, [item])] == [0]


def test_the_request_is_looked_at_once_and_both_answers_of_a_pair_apart() -> None:
    rows = [
        make_pair("e1", "Clean?", "A clean answer.", ITEM),
        make_pair("e2", ITEM, ITEM, "clean"),
        make_pair("e3", "Clean?", " ".join(WORDS[:10]), " ".join(WORDS[20:30])),
    ]
    assert [(hit.place, hit.evidence["field"]) for hit in find(rows, [ITEM])] == [(0, "answer_b"), (1, "messages.0")]
    assert [hit.place for hit in find(rows, [ITEM], answers=False)] == [1]


def test_scripts_without_spaces_are_compared_by_characters() -> None:
    item = "请把下面这段话翻译成英文并且保持原来的语气和格式不变"
    rows = [make_answer("e1", f"你好!{item[:-2]}", "no"), make_answer("e2", "请把下面这段话", "no")]
    assert [hit.place for hit in find(rows, [item])] == [0]


def test_without_a_set_the_rule_says_what_is_missing() -> None:
    rows = [make_answer("e1", ITEM, "no")]
    with pytest.raises(UsageError, match="no evaluation set"):
        apply_rules(rows, [RuleChoice("contamination")], Background())
    with pytest.raises(UsageError, match="no evaluation set 'other'"):
        find(rows, [ITEM], sets="other")
    assert find(rows, [ITEM], sets=" exam ") != []


TEXT = st.lists(st.sampled_from(["a", "b", "c", "d", "7", "+"]), max_size=40).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6), TEXT)
def test_the_score_is_the_share_of_tokens_in_common_runs(items: list[str], text: str) -> None:
    index = EvaluationIndex([("exam", str(place), item) for place, item in enumerate(items)], strict_until=0)
    found = {match.place: match.score for match in index.find_matches(text) if not match.is_exact}
    for place, item in enumerate(items):
        score = count_covered(read_tokens(item), read_tokens(text)) / max(1, len(read_tokens(item)))
        if place in found:
            assert found[place] == pytest.approx(score)
        if score == 1 and read_tokens(item):
            assert place in {match.place for match in index.find_matches(text)}


def count_covered(item: list[str], text: list[str]) -> int:
    runs = {tuple(text[start : start + RUN]) for start in range(len(text) - RUN + 1)}
    starts = [start for start in range(len(item) - RUN + 1) if tuple(item[start : start + RUN]) in runs]
    return len({start + step for start in starts for step in range(RUN)})


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@pytest.mark.real_data
def test_between_gsm8k_train_and_test_only_sums_of_one_form_are_found(real_data: Path) -> None:
    items = [(str(place), row["question"]) for place, row in enumerate(read_jsonl(real_data / "gsm8k_test.jsonl"))]
    index = EvaluationIndex([("gsm8k", *item) for item in items])
    matches = [
        match for row in read_jsonl(real_data / "gsm8k_train.jsonl") for match in index.find_matches(row["question"])
    ]
    # Read by eye: a train and a plane that travel (twice), and stamps bought by two people.
    assert (len(matches), len({match.place for match in matches})) == (3, 2)
    assert not any(match.is_exact for match in matches)
