"""Reads from the store what rules may know besides the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pitchpipe.store.curation.encoding import load_encoders
from pitchpipe.store.curation.evaluation_sets import read_evaluation_sets
from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.rule import Background, Conversation, Encode

_KEPT = """
SELECT target_id, verdict FROM (
    SELECT d.target_id, d.verdict, row_number() OVER (PARTITION BY d.target_id ORDER BY d.id DESC) AS age
    FROM decisions AS d LEFT JOIN actions AS a ON a.id = d.action_id
    WHERE d.project_id = ? AND a.undone_at IS NULL
) AS latest WHERE age = 1 AND verdict = 'keep'
"""


def read_background(
    store: Store,
    project: str,
    count_tokens: Callable[[Sequence[Conversation]], list[int]] | None = None,
    encoders: Mapping[str, Encode] | None = None,
) -> Background:
    """The evaluation sets of a project and what curators keep, with what the caller brings: a model's tokens, encoders.

    Args:
        encoders: by name; None loads those that need nothing else.

    Raises:
        NotFoundError: there is no such project.
    """
    sets = read_evaluation_sets(store, project)
    return Background(
        evaluation_sets=sets,
        count_tokens=count_tokens,
        encoders=load_encoders(store.workspace) if encoders is None else encoders,
        kept_ids=frozenset(row[0] for row in store.read(_KEPT, [get_project(store, project).id])),
    )
