"""Argilla's exports, nested and flat, of version 2 and of the feedback datasets before it.

    v2, `to_json`        {"id", "fields": {…}, "responses": {question: [{"value", "user_id"}]}, "suggestions": {…}}
    v2, `to_datasets`    {"id", field: …, "question.responses": […], "….users": […], "….status": […], "….suggestion": …}
    v1, records          {"fields": {…}, "responses": [{"user_id", "status", "values": {question: {"value"}}}]}
    v1, on the Hub       {field: …, question: [{"user_id", "value", "status"}]}, or the same as an object of lists

Submitted responses become judgements; drafts and discarded ones are listed; suggestions go into the metadata.
Format: https://docs.argilla.io/latest/reference/argilla/records/records and `records/_io` of the client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pitchpipe.store.importing.foreign_answers import Answer, build_row
from pitchpipe.store.importing.foreign_fields import read_fields
from pitchpipe.store.importing.rows import RawRow, ReadResult, RowProblem, describe, format_value
from pitchpipe.store.records import RejectedRow

_FLAT = ".responses"
_OURS = ("id", "_server_id", "external_id", "status", "inserted_at", "updated_at", "metadata", "vectors", "score")
_WORDS = re.compile(
    r"comment|reason|rationale|explanation|feedback|note|correct|rewrit|edit|improv|text", re.IGNORECASE
)
_LONGEST_LABEL = 60

Response = tuple[str, str, Any, str | None]
"""Question, rater, value, status (None where the export has none)."""


def is_argilla(row: RawRow) -> bool:
    """Whether a row shows the signs of one of Argilla's exports."""
    if isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict | list):
        return True
    return any(name.endswith((_FLAT, ".suggestion")) for name in row) or any(map(_is_answered, row.values()))


def parse_argilla(line: int, row: RawRow) -> Iterator[ReadResult]:
    """One record as an example, with the judgements of those who submitted a response.

    >>> record = {"fields": {"prompt": "hi", "response": "Hello."},
    ...           "responses": {"quality": [{"value": 4, "user_id": "u1"}]}}
    >>> next(parse_argilla(1, record)).judgements[0].value
    {'quality': 4}
    """
    fields, suggestions = _read_fields(row)
    said: dict[str, list[Answer]] = {}
    refused: list[RejectedRow] = []
    for question, rater, value, status in _list_responses(row):
        if status not in (None, "submitted"):
            refused.append(RejectedRow(line, question, f"the response of {describe(rater)} is {describe(status)}"))
            continue
        try:
            said.setdefault(rater, []).append(_read_value(question, value))
        except RowProblem as problem:
            refused.append(RejectedRow(line, problem.column, f"of {describe(rater)}: {problem.reason}"))
    external_id = row.get("external_id") or row.get("id")
    metadata = {"suggestions": suggestions} if suggestions else {}
    if isinstance(row.get("metadata"), dict) and row["metadata"]:
        metadata["argilla"] = row["metadata"]
    name = format_value(external_id)
    yield from build_row(line, read_fields(fields), said, f"argilla-{name}" if name else None, metadata)
    yield from refused


def _read_fields(row: RawRow) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields and the suggestions of a record, nested or flat."""
    if isinstance(row.get("fields"), dict):
        given = row.get("suggestions")
        return row["fields"], given if isinstance(given, dict) else {"all": given} if given else {}
    fields, suggestions = {}, {}
    for name, value in row.items():
        if name.endswith((".suggestion", "-suggestion")) and value is not None:
            suggestions[name.rpartition("suggestion")[0].rstrip(".-")] = value
        elif not (name in _OURS or ".responses" in name or "suggestion" in name or _is_answered(value)):
            fields[name] = value
    return fields, suggestions


def _is_answered(value: Any) -> bool:
    """Whether a column of a version 1 dataset holds responses."""
    one = value[0] if isinstance(value, list) and value else value
    return isinstance(one, dict) and "user_id" in one and "value" in one


def _list_responses(row: RawRow) -> Iterator[Response]:
    responses = row.get("responses")
    if isinstance(responses, dict):
        for question, given in responses.items():
            yield from _list_answers(question, given)
    elif isinstance(responses, list):
        yield from _list_records(responses)
    for name, value in row.items():
        if name.endswith(_FLAT) and isinstance(value, list):
            yield from _list_flat(row, name.removesuffix(_FLAT), value)
        elif name not in ("responses", "fields") and _is_answered(value):
            yield from _list_answers(name, value)


def _list_answers(question: str, given: Any) -> Iterator[Response]:
    """`[{"user_id", "value", "status"}]`, or the same as an object of lists."""
    if isinstance(given, dict):
        users, values = given.get("user_id"), given.get("value")
        if not isinstance(users, list) or not isinstance(values, list) or len(users) != len(values):
            raise RowProblem(question, "should have as many users as values")
        statuses = given.get("status")
        statuses = statuses if isinstance(statuses, list) and len(statuses) == len(users) else [None] * len(users)
        for user, value, status in zip(users, values, statuses, strict=True):
            yield question, _name_rater(user), value, status
        return
    for answer in given if isinstance(given, list) else [given]:
        if not isinstance(answer, dict) or "value" not in answer:
            raise RowProblem(question, f"a response should be an object with a value but is {describe(answer)}")
        yield question, _name_rater(answer.get("user_id")), answer["value"], answer.get("status")


def _list_records(responses: list[Any]) -> Iterator[Response]:
    for response in responses:
        values = response.get("values") if isinstance(response, dict) else None
        if not isinstance(values, dict):
            raise RowProblem("responses", f"a response should have values but is {describe(response)}")
        for question, value in values.items():
            inner = value.get("value") if isinstance(value, dict) else value
            yield question, _name_rater(response.get("user_id")), inner, response.get("status")


def _list_flat(row: RawRow, question: str, values: list[Any]) -> Iterator[Response]:
    users, statuses = row.get(f"{question}{_FLAT}.users"), row.get(f"{question}{_FLAT}.status")
    if not isinstance(users, list) or len(users) != len(values):
        raise RowProblem(f"{question}{_FLAT}.users", f"should be as many as the {len(values)} responses")
    known = statuses if isinstance(statuses, list) and len(statuses) == len(values) else [None] * len(values)
    for user, value, status in zip(users, values, known, strict=True):
        yield question, _name_rater(user), value, status


def _name_rater(user: Any) -> str:
    return format_value(user).strip() or "argilla"


def _read_value(question: str, value: Any) -> Answer:
    """A response by the form of its value; the export does not say what kind of question it answers."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Answer(question, "rating", value)
    if isinstance(value, str):
        is_text = len(value) > _LONGEST_LABEL or "\n" in value or _WORDS.search(question) is not None
        return Answer(question, "text", value) if is_text else Answer(question, "labels", [value])
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return Answer(question, "labels", value)
        if all(isinstance(item, dict) and _is_rank(item) for item in value):
            return Answer(question, "ranks", {item["value"]: item["rank"] for item in value})
        if all(isinstance(item, dict) and _is_span(item) for item in value):
            spans = [{"start": item["start"], "end": item["end"], "label": item["label"]} for item in value]
            return Answer(question, "spans", spans)
    raise RowProblem(question, f"a response that is {describe(value)} is not read")


def _is_rank(item: dict[str, Any]) -> bool:
    return isinstance(item.get("value"), str) and isinstance(item.get("rank"), int)


def _is_span(item: dict[str, Any]) -> bool:
    return isinstance(item.get("label"), str) and all(isinstance(item.get(key), int) for key in ("start", "end"))
