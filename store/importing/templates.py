"""Strings in braces, as mapping files use them: `{instruction}\\n\\n{input}` filled from a raw row.

A field is a column name, or a path into nested values: `{meta.rater}`, `{instances[0].input}`. `{{` and `}}` stand for
braces. A template is taken apart once, when the mapping is read, so that filling a row costs a few look-ups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.importing.rows import RawRow, RowProblem, describe, format_value, list_columns

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_STEP = re.compile(r"\[(\d{1,9})\]|\.?([^.\[\]]+)")
_PATH = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[\d{1,9}\])*")


class TemplateProblem(ValueError):
    """A template cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a raw row."""

    path: str
    steps: tuple[str | int, ...]
    """Keys and list indexes, the column first."""

    def read(self, row: RawRow) -> Any:
        """The value at this place.

        Raises:
            RowProblem: the row has no such place; what it has instead is named.
        """
        if self.path in row:  # also a flat column whose name holds dots
            return row[self.path]
        value: Any = row
        for step in self.steps:
            try:
                value = _take_step(value, step)
            except LookupError:
                raise RowProblem(self.path, _explain_missing(value, step, value is row)) from None
        return value


def _take_step(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        if isinstance(value, list):
            return value[step]
    elif isinstance(value, dict):
        return value[step]
    raise LookupError(step)


def _explain_missing(value: Any, step: str | int, is_row: bool) -> str:
    if is_row:
        return f"is missing; the row has {list_columns(value)}"
    if isinstance(step, int):
        return f"has no item [{step}]; there is {describe(value)}"
    if isinstance(value, dict):
        return f"has no {describe(step)}; there is {list_columns(value)}"
    return f"has no {describe(step)}; there is {describe(value)}"


@dataclass(frozen=True, slots=True)
class Template:
    """A string with fields, ready to be filled."""

    source: str
    pieces: tuple[str | Field, ...]
    only_field: Field | None
    """The field, where the template is one field and nothing else."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The places that the template reads."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Field))

    @property
    def name(self) -> str:
        """What to call the template in a message: its field's path, else the template itself."""
        return self.only_field.path if self.only_field else self.source

    def fill(self, row: RawRow) -> str:
        """The text for a row, without blanks at either end, so that an empty last field leaves no tail."""
        if self.only_field is not None:
            return format_value(self.only_field.read(row)).strip()
        return self._join(row).strip()

    def fill_exactly(self, row: RawRow) -> str:
        """The text for a row as an answer: one lone field as it stands, since its blanks are the author's."""
        if self.only_field is not None:
            return format_value(self.only_field.read(row))
        return self._join(row).strip()

    def read(self, row: RawRow) -> Any:
        """The raw value of a lone field, else the filled text."""
        return self.only_field.read(row) if self.only_field is not None else self.fill(row)

    def _join(self, row: RawRow) -> str:
        return "".join([piece if isinstance(piece, str) else format_value(piece.read(row)) for piece in self.pieces])


def compile_template(source: str) -> Template:
    """A template taken apart.

    Raises:
        TemplateProblem: a brace stands alone or a field is no path.

    >>> compile_template("{a.b}: {c[0]}").fill({"a": {"b": "x"}, "c": ["y"]})
    'x: y'
    """
    pieces: list[str | Field] = []
    literal, position = "", 0
    for found in _PIECE.finditer(source):
        literal += source[position : found.start()]
        position = found.end()
        text = found.group()
        if text in ("{{", "}}"):
            literal += text[0]
        elif len(text) == 1:
            raise TemplateProblem(f"a lone {text} in {source!r}; write {text * 2} for the character itself")
        else:
            pieces.extend([literal] if literal else [])
            literal = ""
            pieces.append(_compile_field(found.group(1).strip(), source))
    literal += source[position:]
    pieces.extend([literal] if literal else [])
    only_field = pieces[0] if len(pieces) == 1 and isinstance(pieces[0], Field) else None
    return Template(source, tuple(pieces), only_field)


def _compile_field(path: str, source: str) -> Field:
    if not _PATH.fullmatch(path):
        raise TemplateProblem(f"{{{path}}} in {source!r} is no column or path such as {{column}}, {{a.b}} or {{a[0]}}")
    steps = tuple(int(found[1]) if found[1] else found[2] for found in _STEP.finditer(path))
    return Field(path, steps)
