"""Reads from the store what rules may know besides the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pitchpipe.store.database import Store
from pitchpipe.store.projects import get_project
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
    sets: dict[str, list[tuple[str, str]]] = {}
    rows = store.read(
        "SELECT set_name, item_id, text FROM evaluation_items WHERE project_id = ? ORDER BY set_name, item_id",
        [get_project(store, project).id],
    )
    for name, item, text in rows:
        sets.setdefault(name, []).append((item, text))
    return Background(evaluation_sets=sets, count_tokens=count_tokens, encoders=encoders or {})
