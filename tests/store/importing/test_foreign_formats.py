"""What other tools export becomes examples with each rater's judgements; what has no place is listed, never lost.

The rows are written after the tools' own documentation: https://labelstud.io/guide/task_format and its tags' pages;
`records/_io` of Argilla's client and its server's record schema; docs/data-export/export_formats.md of Potato.
"""

from __future__ import annotations

from typing import Any

import pytest

from pitchpipe.store.importing import guess_format
from pitchpipe.store.importing.argilla import parse_argilla
from pitchpipe.store.importing.label_studio import parse_label_studio
from pitchpipe.store.importing.potato import parse_potato
from pitchpipe.store.importing.rows import RowParser, RowProblem
from pitchpipe.store.records import ParsedJudgement, ParsedRow, RejectedRow, TaskKind

PAIR = {"prompt": "Why is the sky blue?", "answer1": "Scattering.", "answer2": "Paint."}


def parse(parser: RowParser, row: dict[str, Any]) -> tuple[ParsedRow, list[RejectedRow]]:
    first, *rest = parser(1, row)
    assert isinstance(first, ParsedRow)
    assert all(isinstance(result, RejectedRow) for result in rest)
    return first, [result for result in rest if isinstance(result, RejectedRow)]


def values(row: ParsedRow) -> list[tuple[str, str, dict[str, Any], tuple[int, ...]]]:
    return [(j.rater, j.kind.value, j.value, j.candidates) for j in row.judgements]


def ls_task(data: dict[str, Any], *annotations: dict[str, Any]) -> dict[str, Any]:
    return {"id": 7, "data": data, "annotations": list(annotations), "predictions": [], "project": 1}


def ls_result(kind: str, value: dict[str, Any], name: str = "q", about: str = "") -> dict[str, Any]:
    return {"from_name": name, "to_name": about, "type": kind, "value": value, "id": "x"}


def ls_annotation(who: Any, *results: dict[str, Any], cancelled: bool = False) -> dict[str, Any]:
    return {"id": 1, "completed_by": who, "was_cancelled": cancelled, "result": list(results), "lead_time": 4.2}


def test_label_studio_pairs_are_judged_by_each_of_their_annotators() -> None:
    left = ls_result("pairwise", {"selected": "left"}, "pw", "answer1,answer2")
    right = ls_result("pairwise", {"selected": "right"}, "pw", "answer1,answer2")
    why = ls_result("textarea", {"text": ["It is physics."]}, "why")
    task = ls_task(PAIR, ls_annotation(3, left, why), ls_annotation({"id": 4, "email": "ben@x.org"}, right))
    row, refused = parse(parse_label_studio, task)
    assert guess_format([task]) == "label-studio"
    assert (row.kind, row.external_id, refused) == (TaskKind.COMPARE, "label-studio-7", [])
    assert [candidate.text for candidate in row.candidates] == ["Scattering.", "Paint."]
    assert values(row) == [
        ("3", "compare", {"verdict": "a", "strength": None}, (0, 1)),
        ("ben@x.org", "compare", {"verdict": "b", "strength": None}, (0, 1)),
    ]
    assert [judgement.reason for judgement in row.judgements] == ["It is physics.", ""]


def test_label_studio_left_is_the_side_that_the_control_names_first() -> None:
    turned = ls_result("pairwise", {"selected": "left"}, "pw", "answer2,answer1")
    row, _ = parse(parse_label_studio, ls_task(PAIR, ls_annotation(3, turned)))
    assert row.judgements[0].value["verdict"] == "b"


def test_label_studio_cancelled_annotations_and_unread_results_are_listed() -> None:
    box = ls_result("rectanglelabels", {"x": 1, "rectanglelabels": ["Moon"]})
    task = ls_task(PAIR, ls_annotation(3, cancelled=True), ls_annotation(4, box), {"completed_by": 5})
    row, refused = parse(parse_label_studio, task)
    assert row.judgements == ()
    assert [(reject.column, reject.reason) for reject in refused] == [
        ("annotations[0]", "'3' skipped the task"),
        ("annotations[1].result[0]", "of '4': a result of the type 'rectanglelabels' with an object of 2 is not read"),
        ("annotations[2]", "should have a list as its result but has null"),
    ]


