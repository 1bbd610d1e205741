"""The words of the domain as frozen records. No behaviour, no database: every package may import this module.

Values of judgements, by kind (always in the order of the task's own candidates, never of the screen):

    rate     {"helpfulness": 3, "tone": "warm"}                one answer a rubric question: a whole number on a scale
                                                               (yes/no is 1/0), an option's name, or words
    compare  {"verdict": "a", "strength": -2}                  strength -3..3, negative for a, None if not asked
    rank     {"ranks": [0, 2, 1]}                              one rank a candidate, 0 is best, equal ranks are ties
    edit     {"text": "the corrected answer"}
    write    {"text": "an answer of one's own"}                and "instruction" where that is written too
    tag      {"labels": ["refund"]}
    span     {"spans": [{"start": 4, "end": 9, "label": "false"}]}   characters of the answer, end exclusive; or []
    turns    {"turns": {"1": {"helpfulness": 3}}}              by place in the conversation, the answer being the last
    screen   {"compare": {...}, "rate": [{...}, {...}], "edit": {"answer": 0, "text": "..."}, "tag": {...}}
                                                               the parts that were answered; "rate" has one entry a
                                                               candidate (an empty one is not rated)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskKind(StrEnum):
    """What a task asks of a person. The strings are stored."""

    RATE = "rate"
    """Judge one answer on the questions of a rubric."""
    COMPARE = "compare"
    """Say which of two answers is better, and by how much."""
    RANK = "rank"
    """Put three or more answers in order."""
    EDIT = "edit"
    """Correct one answer."""
    WRITE = "write"
    """Write the answer."""
    TAG = "tag"
    """Label the text."""
    SPAN = "span"
    """Mark stretches of one answer, each with a kind of error."""
    TURNS = "turns"
    """Rate any turn of the assistant in a conversation, the answer included."""
    SCREEN = "screen"
    """Several of these at once, as a file in `prompts/screens/` says."""


class Verdict(StrEnum):
    """The outcome of a comparison, in the order of the task's candidates."""

    A = "a"
    B = "b"
    TIE = "tie"
    BOTH_BAD = "both_bad"
    CANNOT_JUDGE = "cannot_judge"


class Split(StrEnum):
    """The side of the seal. A group never changes sides."""

    TRAIN = "train"
    HOLDOUT = "holdout"


class JudgementStatus(StrEnum):
    """What a judgement row says. The latest row of an annotator on a task is the one that counts."""

    SUBMITTED = "submitted"
    SKIPPED = "skipped"
    """Declined with a reason; the annotator is not served the task again unless it is undone."""
    RETRACTED = "retracted"
    """Takes back the row that it supersedes."""


class SubmitOutcome(StrEnum):
    """The answer to a submit."""

    RECORDED = "recorded"
    REPEATED = "repeated"
    """This judgement id is in the store already; nothing was added and that is success."""
    STALE = "stale"
    """The lease is gone or belongs to another tab; nothing was recorded, the text is handed back."""
    TOO_FAST = "too_fast"
    """Sooner after the task appeared than a person can read; nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `role` is `system`, `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ParsedCandidate:
    """An answer that came with a file."""

    text: str
    model: str | None = None
    """Who wrote it: a model's name, or None where unknown or a person."""
    is_demonstration: bool = False
    """The file offers it as an answer to imitate (instruction data), not as one to be judged."""


