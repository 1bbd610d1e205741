"""Rules on pairs, on answers to another prompt, and on length in tokens."""

from __future__ import annotations

import json

import pytest

from pitchpipe.store.errors import UsageError
from pitchpipe.store.rules.rule import Background, Conversation
from tests.store.rules.made_rows import answer, find, find_places, make_row, pair


def count_words(chats: list[Conversation]) -> list[int]:
    """A tokenizer of words with a template of two tokens a turn."""
    return [sum(len(text.split()) + 2 for _, text in chat) for chat in chats]


WORDS = Background(count_tokens=count_words)  # type: ignore[arg-type]


def test_answers_that_differ_in_case_and_punctuation_alone_are_the_same() -> None:
    rows = [pair("Yes!", "Yes!"), pair("Yes, it is.", "yes it is"), pair("Yes.", "No."), pair("1 + 1", "1 + 2")]
    assert [hit.place for hit in find("same_answers", rows)] == [0, 1]


def test_answers_of_signs_alone_are_not_the_same_for_having_no_words() -> None:
    assert find("same_answers", [pair("+", "-"), pair("😀", "😢")]) == []


def test_a_pair_of_which_one_answer_continues_the_other_differs_by_length_alone() -> None:
    short = "Water boils at a hundred degrees."
    rows = [pair(short, short + " At sea level."), pair("Well, I think: " + short, short), pair(short, "It boils.")]
    hits = find("length_only", rows)
    assert [(hit.place, hit.evidence["field"], hit.evidence["score"]) for hit in hits] == [
        (0, "answer_b", 3),
        (1, "answer_a", 3),
    ]


def test_a_short_answer_inside_a_long_one_says_nothing_about_length() -> None:
    assert find("length_only", [pair("4", "4 is the sum of 2 and 2."), pair("It is so now.", "It is so now.")]) == []


def test_two_answers_of_one_model_are_marked() -> None:
    rows = [pair("x", "y", model_a="m", model_b="m"), pair("x", "y", model_a="m", model_b="n"), pair("x", "y")]
    assert [hit.place for hit in find("same_model", rows)] == [0]


def rated(candidate: str, helpfulness: float | str, turn: int | None = None) -> dict[str, object]:
    scores = json.dumps({"helpfulness": helpfulness, "honesty": 1})
    return answer("x", candidate_id=candidate, scores=scores, turn=turn)


def test_a_loser_that_is_rated_higher_is_found() -> None:
    rows = [
        rated("c1", 1.0),
        rated("c2", 3.5),
        pair("x", "y", "a", candidate_a="c1", candidate_b="c2"),
        pair("x", "y", "b", candidate_a="c1", candidate_b="c2"),
        pair("x", "y", "tie", candidate_a="c1", candidate_b="c2"),
        pair("x", "y", "a", candidate_a="c1", candidate_b="c3"),
    ]
    (hit,) = find("rating_against_choice", rows)
    assert (hit.place, hit.evidence["score"]) == (2, 2.5)
    assert hit.reason == "the loser is rated 3.5 on 'helpfulness' and the winner 1"
    assert find("rating_against_choice", rows, gap=2.5) == []
    assert find("rating_against_choice", rows, question="honesty") == []


def test_an_option_is_no_rating() -> None:
    rows = [rated("c1", "bad"), rated("c2", "good"), pair("x", "y", "a", candidate_a="c1", candidate_b="c2")]
    assert find("rating_against_choice", rows) == []


def test_an_answer_in_which_the_asker_speaks_is_a_transcript() -> None:
    texts = [
        "Sure.\n\nHuman: And what about cats?\n\nAssistant: Cats too.",
        "Yes.<|im_end|>\n<|im_start|>user\nMore?",
        "It is.\n### Instruction:\nWrite a poem.",
        "[INST] What? [/INST] This.",
    ]
    assert find_places("prompt_mismatch", texts) == texts


def test_dialogues_that_were_asked_for_and_code_are_no_transcripts() -> None:
    assert find("prompt_mismatch", [answer("Human: Hi!\nRobot: Hi.", "Write a dialogue with a robot.")]) == []
    texts = ["```\nUser: ann\n```", "The form has User: and Name: fields.", "Users: ten\nAdmins: two", "Answer: 4"]
    assert find_places("prompt_mismatch", texts) == []


REQUEST = "Name three rivers of Europe that flow into the Black Sea."


def test_an_answer_that_repeats_the_request_of_another_example_is_found() -> None:
    rows = [
        answer(f"Here:\n{REQUEST}\nDanube.", "What is the tallest mountain?"),
        answer(f"{REQUEST} The Danube, for one.", REQUEST),
        answer("Name three rivers of Europe that flow into the sea.", "What is it?"),
    ]
    (hit,) = find("prompt_mismatch", rows)
    assert (hit.place, hit.evidence["other"]) == (0, f"ex {REQUEST}")
    start, end, _ = hit.evidence["spans"][0]
    assert rows[0]["answer"][start:end] == REQUEST
    assert find("prompt_mismatch", rows, other_requests=False) == []


def test_a_conversation_is_too_long_with_its_template() -> None:
    rows = [answer("one two three", "one two"), answer("one", "one")]
    # 2 + 3 words and twice 2 for the turns: 9.
    hits = find("too_long", rows, WORDS, most_tokens=8)
    assert [(hit.place, hit.evidence["score"]) for hit in hits] == [(0, 9)]
    assert find("too_long", rows, WORDS, most_tokens=9) == []


def test_of_a_pair_the_longer_side_decides_and_a_label_row_has_its_request_alone() -> None:
    rows = [
        pair("one", "one two three four five six seven eight"),
        make_row("label", "one two three four five six seven eight"),
    ]
    hits = find("too_long", rows, WORDS, most_tokens=9)
    assert [(hit.place, hit.evidence) for hit in hits] == [
        (0, {"field": "answer_b", "score": 15}),
        (1, {"field": "messages", "score": 10}),
    ]


def test_a_short_answer_is_counted_without_the_template() -> None:
    rows = [answer("one two"), answer("one two three"), pair("one", "one two three", "b")]
    hits = find("too_short", rows, WORDS, fewest_tokens=3)
    assert [(hit.place, hit.evidence["score"]) for hit in hits] == [(0, 2)]


@pytest.mark.parametrize("rule", ["too_long", "too_short"])
def test_counting_tokens_without_a_model_says_how_to_name_one(rule: str) -> None:
    with pytest.raises(UsageError, match="Name one: with --model"):
        find(rule, [answer("x")])
