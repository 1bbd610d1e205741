"""From what another tool's raters answered to judgements of ours.

Every importer of such a tool takes its rows apart into fields and answers; what an answer means is decided here, once:

    verdict   which of two answers is better          compare
    rating    a number about one answer               rate; about a text without answers: a label "question: 4"
    labels    one option about one answer             rate, the option by name; else tag
    ranks     an order of the answers                 rank, of two answers compare
    text      a comment                               the judgement's reason; a correction: edit; without answers: write
    spans     stretches of one answer                 span

What has no place is a `RejectedRow` that names the rater, never left out in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pitchpipe.store.importing.foreign_fields import Answers, read_verdict
from pitchpipe.store.importing.rows import ReadResult, RowProblem, describe
from pitchpipe.store.records import ParsedCandidate, ParsedJudgement, ParsedRow, RejectedRow, TaskKind, Verdict

_CORRECTION = re.compile(r"correct|rewrit|edit|improv|revis", re.IGNORECASE)

Said = tuple[TaskKind, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rater answered to one question."""

    question: str
    kind: Literal["verdict", "rating", "labels", "ranks", "text", "spans"]
    value: Any
    """A `Verdict`, a number, texts, ranks by the answers' names, a text, or spans."""
    about: str | None = None
    """The field that it speaks of, where the file says so."""
    strength: int | None = None


