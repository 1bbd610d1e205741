"""Reads from the store what rules may know besides the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pitchpipe.store.curation.encoding import load_encoders
from pitchpipe.store.curation.evaluation_sets import read_evaluation_sets
from pitchpipe.store.curation.standing_marks import STANDING_DECISIONS
from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
from pitchpipe.store.rules.rule import Background, Conversation, Encode

_SELECT_KEPT = f"SELECT target_id FROM ({STANDING_DECISIONS}) AS standing WHERE verdict = 'keep'"


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
        kept_ids=frozenset(row[0] for row in store.read(_SELECT_KEPT, [get_project(store, project).id])),
    )
