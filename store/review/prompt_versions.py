"""The texts behind the hashes of rubrics, screens and guidelines: what changed, and who judged by the old wording."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any

from pitchpipe.store.database import Store, utc_now
from pitchpipe.store.projects import get_project
from pitchpipe.store.review.dispute_reading import read_request

_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+|#{1,6}\s")
_LEAST_LIKENESS = 0.4
"""Two clauses that share less than this of their words are a removal and an addition, not a change."""

_OUTDATED = """
SELECT j.id, j.task_id, j.annotator, j.kind, j.value, j.reason, j.guideline_hash, j.created_at, e.messages,
       (SELECT count(*) FROM asked_again AS a WHERE a.judgement_id = j.id) > 0 AS is_asked
FROM (
    SELECT * FROM judgements WHERE project_id = $project AND source <> 'adjudication'
    QUALIFY row_number() OVER (PARTITION BY task_id, annotator ORDER BY entry DESC) = 1
) AS j JOIN examples AS e ON e.id = j.example_id
WHERE j.status = 'submitted' AND j.guideline_hash IS NOT NULL AND j.guideline_hash <> $current
ORDER BY j.entry
"""


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One text of a prompt file."""

    hash: str
    shelf: str
    """`rubrics`, `screens`, `guidelines` or `templates`."""
    name: str
    text: str
    seen_at: datetime
    """When it was on a screen first."""


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """A clause that is not as it was."""

    kind: str
    """`added`, `removed` or `changed`."""
    before: str
    """Empty for one that was added."""
    after: str
    """Empty for one that was removed."""


@dataclass(frozen=True, slots=True)
class OutdatedJudgement:
    """A current judgement that was made under another guideline."""

    judgement_id: str
    task_id: str
    annotator: str
    kind: str
    value: dict[str, Any]
    """In stored terms."""
    reason: str
    guideline_hash: str
    created_at: datetime
    request: str
    is_asked: bool
    """It is being asked again already."""


def note_version(store: Store, shelf: str, name: str, text: str, hash: str) -> bool:
    """Keeps the text behind a hash when it is on a screen for the first time; True then. Cheap when it is known.

    Call it wherever a prompt is shown to somebody who judges by it.
    """
    if store.read("SELECT 1 FROM prompt_versions WHERE hash = ?", [hash]):
        return False
    row = [hash, shelf, name, text, utc_now()]
    insert = (
        "INSERT INTO prompt_versions (hash, shelf, name, text, seen_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )
    return bool(store.write(lambda t: t.run(insert, row))[0][0])


def list_versions(store: Store, shelf: str, name: str) -> list[PromptVersion]:
    """The texts that a prompt has had, the one seen first first."""
    rows = store.read(
        "SELECT hash, shelf, name, text, seen_at FROM prompt_versions WHERE shelf = ? AND name = ? "
        "ORDER BY seen_at, hash",
        [shelf, name],
    )
    return [PromptVersion(*row) for row in rows]


def split_clauses(text: str) -> list[str]:
    """The clauses of a Markdown text: its headings, list items and paragraphs, each on one line.

    >>> split_clauses("# Title\\n\\nBe kind\\nand brief.\\n\\n- One\\n  more.\\n- Two.")
    ['# Title', 'Be kind and brief.', '- One more.', '- Two.']
    """
    clauses: list[list[str]] = []
    is_open = False
    for line in text.splitlines():
        if not line.strip():
            is_open = False
        elif is_open and not _ITEM.match(line):
            clauses[-1].append(line)
        else:
            clauses.append([line])
            is_open = not line.startswith("#")
    return [" ".join(" ".join(lines).split()) for lines in clauses]


def compare_clauses(old_text: str, new_text: str) -> list[ClauseChange]:
    """What changed between two texts, clause by clause, in the order of the new one. New line breaks are no change.

    >>> compare_clauses("- Be kind.\\n- Be brief.", "- Be brief.\\n- Name the next step.")
    [ClauseChange(kind='removed', before='- Be kind.', after=''), \
ClauseChange(kind='added', before='', after='- Name the next step.')]
    """
    old, new = split_clauses(old_text), split_clauses(new_text)
    changes: list[ClauseChange] = []
    for action, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if action != "equal":
            changes += _pair_clauses(old[start:end], new[new_start:new_end])
    return changes


def list_outdated(
    store: Store,
    project: str,
    current_hash: str,
    *,
    words: str = "",
    kind: str | None = None,
    verdict: str | None = None,
    guideline_hash: str | None = None,
) -> list[OutdatedJudgement]:
    """The current judgements made in the studio under another guideline than the current one, oldest first.

    Imported judgements say nothing of a guideline and are left out.

    Args:
        words: all of them must be in the request, the reason or the value.
        kind: of task.
        verdict: of comparisons, in stored terms.
        guideline_hash: only those made under this guideline.
    """
    rows = store.read(_OUTDATED, {"project": get_project(store, project).id, "current": current_hash})
    found = [
        OutdatedJudgement(
            id, task, rater, of_kind, json.loads(value), reason, hash, at, read_request(messages), is_asked
        )
        for id, task, rater, of_kind, value, reason, hash, at, messages, is_asked in rows
    ]
    wanted = words.casefold().split()
    return [
        judgement
        for judgement in found
        if (kind is None or judgement.kind == kind)
        and (guideline_hash is None or judgement.guideline_hash == guideline_hash)
        and (verdict is None or judgement.value.get("compare", judgement.value).get("verdict") == verdict)
        and all(word in _text_of(judgement) for word in wanted)
    ]


def _text_of(judgement: OutdatedJudgement) -> str:
    return f"{judgement.request} {judgement.reason} {json.dumps(judgement.value, ensure_ascii=False)}".casefold()


def _pair_clauses(old: Sequence[str], new: Sequence[str]) -> list[ClauseChange]:
    """Each new clause with the old one that it is most like; the rest was removed or added."""
    left = list(old)
    changes: list[ClauseChange] = []
    for clause in new:
        best = max(left, key=lambda other: _measure_likeness(other, clause), default=None)
        if best is not None and _measure_likeness(best, clause) >= _LEAST_LIKENESS:
            left.remove(best)
            changes.append(ClauseChange("changed", best, clause))
        else:
            changes.append(ClauseChange("added", "", clause))
    return [ClauseChange("removed", clause, "") for clause in left] + changes


def _measure_likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold().split(), other.casefold().split(), autojunk=False).ratio()