def test_label_studio_ratings_and_single_choices_about_one_answer_are_its_rating() -> None:
    results = [
        ls_result("rating", {"rating": 4}, "helpfulness", "response"),
        ls_result("choices", {"choices": ["warm"]}, "tone", "response"),
    ]
    row, refused = parse(
        parse_label_studio, ls_task({"prompt": "hi", "response": "Hello."}, ls_annotation(3, *results))
    )
    assert (row.kind, refused) == (TaskKind.RATE, [])
    assert values(row) == [("3", "rate", {"helpfulness": 4, "tone": "warm"}, (0,))]


def test_label_studio_choices_about_a_text_are_its_labels() -> None:
    task = ls_task({"text": "Great film"}, ls_annotation(3, ls_result("choices", {"choices": ["good", "short"]})))
    row, _ = parse(parse_label_studio, task)
    assert (row.kind, values(row)) == (TaskKind.TAG, [("3", "tag", {"labels": ["good", "short"]}, ())])


def test_label_studio_a_ranked_list_becomes_a_ranking_of_its_items() -> None:
    items = [{"id": "blog", "body": "Blog."}, {"id": "mdn", "body": "Docs."}, {"id": "wiki", "body": "Wiki."}]
    ranked = ls_result("ranker", {"ranker": ["mdn", "wiki", "blog"]}, "rank", "results")
    row, _ = parse(parse_label_studio, ls_task({"question": "Arrow?", "items": items}, ls_annotation(3, ranked)))
    assert [candidate.text for candidate in row.candidates] == ["Blog.", "Docs.", "Wiki."]
    assert values(row) == [("3", "rank", {"ranks": [2, 0, 1]}, (0, 1, 2))]
    buckets = ls_result("ranker", {"ranker": {"best": ["mdn"]}}, "rank", "results")
    _, refused = parse(parse_label_studio, ls_task({"question": "Arrow?", "items": items}, ls_annotation(3, buckets)))
    assert "of the type 'ranker' with an object of 1 is not read" in refused[0].reason


def test_label_studio_a_text_area_without_answers_is_an_answer_of_the_rater() -> None:
    written = ls_result("textarea", {"text": ["def f(): ..."]}, "instruction", "prompt")
    row, _ = parse(parse_label_studio, ls_task({"prompt": "Write f."}, ls_annotation(3, written)))
    assert (row.kind, values(row)) == (TaskKind.WRITE, [("3", "write", {"text": "def f(): ..."}, ())])


def test_label_studio_marked_stretches_of_an_answer_are_spans_and_must_lie_in_it() -> None:
    marks = [
        ls_result("labels", {"start": 0, "end": 5, "text": "Hello", "labels": ["false"]}, "marks", "response"),
        ls_result("labels", {"start": 5, "end": 6, "text": ".", "labels": ["style"]}, "marks", "response"),
        ls_result("labels", {"start": 2, "end": 60, "text": "", "labels": ["false"]}, "marks", "response"),
    ]
    row, refused = parse(parse_label_studio, ls_task({"prompt": "hi", "response": "Hello."}, ls_annotation(3, *marks)))
    spans = [{"start": 0, "end": 5, "label": "false"}, {"start": 5, "end": 6, "label": "style"}]
    assert values(row) == [("3", "span", {"spans": spans}, (0,))]
    assert "outside of the answer's 6 characters" in refused[0].reason


def test_a_row_whose_fields_do_not_tell_what_is_asked_is_refused_with_their_names() -> None:
    with pytest.raises(RowProblem, match=r"no field reads like a request; there are text1, text2.*mapping"):
        list(parse_label_studio(1, ls_task({"text1": "a", "text2": "b"})))


