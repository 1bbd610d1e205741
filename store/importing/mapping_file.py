"""Loads a mapping file and refuses, with the valid choices, whatever it could not mean."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import ImportFileError, NotFoundError, UsageError
from pitchpipe.store.importing.judgement_rules import JudgementRule
from pitchpipe.store.importing.mapping import Mapping
from pitchpipe.store.importing.rows import DATASET_RATER, describe, format_value
from pitchpipe.store.importing.templates import Template, TemplateProblem, compile_template
from pitchpipe.store.records import TaskKind, Verdict

_SHARED_KEYS = ("prompt", "messages", "system", "id", "category", "split", "tree")
_KEYS = {
    TaskKind.COMPARE: (*_SHARED_KEYS, "answer_a", "answer_b", "model_a", "model_b", "rater"),
    TaskKind.RATE: (*_SHARED_KEYS, "answer", "model", "rater"),
    TaskKind.WRITE: (*_SHARED_KEYS, "answer", "model"),
    TaskKind.TAG: (*_SHARED_KEYS, "text", "label", "rater"),
}
_REQUIRED = {
    TaskKind.COMPARE: ("answer_a", "answer_b"),
    TaskKind.RATE: ("answer",),
    TaskKind.WRITE: (),
    TaskKind.TAG: (),
}
_JUDGEMENT_KEYS = {
    TaskKind.COMPARE: ("rater", "value", "values", "skip_values", "reason", "strength"),
    TaskKind.RATE: ("rater", "value", "values", "skip_values", "reason", "question"),
    TaskKind.TAG: ("rater", "value", "values", "skip_values", "reason"),
}
_OPENINGS = ("prompt", "messages", "text")


class _MappingFault(Exception):
    """What is wrong with a mapping file, and what to write instead."""

    def __init__(self, happened: str, advice: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.advice = advice


def load_mapping(path: Path) -> Mapping:
    """A mapping file, checked and taken apart.

    Raises:
        NotFoundError: there is no such file.
        ImportFileError: it is not TOML in UTF-8.
        UsageError: a kind, key or value in it is none of the valid ones, which are listed.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise NotFoundError(f"There is no mapping file {path}.", "Check the name after --map.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as problem:
        raise ImportFileError(
            f"The mapping file {path.name} cannot be read: {problem}.",
            'Write it as TOML, for example: kind = "write", prompt = "{question}", answer = "{answer}".',
        ) from None
    try:
        return _build_mapping(path.name, document)
    except _MappingFault as fault:
        raise UsageError(f"The mapping file {path.name}: {fault.happened}.", fault.advice) from None


def _build_mapping(name: str, document: dict[str, Any]) -> Mapping:
    kind = _read_kind(document)
    _check_keys(kind, document)
    templates = {key: _read_template(document[key], key) for key in _KEYS[kind] if key in document}
    rater = templates.pop("rater", None) or compile_template(DATASET_RATER)
    label = templates.pop("label", None)
    rules = [] if label is None else [JudgementRule(rater, label, None, frozenset([""]))]
    tables = document.get("judgements", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _MappingFault(
            f"judgements is {describe(tables)}, not tables", "Begin each with [[judgements]] on a line of its own."
        )
    rules.extend(_read_rule(kind, table, rater) for table in tables)
    return Mapping(name, kind, templates, tuple(rules), _read_columns(document.get("columns")))


def _read_kind(document: dict[str, Any]) -> TaskKind:
    known = ", ".join(_KEYS)
    kind = document.get("kind")
    if kind is None:
        raise _MappingFault("it has no kind", f'Begin with kind = "…", one of {known}.')
    if not isinstance(kind, str) or kind not in list(_KEYS):
        raise _MappingFault(f"the kind {describe(kind)} is unknown", f"Use one of {known}.")
    return TaskKind(kind)


def _check_keys(kind: TaskKind, document: dict[str, Any]) -> None:
    known = ("kind", "columns", *_KEYS[kind], *(("judgements",) if kind in _JUDGEMENT_KEYS else ()))
    for key in document:
        if key not in known:
            raise _MappingFault(f"the key {describe(key)} is unknown for kind {kind}", f"Valid are {', '.join(known)}.")
    for key in _REQUIRED[kind]:
        if key not in document:
            raise _MappingFault(f"kind {kind} needs {key}", f'Add {key} = "{{column}}".')
    openings = [key for key in _OPENINGS if key in _KEYS[kind]]
    given = [key for key in openings if key in document]
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        advice = (
            "Keep one of them." if given else f'Say what asks: {openings[0]} = "{{column}}" (Request, in the form).'
        )
        raise _MappingFault(f"it should have exactly one of {', '.join(openings)} but has {found}", advice)


def _read_template(value: Any, key: str) -> Template:
    if not isinstance(value, str):
        raise _MappingFault(f"{key} should be a string but is {describe(value)}", f'Write {key} = "{{column}}".')
    try:
        template = compile_template(value)
    except TemplateProblem as problem:
        raise _MappingFault(f"{key} has {problem}", "Put the name of a column between two braces.") from None
    if key == "messages" and template.only_field is None:
        raise _MappingFault(f"messages is {value!r}, not one column", 'Write messages = "{column of turns}".')
    return template


def _read_columns(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    is_list = isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)
    if not is_list or len(set(value)) < len(value):
        raise _MappingFault(
            f"columns should be different names but is {describe(format_value(value))}",
            'Write columns = ["rater", "item", "label"], one name for every cell of a line.',
        )
    return tuple(value)


def _read_rule(kind: TaskKind, table: dict[str, Any], rater: Template) -> JudgementRule:
    known = _JUDGEMENT_KEYS[kind]
    for key in table:
        if key not in known:
            raise _MappingFault(
                f"the key {describe(key)} in [[judgements]] is unknown for kind {kind}",
                f"Valid are {', '.join(known)}.",
            )
    if "value" not in table:
        raise _MappingFault("a [[judgements]] table has no value", 'Add value = "{column}".')
    parts = {key: _read_template(table[key], key) for key in table if key not in ("values", "skip_values")}
    return JudgementRule(
        parts.get("rater", rater),
        parts["value"],
        _read_values(kind, table.get("values")),
        _read_skipped(table.get("skip_values", [])),
        parts.get("question"),
        parts.get("strength"),
        parts.get("reason"),
    )


def _read_values(kind: TaskKind, values: Any) -> dict[str, Any] | None:
    if values is None:
        return None
    if not isinstance(values, dict) or not values:
        raise _MappingFault(f"values is {describe(values)}", 'Write values = { "word of the file" = "word of ours" }.')
    for word, value in values.items():
        if kind is TaskKind.COMPARE and value not in list(Verdict):
            raise _MappingFault(
                f"values gives {describe(word)} the verdict {describe(value)}", f"Use one of {', '.join(Verdict)}."
            )
        if kind is TaskKind.RATE and (not isinstance(value, int) or isinstance(value, bool)):
            raise _MappingFault(
                f"values gives {describe(word)} the rating {describe(value)}", 'Use whole numbers: { "good" = 4 }.'
            )
        if kind is TaskKind.TAG and (not isinstance(value, str) or not value.strip()):
            raise _MappingFault(f"values gives {describe(word)} the label {describe(value)}", "Use labels in quotes.")
    return {word.strip(): value for word, value in values.items()}


def _read_skipped(values: Any) -> frozenset[str]:
    if not isinstance(values, list):
        raise _MappingFault(f"skip_values is {describe(values)}, not a list", 'Write skip_values = ["NA"].')
    return frozenset(["", *(format_value(value).strip() for value in values)])
