"""What was answered against what was asked: complete, of the options there are, and told by name where it is not."""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.prompts.answers import find_fault, list_text_questions
from pitchpipe.prompts.library import Screen, load_rubric, load_screen, make_screen

RATED = {"helpfulness": 3, "follows": 1, "tone": "warm"}
SHORT = {"helpfulness": 3, "correctness": 4, "coherence": 4}


def plain(rubric: str) -> Screen:
    loaded = load_rubric(rubric)
    return make_screen(loaded.kind, loaded)


SCREEN = load_screen("compare_rate_correct")
COMPARED = {"verdict": "first", "strength": -1}


@pytest.mark.parametrize(
    ("screen", "value"),
    [
        (plain("checks"), RATED),
        (plain("checks"), {**RATED, "note": "the size"}),
        (plain("topics"), {"labels": ["refund", "other"]}),
        (plain("errors"), {"spans": []}),
        (plain("errors"), {"spans": [{"start": 0, "end": 2, "label": "false"}]}),
        (plain("turns"), {"turns": {"1": {"helpfulness": 0}, "3": {}}}),
        (plain("preference"), COMPARED),
        (make_screen("write", None), {"text": "An answer."}),
        (SCREEN, {"compare": COMPARED, "rate": [SHORT, SHORT]}),
        (SCREEN, {"compare": COMPARED, "rate": [SHORT, SHORT], "edit": {"answer": 0, "text": "new"}, "tag": None}),
    ],
)
def test_a_complete_answer_has_no_fault(screen: Screen, value: dict[str, Any]) -> None:
    assert find_fault(screen, value) is None


@pytest.mark.parametrize(
    ("screen", "value", "told"),
    [
        (plain("checks"), {"helpfulness": 3, "tone": "warm"}, "'Follows the request' is not answered"),
        (plain("checks"), {**RATED, "tone": "icy"}, "'icy' is no answer to 'Tone'"),
        (plain("checks"), {**RATED, "helpfulness": 5}, "5 is no answer to 'Helpfulness'"),
        (plain("checks"), {**RATED, "helpfulness": "3"}, "'3' is no answer"),
        (plain("checks"), {**RATED, "follows": True}, "True is no answer"),
        (plain("checks"), {**RATED, "note": 3}, "is no text"),
        (plain("checks"), {**RATED, "old": 1}, "'old' is not asked any more"),
        (plain("topics"), {"labels": ["gone"]}, "'gone' is no answer to 'Topic'"),
        (plain("errors"), {"spans": [{"start": 0, "end": 2, "label": "gone"}]}, "'gone' is no answer"),
        (plain("turns"), {"turns": {"1": {"helpfulness": 9}}}, "for turn 1"),
        (SCREEN, {"compare": COMPARED}, "'rate' is not answered"),
        (SCREEN, {"compare": COMPARED, "rate": [SHORT, {}]}, "for answer 2 is not answered"),
        (SCREEN, {"compare": COMPARED, "rate": [SHORT, SHORT], "tag": {"labels": ["x"]}}, "'tag' is not asked"),
    ],
)
def test_what_is_missing_or_not_asked_any_more_is_named(screen: Screen, value: dict[str, Any], told: str) -> None:
    fault = find_fault(screen, value)
    assert fault is not None
    assert told in fault[0]


def test_one_label_is_asked_where_a_rubric_takes_one() -> None:
    from dataclasses import replace

    single = make_screen("tag", replace(load_rubric("topics"), is_multiple=False))
    fault = find_fault(single, {"labels": ["refund", "other"]})
    assert fault is not None
    assert "2 labels" in fault[0]


def test_the_questions_answered_in_words_are_listed() -> None:
    assert list_text_questions(plain("checks")) == ["note"]
    assert list_text_questions(SCREEN) == []
