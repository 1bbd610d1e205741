"""The `[[judgements]]` tables of a mapping file: who judged a row, and what they said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pitchpipe.store.importing.rows import RawRow, RowProblem, describe, format_value
from pitchpipe.store.importing.templates import Template
from pitchpipe.store.records import ParsedJudgement, TaskKind, Verdict

_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.0+)?")
_STRENGTHS = range(-3, 4)


@dataclass(frozen=True, slots=True)
class JudgementRule:
    """One table: a rater, where the value stands, and how it is translated."""

    rater: Template
    value: Template
    values: Mapping[str, Any] | None
    """Words of the file to values of ours; None takes the file's words as they are."""
    skipped: frozenset[str]
    """Texts that mean that the rater did not judge; the empty text (and null) is always one."""
    question: Template | None = None
    strength: Template | None = None
    reason: Template | None = None

    def read_raw(self, row: RawRow) -> Any:
        """The value in the file, None where this rater did not judge the row."""
        raw = self.value.read(row)
        return None if format_value(raw).strip() in self.skipped else raw

    def translate(self, raw: Any) -> Any:
        """A word of the file as a value of ours.

        Raises:
            RowProblem: `values` does not know the word.
        """
        word = format_value(raw).strip()
        if self.values is None:
            return word
        if word not in self.values:
            known = ", ".join(map(describe, list(self.values)[:20]))
            raise RowProblem(self.value.name, f"the value {describe(word)} is not in values, which has {known}")
        return self.values[word]

    def read_rater(self, row: RawRow) -> str:
        """The rater's name, which must not be blank."""
        name = self.rater.fill(row)
        if not name:
            raise RowProblem(self.rater.name, "the rater's name is empty")
        return name

    def read_reason(self, row: RawRow) -> str:
        """What the rater wrote, "" where the table has no reason."""
        return self.reason.fill(row) if self.reason is not None else ""


def read_rate_value(rule: JudgementRule, raw: Any) -> int:
    """A rating as a whole number.

    Raises:
        RowProblem: it is none.
    """
    value = rule.translate(raw)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _WHOLE_NUMBER.fullmatch(value):
        raise RowProblem(rule.value.name, f"a rating should be a whole number but is {describe(value)}")
    return int(value.partition(".")[0])


def read_rate_judgements(rules: Sequence[JudgementRule], row: RawRow) -> tuple[ParsedJudgement, ...]:
    """One judgement a rater, with all the questions that the rater answered on this row."""
    answers: dict[str, dict[str, Any]] = {}
    reasons: dict[str, list[str]] = {}
    for rule in rules:
        raw = rule.read_raw(row)
        if raw is None:
            continue
        rater = rule.read_rater(row)
        question = rule.question.fill(row) if rule.question is not None else "helpfulness"
        given = answers.setdefault(rater, {})
        if not question or question in given:
            fault = "is empty" if not question else f"{question!r} is answered twice by {describe(rater)}"
            raise RowProblem("question", f"the question {fault}")
        given[question] = read_rate_value(rule, raw)
        reason = rule.read_reason(row)
        if reason and reason not in reasons.setdefault(rater, []):
            reasons[rater].append(reason)
    return tuple(
        ParsedJudgement(rater, TaskKind.RATE, value, (0,), "\n".join(reasons.get(rater, ())))
        for rater, value in answers.items()
    )


def read_compare_judgements(rules: Sequence[JudgementRule], row: RawRow) -> tuple[ParsedJudgement, ...]:
    """One verdict a rater, with the strength where the table names one."""
    return _read_one_each(rules, row, TaskKind.COMPARE, (0, 1), _read_compare_value)


def read_tag_judgements(rules: Sequence[JudgementRule], row: RawRow) -> tuple[ParsedJudgement, ...]:
    """One set of labels a rater; a list in the file gives several labels."""
    return _read_one_each(rules, row, TaskKind.TAG, (), _read_tag_value)


def _read_one_each(
    rules: Sequence[JudgementRule],
    row: RawRow,
    kind: TaskKind,
    candidates: tuple[int, ...],
    read_value: Callable[[JudgementRule, Any, RawRow], dict[str, Any]],
) -> tuple[ParsedJudgement, ...]:
    judgements: list[ParsedJudgement] = []
    for rule in rules:
        raw = rule.read_raw(row)
        if raw is None:
            continue
        rater = rule.read_rater(row)
        if any(judgement.rater == rater for judgement in judgements):
            raise RowProblem(rule.rater.name, f"the rater {describe(rater)} judges this row twice")
        value = read_value(rule, raw, row)
        judgements.append(ParsedJudgement(rater, kind, value, candidates, rule.read_reason(row)))
    return tuple(judgements)


def _read_compare_value(rule: JudgementRule, raw: Any, row: RawRow) -> dict[str, Any]:
    verdict = rule.translate(raw)
    if verdict not in _VERDICTS:
        known = ", ".join(_VERDICTS)
        advice = "translate the file's words with values = { … } in the mapping"
        raise RowProblem(rule.value.name, f"the verdict {describe(verdict)} is none of {known}; {advice}")
    return {"verdict": verdict, "strength": _read_strength(rule, row)}


_VERDICTS = tuple(verdict.value for verdict in Verdict)


def _read_strength(rule: JudgementRule, row: RawRow) -> int | None:
    text = rule.strength.fill(row) if rule.strength is not None else ""
    if rule.strength is None or text in rule.skipped:
        return None
    number = int(text.partition(".")[0]) if _WHOLE_NUMBER.fullmatch(text) else None
    if number not in _STRENGTHS:
        raise RowProblem(rule.strength.name, f"a strength should be -3 to 3 but is {describe(text)}")
    return number


def _read_tag_value(rule: JudgementRule, raw: Any, _row: RawRow) -> dict[str, Any]:
    words = raw if isinstance(raw, list) else [raw]
    labels = [format_value(rule.translate(word)) for word in words]
    if not all(labels):
        raise RowProblem(rule.value.name, "a label is empty")
    return {"labels": list(dict.fromkeys(labels))}
