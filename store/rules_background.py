"""Reads from the store what rules may know besides the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pitchpipe.store.database import Store
from pitchpipe.store.evaluation_sets import read_evaluation_sets
from pitchpipe.store.rules.rule import Background, Conversation, Encode


def read_background(
    store: Store,
    project: str,
    count_tokens: Callable[[Sequence[Conversation]], list[int]] | None = None,
    encoders: Mapping[str, Encode] | None = None,
) -> Background:
    """The evaluation sets of a project, with what the caller brings: a model's tokens, encoders of texts.

    Raises:
        NotFoundError: there is no such project.
    """
    sets = read_evaluation_sets(store, project)
    return Background(evaluation_sets=sets, count_tokens=count_tokens, encoders=encoders or {})