@dataclass(frozen=True, slots=True)
class ParsedJudgement:
    """A judgement that came with a file."""

    rater: str
    kind: TaskKind
    value: dict[str, Any]
    candidates: tuple[int, ...]
    """Positions in `ParsedRow.candidates` that it speaks of; the task is (kind, those candidates)."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One example read from a file, with whatever came with it."""

    line: int
    """1-based line (JSONL, CSV) or row (JSON, Parquet) in the file."""
    kind: TaskKind
    messages: tuple[Message, ...]
    """The conversation up to the answer wanted; its last turn is the user's."""
    candidates: tuple[ParsedCandidate, ...] = ()
    judgements: tuple[ParsedJudgement, ...] = ()
    external_id: str | None = None
    """The file's own name for the example; rows of any file with the same id speak of the same example."""
    tree: str | None = None
    """The conversation tree it belongs to, where there is one."""
    split: Split | None = None
    """The side that the file declares; None leaves it to the salted hash of the group."""
    category: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not be read: where, and why in words a curator can act on."""

    line: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class QueueRules:
    """How a project hands out its work, beyond its overlap. The defaults hand out everything to everybody."""

    most_raters: int = 0
    """Adaptive overlap: a task whose raters disagree gets one more, up to so many. 0 is off."""
    widest_spread: int = 2
    """The largest difference between two ratings, or two strengths of preference, that counts as agreement
    (HelpSteer2: two more raters where helpfulness differs by more than 2)."""
    gold_every: int = 0
    """One gold task after so many ordinary ones. 0 is off."""
    gold_least_accuracy: float = 0.0
    """An annotator below this share of right gold answers, of at least five, is paused. 0 is off."""
    gold_feedback: bool = False
    """Whether an annotator is told after a gold task whether they found the known answer, and why it is that."""
    calibration_tasks: int = 0
    """So many gold tasks come first, before any real work. 0 is off."""
    repeat_every: int = 0
    """One repeat of an annotator's own earlier task after so many ordinary ones; every second one with its sides
    swapped. 0 is off."""
    suggestions: bool = False
    """Whether a model's suggestion is shown."""
    break_after_minutes: int = 50
    """A break is proposed after so many minutes of work. 0 is off."""


@dataclass(frozen=True, slots=True)
class Project:
    """A body of work with one guideline, one seal and one queue."""

    id: str
    name: str
    overlap: int
    """How many annotators judge each task, 1 or more."""
    holdout_share: float
    """Share of groups that the salted hash seals, 0 to 0.5."""
    salt: str
    lease_seconds: int
    minimum_dwell_ms: int
    """A submit sooner than this after the task appeared is refused, 0 to 5000."""
    rate_rubric: str
    compare_rubric: str
    guideline: str
    """Names of files in `prompts/`."""
    created_at: datetime
    rules: QueueRules


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as an annotator sees it: no model, no origin."""

    candidate_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task leased to one annotator. `answers` are in the order to be shown, randomised and recorded."""

    task_id: str
    kind: TaskKind
    token: str
    """Fencing token of the lease; a submit must carry it."""
    messages: tuple[Message, ...]
    answers: tuple[ShownAnswer, ...]
    draft: dict[str, Any] | None
    """What the annotator had typed or picked, in screen terms, or None."""
    leased_until: datetime
    is_reopened: bool = False
    """True when an undo, or the annotator's history, brought it back."""
    rubric: str | None = None
    """The name of the rubric or screen that it is judged by; None takes the project's for its kind."""
    suggestion: dict[str, Any] | None = None
    """`{"value": ..., "score": 0.91}` in screen terms, where the project shows suggestions; never what made it."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What an undo or a redo did."""

    action: str
    """`submit`, `skip`, `flag` or `comment`."""
    task: ClaimedTask | None
    """The task that it was about, leased to the annotator again; None where it was done again (a redo), or where
    others have filled its slots since."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One task in an annotator's own history, as its latest judgement left it."""

    task_id: str
    kind: TaskKind
    status: JudgementStatus
    created_at: datetime
    request: str
    """The last turn of the user, at most 300 characters."""
    value: dict[str, Any]
    """In screen terms, as the annotator entered it."""
    reason: str
    seconds: float | None
    has_open_flag: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How an annotator stands in a project."""

    paused_reason: str | None = None
    """Why no tasks are handed out to them; None while they are."""
    calibration_left: int = 0
    """Known answers that still come before real work."""
    gold_right: int = 0
    gold_judged: int = 0
    seen_guideline: str | None = None
    """The text of the guideline that they saw last; None before the first visit."""


@dataclass(frozen=True, slots=True)
class GoldFeedback:
    """Of a task whose answer was known. Its annotator is told whether they found it and the explanation, where the
    project says so."""

    is_right: bool
    value: dict[str, Any]
    """The known answer in screen terms."""
    explanation: str


@dataclass(frozen=True, slots=True)
class Progress:
    """One annotator's standing in a project."""

    done: int
    """Tasks with a current judgement of this annotator."""
    available: int
    """Tasks that this annotator could still be served now."""
    skipped: int


@dataclass(frozen=True, slots=True)
class LoopCounts:
    """The numbers on the picture of the loop."""

    examples: int
    holdout: int
    candidates: int
    tasks: int
    open_tasks: int
    judgements: int
    judgements_today: int
    annotators: int
    snapshots: int
    latest_snapshot: str | None
    runs: int
    review_tasks: int
    """Open tasks that compare a tuned model's answers with another's."""
