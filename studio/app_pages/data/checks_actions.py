"""What a curator can do with hits of the Checks view at once: drop them now, or keep them whatever rules say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from pitchpipe.store import curating
from pitchpipe.store.checking import RuleCount
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError, UsageError
from pitchpipe.store.rules.rule import Hit
from pitchpipe.studio.app_pages.showing import show_problem

_LAST = "checks_last_action"


def show_actions(store: Store, project: str, curator: str, hits: Sequence[Hit], count: RuleCount) -> None:
    """Buttons for the rows that are chosen in the table, and the undo of the last press."""
    with st.container(horizontal=True, vertical_alignment="center"):
        many = f"{len(hits):,} chosen" if hits else "the chosen rows"
        for kind, label in (("keep", f"Keep {many} anyway"), ("drop", f"Drop {many} now")):
            if st.button(label, disabled=not hits, key=f"checks_{kind}_{count.rule}"):
                _act(store, project, curator, kind, list_targets(hits), count)
        last = st.session_state.get(_LAST)
        if last is not None:
            st.caption(last[1])
            if st.button("Undo", key="checks_undo"):
                with suppress(UsageError):  # another curator undid it already
                    curating.undo_action(store, last[0], curator, is_undo=True)
                del st.session_state[_LAST]
                st.rerun()
        elif not hits:
            st.caption("Choose rows at the left edge of the table to decide on them one by one.")


def list_targets(hits: Sequence[Hit]) -> list[str]:
    """What to decide on: the answer where a hit is about one answer, else both of a pair's or the example."""
    targets: dict[str, None] = {}
    for hit in hits:
        row = hit.row
        answers = [row[name] for name in ("candidate_id", "candidate_a", "candidate_b") if row[name]]
        side = str(hit.evidence.get("field") or "").removeprefix("answer_")
        one = row.get(f"candidate_{side}") if side in ("a", "b") else None
        targets.update(dict.fromkeys([one] if one else answers or [row["example_id"]]))
    return list(targets)


def _act(store: Store, project: str, curator: str, kind: str, targets: list[str], count: RuleCount) -> None:
    try:
        note = f"Checks: {count.title}"
        action = curating.act_on(store, project, kind, targets, note=note, actor=curator, rule=count.rule)
    except PitchpipeError as error:
        show_problem(error.happened, error.advice)
        return
    done = "kept" if kind == "keep" else "dropped"
    st.session_state[_LAST] = (action, f"{len(targets):,} answers {done}; check again to see the effect.")
    st.rerun()
