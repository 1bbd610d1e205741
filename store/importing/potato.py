"""Potato's outputs: `annotated_instances.jsonl` (one user a folder), `annotations.jsonl` and `.csv`, and its folders.

    before 2       {"id", "displayed_text", "label_annotations": {schema: {label: value}}, "span_annotations"}
    exports of 2   {"instance_id", "user_id", "labels": {schema: {label: value}}, "spans"}

Version 2 exports hold no text: give the folder of the whole project, where the data files lie beside the annotations
(see `potato_folder`), or the rows are refused. Formats: docs/data-export/export_formats.md of davidjurgens/potato.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pitchpipe.store.importing.foreign_answers import Answer, build_row
from pitchpipe.store.importing.foreign_fields import read_fields
from pitchpipe.store.importing.rows import RawRow, ReadResult, RowProblem, describe, format_value
from pitchpipe.store.records import Verdict

_VERDICTS = {"a": Verdict.A, "b": Verdict.B, "tie": Verdict.TIE, "left": Verdict.A, "right": Verdict.B}
_OFF = ("", "false", "none", "null")
_LABELS = ("label_annotations", "labels")


def is_potato(row: RawRow) -> bool:
    """Whether a row shows the signs of Potato's output."""
    return isinstance(row.get("label_annotations"), dict) or (
        "instance_id" in row and "user_id" in row and isinstance(row.get("labels"), dict)
    )


def parse_potato(line: int, row: RawRow) -> Iterator[ReadResult]:
    """One user's annotation of one instance.

    >>> labels = {"tone": {"good": "good"}}
    >>> row = {"id": "1", "displayed_text": "Great film", "user_id": "ana", "label_annotations": labels}
    >>> next(parse_potato(1, row)).judgements[0].value
    {'labels': ['good']}
    """
    labels = next((row[name] for name in _LABELS if isinstance(row.get(name), dict)), None)
    if labels is None:
        raise RowProblem("label_annotations", "is missing, or no object of schemas")
    given = row.get("fields")
    if not isinstance(given, dict):
        if not isinstance(row.get("displayed_text"), str):
            reason = "the row has no text; give the folder of the whole project, which holds the data files too"
            raise RowProblem("displayed_text", reason)
        given = {"displayed_text": row["displayed_text"]}
    rater = format_value(row.get("user_id") or row.get("user")).strip() or "potato"
    answers = [_read_schema(str(schema), said) for schema, said in labels.items() if said]
    spans = _count_spans(row)
    name = format_value(row["id"] if "id" in row else row.get("instance_id"))
    metadata = {"spans_not_read": spans} if spans else {}
    yield from build_row(line, read_fields(given), {rater: answers}, f"potato-{name}" if name else None, metadata)


def _count_spans(row: RawRow) -> int:
    spans = row.get("span_annotations") or row.get("spans") or []
    if isinstance(spans, dict):
        return sum(len(found) for found in spans.values() if isinstance(found, list))
    return len(spans) if isinstance(spans, list) else 0


def _read_schema(schema: str, said: Any) -> Answer:
    """What was answered to one schema: its labels with their values."""
    if isinstance(said, dict) and set(said) == {"labels"} and isinstance(said["labels"], dict):
        said = said["labels"]
    if not isinstance(said, dict):
        raise RowProblem(schema, f"should be an object of labels but is {describe(said)}")
    values = {str(label): value for label, value in said.items()}
    label, value = next(iter(values.items()))
    text = format_value(value).strip()
    if label == "selection" and text.lower() in _VERDICTS:
        return Answer(schema, "verdict", _VERDICTS[text.lower()])
    if label == "scale_value":
        return _read_scale(schema, text)
    if label.startswith("text_box") or label == "text":
        return Answer(schema, "text", "\n".join(format_value(written) for written in values.values()))
    if len(values) == 1 and label.startswith("scale_"):
        return Answer(schema, "rating", _read_number(schema, text if _is_number(text) else label[len("scale_") :]))
    if len(values) == 1 and _is_number(text) and text != label and label in (schema, "slider", "number", "value"):
        return Answer(schema, "rating", _read_number(schema, text))
    if len(values) == 1 and _is_number(text) and text == label:
        return Answer(schema, "rating", _read_number(schema, text))
    chosen = [name for name, mark in values.items() if format_value(mark).strip().lower() not in _OFF]
    return Answer(schema, "labels", chosen)


def _read_scale(schema: str, text: str) -> Answer:
    number = _read_number(schema, text)
    if not isinstance(number, int) or not -3 <= number <= 3:
        raise RowProblem(schema, f"a preference should be -3 to 3 but is {describe(text)}")
    verdict = Verdict.TIE if number == 0 else Verdict.A if number < 0 else Verdict.B
    return Answer(schema, "verdict", verdict, strength=number)


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdecimal() and len(text) < 20


def _read_number(schema: str, text: str) -> int | float:
    if not _is_number(text):
        raise RowProblem(schema, f"should be a number but is {describe(text)}")
    number = float(text)
    return int(number) if number.is_integer() else number