def build_row(
    line: int,
    answers: Answers,
    said: Mapping[str, Sequence[Answer]],
    external_id: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Iterator[ReadResult]:
    """One example with the judgements that its raters' answers amount to, and what of them has no place."""
    judgements: list[ParsedJudgement] = []
    refused: list[RejectedRow] = []
    asks_labels = {
        answer.question for given in said.values() for answer in given if answer.kind in ("labels", "rating")
    }
    for rater, given in said.items():
        reading = _RaterReading(rater, answers, has_several=len(asks_labels) > 1)
        for answer in given:
            try:
                reading.take(answer)
            except RowProblem as problem:
                refused.append(RejectedRow(line, problem.column, f"of {describe(rater)}: {problem.reason}"))
        judgements.extend(reading.judgements())
        if reading.reasons and not reading.values:
            refused.append(
                RejectedRow(line, "", f"of {describe(rater)}: a comment with no judgement that it belongs to")
            )
    rest = {"fields": answers.rest} if answers.rest else {}
    kind = (TaskKind.WRITE, TaskKind.RATE, TaskKind.COMPARE)[min(len(answers.texts), 2)]
    if len(answers.texts) > 2:
        kind = TaskKind.RANK
    elif not answers.texts and not any(judgement.kind is TaskKind.WRITE for judgement in judgements):
        kind = TaskKind.TAG
    candidates = tuple(ParsedCandidate(text) for text in answers.texts)
    metadata = {**rest, **(metadata or {})}
    yield ParsedRow(line, kind, answers.messages, candidates, tuple(judgements), external_id, metadata=metadata)
    yield from refused


class _RaterReading:
    """Collects one rater's judgements of one row."""

    def __init__(self, rater: str, answers: Answers, has_several: bool) -> None:
        self.values: dict[Said, dict[str, Any]] = {}
        self.reasons: list[str] = []
        self._rater = rater
        self._answers = answers
        self._has_several = has_several

    def take(self, answer: Answer) -> None:
        """Takes one answer in; raises `RowProblem` where it has no place."""
        getattr(self, f"_take_{answer.kind}")(answer)

    def judgements(self) -> Iterator[ParsedJudgement]:
        """All that was taken in; the comments go with the first."""
        reason = "\n".join(self.reasons)
        for (kind, places), value in self.values.items():
            yield ParsedJudgement(self._rater, kind, value, places, reason)
            reason = ""

    def _set(self, kind: TaskKind, places: tuple[int, ...], value: dict[str, Any], question: str) -> None:
        if (kind, places) in self.values:
            raise RowProblem(question, f"a second judgement of the kind {kind.value}; the first is kept")
        self.values[kind, places] = value

    def _take_verdict(self, answer: Answer) -> None:
        count = len(self._answers.texts)
        if count != 2:
            raise RowProblem(answer.question, f"a verdict needs two answers and the row has {count}")
        value = {"verdict": Verdict(answer.value).value, "strength": answer.strength}
        self._set(TaskKind.COMPARE, (0, 1), value, answer.question)

    def _take_rating(self, answer: Answer) -> None:
        value = answer.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int):
            raise RowProblem(answer.question, f"a rating should be a whole number but is {describe(value)}")
        place = self._find_place(answer)
        if place is not None:
            self._rate(place, answer.question, value)
        elif self._answers.texts:
            raise RowProblem(answer.question, "a rating that does not say which of the answers it is about")
        else:
            self._tag([f"{answer.question}: {value}"])

    def _take_labels(self, answer: Answer) -> None:
        words = [word for word in answer.value if word.strip()]
        if len(self._answers.texts) == 2 and len(words) == 1:
            verdict = read_verdict(words[0], self._answers.names)
            if verdict is not None:
                self._take_verdict(Answer(answer.question, "verdict", verdict))
                return
        place = self._find_place(answer)
        if place is not None and len(words) == 1:
            self._rate(place, answer.question, words[0])
        elif words:
            self._tag([f"{answer.question}: {word}" if self._has_several else word for word in words])

    def _take_ranks(self, answer: Answer) -> None:
        names = self._answers.names
        missing = [name for name in names if name not in answer.value]
        if missing or len(names) < 2:
            raise RowProblem(answer.question, f"the ranking names {len(names) - len(missing)} of {len(names)} answers")
        places = {rank: place for place, rank in enumerate(sorted({answer.value[name] for name in names}))}
        ranks = [places[answer.value[name]] for name in names]
        if len(ranks) == 2:
            verdict = Verdict.TIE if ranks[0] == ranks[1] else Verdict.A if ranks[0] < ranks[1] else Verdict.B
            self._take_verdict(Answer(answer.question, "verdict", verdict))
        else:
            self._set(TaskKind.RANK, tuple(range(len(ranks))), {"ranks": ranks}, answer.question)

    def _take_text(self, answer: Answer) -> None:
        text = answer.value.strip()
        place = self._find_place(answer)
        if not text:
            return
        if not self._answers.texts:
            self._set(TaskKind.WRITE, (), {"text": answer.value}, answer.question)
        elif place is not None and _CORRECTION.search(answer.question):
            if answer.value != self._answers.texts[place]:
                self._set(TaskKind.EDIT, (place,), {"text": answer.value}, answer.question)
        else:
            self.reasons.append(text)

    def _take_spans(self, answer: Answer) -> None:
        place = self._find_place(answer)
        if place is None:
            raise RowProblem(answer.question, "marks that do not say which of the answers they are in")
        length = len(self._answers.texts[place])
        if not all(0 <= span["start"] < span["end"] <= length for span in answer.value):
            raise RowProblem(answer.question, f"a mark lies outside of the answer's {length} characters")
        given = self.values.setdefault((TaskKind.SPAN, (place,)), {"spans": []})
        given["spans"] = [*given["spans"], *answer.value]

    def _find_place(self, answer: Answer) -> int | None:
        if answer.about in self._answers.names:
            return self._answers.find(answer.about)
        return self._answers.find(answer.question)

    def _rate(self, place: int, question: str, value: int | str) -> None:
        given = self.values.setdefault((TaskKind.RATE, (place,)), {})
        if question in given:
            raise RowProblem(question, "the question is answered twice")
        given[question] = value

    def _tag(self, labels: list[str]) -> None:
        given = self.values.setdefault((TaskKind.TAG, ()), {"labels": []})
        given["labels"] = list(dict.fromkeys([*given["labels"], *labels]))