ARGILLA_FIELDS = {"prompt": "Best month?", "response-1": "May.", "response-2": "June."}
ARGILLA_NESTED = {
    "id": "r1",
    "fields": ARGILLA_FIELDS,
    "metadata": {"source": "web"},
    "suggestions": {"best": {"value": "response-2", "score": 0.9, "agent": "judge"}},
    "responses": {
        "best": [{"value": "response-1", "user_id": "u1"}, {"value": "tie", "user_id": "u2"}],
        "comment": [{"value": "May is greener.", "user_id": "u1"}],
    },
    "vectors": {},
    "_server_id": "s1",
}
ARGILLA_FLAT = {
    "id": "r1",
    "status": "completed",
    "_server_id": "s1",
    **ARGILLA_FIELDS,
    "best.responses": ["response-1", "tie", "response-2"],
    "best.responses.users": ["u1", "u2", "u3"],
    "best.responses.status": ["submitted", "submitted", "draft"],
    "comment.responses": ["May is greener."],
    "comment.responses.users": ["u1"],
    "comment.responses.status": ["submitted"],
    "best.suggestion": "response-2",
    "best.suggestion.score": 0.9,
    "best.suggestion.agent": "judge",
}
ARGILLA_V1_RECORD = {
    "fields": ARGILLA_FIELDS,
    "external_id": "r1",
    "suggestions": [],
    "responses": [
        {"user_id": "u1", "status": "submitted",
         "values": {"best": {"value": "response-1"}, "comment": {"value": "May is greener."}}},
        {"user_id": "u2", "status": "submitted", "values": {"best": {"value": "tie"}}},
        {"user_id": "u3", "status": "discarded", "values": {"best": {"value": "response-2"}}},
    ],
}  # fmt: skip
ARGILLA_V1_HUB = {
    **ARGILLA_FIELDS,
    "best": [
        {"user_id": "u1", "value": "response-1", "status": "submitted"},
        {"user_id": "u2", "value": "tie", "status": "submitted"},
        {"user_id": "u3", "value": "response-2", "status": "draft"},
    ],
    "comment": {"user_id": ["u1"], "value": ["May is greener."], "status": ["submitted"]},
    "external_id": "r1",
    "metadata": "{}",
}


@pytest.mark.parametrize("record", [ARGILLA_NESTED, ARGILLA_FLAT, ARGILLA_V1_RECORD, ARGILLA_V1_HUB])
def test_argilla_exports_of_every_form_give_the_same_judgements(record: dict[str, Any]) -> None:
    row, refused = parse(parse_argilla, record)
    assert guess_format([record]) == "argilla"
    assert (row.kind, row.external_id) == (TaskKind.COMPARE, "argilla-r1")
    assert row.judgements == (
        ParsedJudgement("u1", TaskKind.COMPARE, {"verdict": "a", "strength": None}, (0, 1), "May is greener."),
        ParsedJudgement("u2", TaskKind.COMPARE, {"verdict": "tie", "strength": None}, (0, 1)),
    )
    assert [reject.reason for reject in refused if "'u3' is" not in reject.reason] == []
    assert len(refused) == (0 if record is ARGILLA_NESTED else 1)


def test_argilla_suggestions_are_kept_beside_the_example_and_judge_nothing() -> None:
    row, _ = parse(parse_argilla, {**ARGILLA_NESTED, "responses": {}})
    assert row.judgements == ()
    assert row.metadata["suggestions"]["best"]["agent"] == "judge"


