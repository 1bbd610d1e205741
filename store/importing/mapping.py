"""Mapping files: a TOML description of any table or JSON file, for data that has no format of its own.

    kind = "compare"                      # or rate, write, tag
    prompt = "{instruction}\\n\\n{input}"
    answer_a = "{response1}"
    answer_b = "{response2}"
    [[judgements]]
    rater = "annotator1"
    value = "{annotator1}"
    values = { "1" = "a", "2" = "b", "0" = "tie" }

Strings in braces are filled from the row. Everything about the file itself is checked when it is loaded; rows are then
read by `Mapping.parse`, which raises `RowProblem` for a row that does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pitchpipe.store.errors import ImportFileError
from pitchpipe.store.importing.judgement_rules import (
    JudgementRule,
    read_compare_judgements,
    read_rate_judgements,
    read_tag_judgements,
)
from pitchpipe.store.importing.rows import (
    RawRow,
    RowProblem,
    check_conversation,
    describe,
    list_columns,
    read_turns,
    require_answer,
    split_last_answer,
    start_conversation,
)
from pitchpipe.store.importing.templates import Field, Template
from pitchpipe.store.records import (
    Message,
    ParsedCandidate,
    ParsedJudgement,
    ParsedRow,
    Split,
    TaskKind,
)

_SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "holdout": Split.HOLDOUT,
    "test": Split.HOLDOUT,
    "validation": Split.HOLDOUT,
    "valid": Split.HOLDOUT,
    "dev": Split.HOLDOUT,
    "eval": Split.HOLDOUT,
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping file, checked and taken apart."""

    name: str
    """The file's name, for messages."""
    kind: TaskKind
    templates: dict[str, Template]
    rules: tuple[JudgementRule, ...]
    columns: tuple[str, ...] | None
    """Names of the cells of a table without a header."""

    def parse(self, line: int, row: RawRow) -> tuple[ParsedRow]:
        """The example that a raw row describes; raises `RowProblem` where it does not fit."""
        messages, answer = self._read_conversation(row)
        candidates = self._read_candidates(row, answer)
        return (
            ParsedRow(
                line,
                self.kind,
                messages,
                candidates,
                self._read_judgements(row),
                self._fill_name(row, "id"),
                self._fill_name(row, "tree"),
                self._read_split(row),
                self._fill_name(row, "category"),
            ),
        )

    def check_columns(self, rows: Sequence[RawRow], file_name: str) -> None:
        """Passes if every field can be read from at least one of the first rows.

        Raises:
            ImportFileError: a field names a column that none of them has, so every row would be refused.
        """
        for field in self._list_fields():
            if rows and not any(_has_field(row, field) for row in rows):
                raise ImportFileError(
                    f"{self.name} names the column {field.path!r}, which none of the first {len(rows)} rows of "
                    f"{file_name} has.",
                    f"The file has {list_columns(dict.fromkeys(name for row in rows for name in row))}; "
                    "correct the mapping file.",
                )

    def _list_fields(self) -> list[Field]:
        templates = list(self.templates.values())
        for rule in self.rules:
            parts = (rule.rater, rule.value, rule.question, rule.strength, rule.reason)
            templates.extend(part for part in parts if part is not None)
        return [field for template in templates for field in template.fields]

    def _fill_name(self, row: RawRow, key: str) -> str | None:
        template = self.templates.get(key)
        return (template.fill(row) or None) if template is not None else None

    def _read_conversation(self, row: RawRow) -> tuple[tuple[Message, ...], str | None]:
        """The turns before the answer, and the answer where `messages` of a write mapping ends with one."""
        system = self._fill_name(row, "system") or ""
        if "messages" not in self.templates:
            key = "text" if "text" in self.templates else "prompt"
            return start_conversation(self.templates[key].fill(row), system, self.templates[key].name), None
        template = self.templates["messages"]
        turns = read_turns(template.read(row), template.name)
        if system and turns[0].role != "system":
            turns = (Message("system", system), *turns)
        if self.kind is TaskKind.WRITE and "answer" not in self.templates:
            messages, answer, _ = split_last_answer(turns, template.name)
            return messages, answer
        return check_conversation(turns, template.name), None

    def _read_candidates(self, row: RawRow, answer: str | None) -> tuple[ParsedCandidate, ...]:
        if self.kind is TaskKind.COMPARE:
            return (self._read_candidate(row, "answer_a", "model_a"), self._read_candidate(row, "answer_b", "model_b"))
        if self.kind is TaskKind.RATE:
            return (self._read_candidate(row, "answer", "model"),)
        if self.kind is TaskKind.WRITE and "answer" in self.templates:
            answer = require_answer(self.templates["answer"].fill_exactly(row), self.templates["answer"].name)
        if answer is None:
            return ()
        return (ParsedCandidate(answer, self._fill_name(row, "model"), is_demonstration=True),)

    def _read_candidate(self, row: RawRow, answer: str, model: str) -> ParsedCandidate:
        return ParsedCandidate(self.templates[answer].fill_exactly(row), self._fill_name(row, model))

    def _read_judgements(self, row: RawRow) -> tuple[ParsedJudgement, ...]:
        if not self.rules:
            return ()
        if self.kind is TaskKind.COMPARE:
            return read_compare_judgements(self.rules, row)
        if self.kind is TaskKind.RATE:
            return read_rate_judgements(self.rules, row)
        return read_tag_judgements(self.rules, row)

    def _read_split(self, row: RawRow) -> Split | None:
        name = self._fill_name(row, "split")
        if name is None:
            return None
        split = _SPLITS.get(name.lower())
        if split is None:
            known = ", ".join(_SPLITS)
            raise RowProblem(self.templates["split"].name, f"the split {describe(name)} is none of {known}")
        return split


def find_split(name: str) -> Split | None:
    """The side that a split's name means, also where more follows it; None for a name that means none.

    >>> find_split("test_prefs"), find_split("core")
    (<Split.HOLDOUT: 'holdout'>, None)
    """
    return _SPLITS.get(name.lower()) or _SPLITS.get(re.split(r"[-_.]", name.lower())[0])


def _has_field(row: RawRow, field: Field) -> bool:
    try:
        field.read(row)
    except RowProblem:
        return False
    return True
