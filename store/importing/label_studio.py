"""Label Studio's JSON export: `[{"id", "data": {…}, "annotations": [{"completed_by", "was_cancelled", "result"}]}]`.

Read: pairwise, ranker (a list), choices, rating, number, textarea and labels of texts; each annotation is a rater's.
Cancelled ones, and results of other types, are listed. Model predictions are counted in the metadata, nothing more.
Format: https://labelstud.io/guide/task_format and the pages of the tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pitchpipe.store.importing.foreign_answers import Answer, build_row
from pitchpipe.store.importing.foreign_fields import Answers, read_fields
from pitchpipe.store.importing.rows import RawRow, ReadResult, RowProblem, describe, format_value, require
from pitchpipe.store.records import RejectedRow, Verdict

_SIDES = {"left": Verdict.A, "right": Verdict.B}


def parse_label_studio(line: int, row: RawRow) -> Iterator[ReadResult]:
    """One task as an example, each of its annotations as a rater's judgements.

    >>> task = {"data": {"prompt": "hi", "answer1": "x", "answer2": "y"}, "annotations": [{"completed_by": 7,
    ...     "result": [{"from_name": "pw", "type": "pairwise", "value": {"selected": "left"}}]}]}
    >>> [(j.rater, j.value) for j in next(parse_label_studio(1, task)).judgements]
    [('7', {'verdict': 'a', 'strength': None})]
    """
    data = require(row, "data")
    if not isinstance(data, dict):
        raise RowProblem("data", f"should be an object of fields but is {describe(data)}")
    answers = read_fields(data)
    annotations = row["annotations"] if "annotations" in row else row.get("completions")
    if not isinstance(annotations, list | None):
        raise RowProblem("annotations", f"should be a list but is {describe(annotations)}")
    said: dict[str, list[Answer]] = {}
    refused: list[RejectedRow] = []
    for place, annotation in enumerate(annotations or ()):
        where = f"annotations[{place}]"
        try:
            rater, results = _open_annotation(annotation, where)
        except RowProblem as problem:
            refused.append(RejectedRow(line, problem.column, problem.reason))
            continue
        if rater in said:
            refused.append(RejectedRow(line, where, f"a second annotation of {describe(rater)}; the first is kept"))
            continue
        said[rater] = []
        for number, result in enumerate(results):
            try:
                said[rater].append(_read_result(result, f"{where}.result[{number}]", answers))
            except RowProblem as problem:
                refused.append(RejectedRow(line, problem.column, f"of {describe(rater)}: {problem.reason}"))
    external_id = format_value(row.get("id")) or None
    predictions = row.get("predictions")
    metadata = {"predictions": len(predictions)} if isinstance(predictions, list) and predictions else {}
    yield from build_row(line, answers, said, f"label-studio-{external_id}" if external_id else None, metadata)
    yield from refused


def _open_annotation(annotation: Any, where: str) -> tuple[str, list[Any]]:
    if not isinstance(annotation, dict):
        raise RowProblem(where, f"should be an object but is {describe(annotation)}")
    who = annotation.get("completed_by")
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    rater = format_value(who).strip() or "label-studio"
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        raise RowProblem(where, f"{describe(rater)} skipped the task")
    results = annotation.get("result")
    if not isinstance(results, list):
        raise RowProblem(where, f"should have a list as its result but has {describe(results)}")
    return rater, results


def _read_result(result: Any, where: str, answers: Answers) -> Answer:
    value = result.get("value") if isinstance(result, dict) else None
    if not isinstance(value, dict):
        raise RowProblem(where, f"should be an object with a value but is {describe(result)}")
    question, about = format_value(result.get("from_name")) or "label", format_value(result.get("to_name"))
    kind = result.get("type")
    if kind == "pairwise" and isinstance(value.get("selected"), str) and value["selected"] in _SIDES:
        return Answer(question, "verdict", _read_side(value["selected"], about, answers.names))
    if kind in ("rating", "number") and isinstance(value.get(kind), int | float):
        return Answer(question, "rating", value[kind], about)
    if kind == "choices" and _is_texts(value.get("choices")):
        return Answer(question, "labels", value["choices"], about)
    if kind == "textarea" and (isinstance(value.get("text"), str) or _is_texts(value.get("text"))):
        text = value["text"]
        return Answer(question, "text", text if isinstance(text, str) else "\n".join(text), about)
    if kind == "ranker" and isinstance(value.get("ranker"), list):
        order = [format_value(item) for item in value["ranker"]]
        return Answer(question, "ranks", {name: place for place, name in enumerate(order)})
    if kind == "labels" and _is_texts(value.get("labels")):
        return Answer(question, "spans", [_read_span(value, where)], about)
    raise RowProblem(where, f"a result of the type {describe(kind)} with {describe(value)} is not read")


def _read_side(selected: str, about: str, names: tuple[str, ...]) -> Verdict:
    """The verdict in the order of the answers; `about` names the left one first, where its names are fields."""
    sides = [name.strip() for name in about.split(",")]
    is_turned = len(names) == 2 and tuple(sides) == names[::-1]
    return _SIDES[selected] if not is_turned else Verdict.B if selected == "left" else Verdict.A


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _read_span(value: dict[str, Any], where: str) -> dict[str, Any]:
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, int) or not isinstance(end, int):
        raise RowProblem(where, "a mark should have a start and an end as whole numbers")
    return {"start": start, "end": end, "label": value["labels"][0]}
