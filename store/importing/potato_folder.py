"""A folder of Potato's: each annotator's outputs, and the data files that hold the texts.

annotation_output/<user>/user_state.json              version 2; the texts lie in the project's data files
annotation_output/<user>/annotated_instances.jsonl    before it; the folder names the user
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.folders import Part
from pitchpipe.store.importing.json_reader import RawResult, read_json_file, read_json_lines
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.store.importing.raw_values import decode_json
from pitchpipe.store.importing.rows import RawRow, RowProblem, describe, format_value
from pitchpipe.store.importing.table_reader import read_table
from pitchpipe.store.records import RejectedRow

_STATE, _INSTANCES = "user_state.json", "annotated_instances.jsonl"
_DATA = (".jsonl", ".json", ".csv", ".tsv")
_LARGEST_STATE = 64 << 20


def is_potato_folder(folder: Path) -> bool:
    """Whether a folder holds outputs of Potato."""
    return any(next(folder.rglob(name), None) is not None for name in (_STATE, _INSTANCES))


def read_potato_folder(folder: Path, meter: ReadMeter) -> Iterator[RawResult | Part]:
    """One raw row for each instance that an annotator labelled, in the form that `parse_potato` reads.

    Raises:
        ImportFileError: there are annotations of version 2 but no data file with their instances.
    """
    states, outputs = sorted(folder.rglob(_STATE)), sorted(folder.rglob(_INSTANCES))
    files = states or outputs
    meter.total = sum(path.stat().st_size for path in files)
    items = _read_items(folder) if states else {}
    if states and not items:
        raise ImportFileError(
            f"{folder} holds annotations of Potato but no data file with an id in every row.",
            "Give the folder of the whole project, with its data files.",
        )
    for path in files:
        yield Part(f"{path.parent.name}/{path.name}", None)
        with meter.watch(lambda path=path: path.stat().st_size):  # type: ignore[misc]
            yield from _read_state(path, items) if states else _read_instances(path)


def _read_instances(path: Path) -> Iterator[RawResult]:
    for result in read_json_lines(path, ReadMeter()):
        if isinstance(result, RejectedRow):
            yield result
        else:
            yield result[0], {"user_id": path.parent.name, **result[1]}


def _read_items(folder: Path) -> dict[str, RawRow]:
    """The rows of the project's data files by their id."""
    items: dict[str, RawRow] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.suffix.lower() not in _DATA or not path.is_file() or path.name in (_STATE, _INSTANCES):
            continue
        if any("annotation" in name for name in inside[:-1]):
            continue
        try:
            rows = (
                read_table(path, ReadMeter()) if path.suffix in (".csv", ".tsv") else read_json_file(path, ReadMeter())
            )
            for result in rows:
                if not isinstance(result, RejectedRow) and "id" in result[1]:
                    row = dict(result[1])
                    items[format_value(row.pop("id"))] = row
        except ImportFileError:
            continue  # a settings file, such as a list of surnames; what is missing of it is told row by row
    return items


def _read_state(path: Path, items: dict[str, RawRow]) -> Iterator[RawResult]:
    if path.stat().st_size > _LARGEST_STATE:
        yield RejectedRow(1, "", f"the file is larger than {_LARGEST_STATE:,} bytes")
        return
    try:
        state = decode_json(path.read_text(encoding="utf-8"))
    except (RowProblem, UnicodeDecodeError) as problem:
        yield RejectedRow(1, "", f"cannot be read: {str(problem)[:200]}")
        return
    said = state.get("instance_id_to_label_to_value") if isinstance(state, dict) else None
    if not isinstance(said, dict):
        yield RejectedRow(1, "instance_id_to_label_to_value", "is missing, or no object of instances")
        return
    user = format_value(state.get("user_id")) or path.parent.name
    for number, (instance, labels) in enumerate(said.items(), start=1):
        if instance not in items:
            yield RejectedRow(number, "id", f"no data file has the instance {describe(instance)}")
            continue
        try:
            row = {"instance_id": instance, "user_id": user, "fields": items[instance], "labels": _read_labels(labels)}
        except RowProblem as problem:
            yield RejectedRow(number, problem.column, problem.reason)
            continue
        yield number, row


def _read_labels(labels: Any) -> dict[str, Any]:
    """Labels by schema; Potato keeps them as an object, or as pairs of `{"schema", "name"}` and value."""
    if isinstance(labels, dict):
        return labels
    found: dict[str, Any] = {}
    for pair in labels if isinstance(labels, list) else [labels]:
        head = pair[0] if isinstance(pair, list) and len(pair) == 2 else None
        if not isinstance(head, dict) or "schema" not in head or "name" not in head:
            raise RowProblem("labels", f"should be pairs of schema and value but has {describe(pair)}")
        found.setdefault(format_value(head["schema"]), {})[format_value(head["name"])] = pair[1]
    return found