def test_argilla_ratings_say_by_their_name_which_answer_they_are_about() -> None:
    responses = {
        "rating-response-1": [{"value": 5, "user_id": "u1"}],
        "rating-response-2": [{"value": 2, "user_id": "u1"}],
        "overall": [{"value": 3, "user_id": "u1"}],
    }
    row, refused = parse(parse_argilla, {**ARGILLA_NESTED, "responses": responses})
    assert values(row) == [
        ("u1", "rate", {"rating-response-1": 5}, (0,)),
        ("u1", "rate", {"rating-response-2": 2}, (1,)),
    ]
    assert refused[0].reason == "of 'u1': a rating that does not say which of the answers it is about"


def test_argilla_rankings_spans_and_corrections_find_their_kinds() -> None:
    three = {**ARGILLA_FIELDS, "response-3": "Any."}
    order = [{"value": "response-1", "rank": 2}, {"value": "response-2", "rank": 1}, {"value": "response-3", "rank": 2}]
    row, _ = parse(parse_argilla, {"fields": three, "responses": {"rank": [{"value": order, "user_id": "u1"}]}})
    assert values(row) == [("u1", "rank", {"ranks": [1, 0, 1]}, (0, 1, 2))]
    one = {"prompt": "hi", "response": "Helo."}
    marks = [{"label": "typo", "start": 0, "end": 4}]
    said = {"marks": [{"value": marks, "user_id": "u1"}], "correction": [{"value": "Hello.", "user_id": "u1"}]}
    row, _ = parse(parse_argilla, {"fields": one, "responses": said})
    assert values(row) == [
        ("u1", "span", {"spans": [{"start": 0, "end": 4, "label": "typo"}]}, (0,)),
        ("u1", "edit", {"text": "Hello."}, (0,)),
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"sentiment": {"positive": "true"}}, ("tag", {"labels": ["positive"]})),
        ({"topics": {"a": "a", "b": "b", "c": "false"}}, ("tag", {"labels": ["a", "b"]})),
        ({"fluency": {"scale_4": "4"}}, ("tag", {"labels": ["fluency: 4"]})),
        ({"answer": {"text_box": "My words"}}, ("write", {"text": "My words"})),
    ],
)
def test_potato_schemes_become_labels_and_texts(said: dict[str, Any], expected: tuple[str, dict[str, Any]]) -> None:
    old = {"id": "item_1", "displayed_text": "Great film", "label_annotations": said, "span_annotations": []}
    row, refused = parse(parse_potato, {**old, "user_id": "ana"})
    assert guess_format([old]) == "potato"
    assert (row.external_id, refused) == ("potato-item_1", [])
    assert values(row) == [("ana", *expected, ())]


@pytest.mark.parametrize(
    ("said", "verdict", "strength"),
    [
        ({"preference": {"selection": "A"}}, "a", None),
        ({"preference": {"selection": "tie"}}, "tie", None),
        ({"scale": {"scale_value": "-2"}}, "a", -2),
        ({"scale": {"scale_value": "3"}}, "b", 3),
    ],
)
def test_potato_pairs_become_comparisons(said: dict[str, Any], verdict: str, strength: int | None) -> None:
    fields = {"prompt": "Best month?", "responses": ["May.", "June."]}
    row, _ = parse(parse_potato, {"id": "1", "user_id": "ana", "fields": fields, "labels": said})
    assert values(row) == [("ana", "compare", {"verdict": verdict, "strength": strength}, (0, 1))]


def test_potato_exports_without_texts_say_what_to_give_instead() -> None:
    row = {"instance_id": "1", "user_id": "ana", "labels": {"tone": {"warm": "warm"}}, "spans": {}, "links": {}}
    assert guess_format([row]) == "potato"
    with pytest.raises(RowProblem, match="folder of the whole project"):
        list(parse_potato(1, row))


def test_several_questions_of_labels_keep_their_names() -> None:
    said = {"tone": {"warm": "warm"}, "length": {"short": "short"}}
    row, _ = parse(parse_potato, {"id": "1", "user_id": "ana", "fields": {"text": "Great"}, "labels": said})
    assert values(row) == [("ana", "tag", {"labels": ["tone: warm", "length: short"]}, ())]
