"""Coverage: a map of what the requests ask for, what is missing, what to label next, and which subset to take."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from typing import Any

import streamlit as st

from pitchpipe.store.coverage.clusters import MOST_CLUSTERS, lay_out
from pitchpipe.store.coverage.covering import Coverage, read_coverage
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.store.team.quality_reading import read_mark
from pitchpipe.studio.app_pages.showing import plain
from pitchpipe.studio.encoders import load_all_encoders

_KEPT, _LAID_OUT = "coverage_kept", "coverage_laid_out"
_VIEWS = {
    "Map": "coverage_map",
    "Gaps": "coverage_gaps",
    "Label next": "coverage_next",
    "Subsets": "coverage_subsets",
}
_FEWEST = 5


def show_view(store: Store, project: Project | None, curator: str) -> None:
    """Shows the part of the view that was asked for."""
    if project is None:
        return
    st.html((files("pitchpipe.studio.app_pages.data") / "coverage.css").read_text(encoding="utf-8"))
    head, by, wanted = st.columns([3, 1, 1], vertical_alignment="bottom")
    encoders = list(load_all_encoders(store))
    encoder = "tfidf"
    if len(encoders) > 1:
        with by:
            encoder = st.selectbox("Alike by", encoders, key="coverage_encoder", format_func=_name_encoder) or "tfidf"
    with wanted:
        count = st.selectbox("Clusters", range(MOST_CLUSTERS + 1), key="coverage_count", format_func=_name_count)
    coverage = _keep_coverage(store, project.name, count or None, encoder)
    with head:
        st.subheader("What the requests ask for", anchor=False)
        st.caption(plain(_describe(coverage)))
    if len(coverage.requests) < _FEWEST:
        st.info(f"A map needs {_FEWEST} requests or more; this project has {len(coverage.requests)} in use.")
        return
    title = st.segmented_control(
        "Part", list(_VIEWS), default="Map", required=True, label_visibility="collapsed", key="coverage_part"
    )
    part = import_module(f"pitchpipe.studio.app_pages.data.{_VIEWS[title]}")
    part.show_part(store, project, curator, coverage)


def keep_layout(coverage: Coverage) -> Any:
    """The rows on the map and their coordinates, kept as long as the clusters are."""
    kept = st.session_state.get(_LAID_OUT)
    if kept is None or kept[0] is not coverage.topics:
        with st.spinner("Laying out the map"):
            kept = (coverage.topics, lay_out(coverage.topics))
        st.session_state[_LAID_OUT] = kept
    return kept[1]


def _keep_coverage(store: Store, project: str, count: int | None, encoder: str) -> Coverage:
    """The coverage, read anew when something changed, clustered anew when the requests did."""
    mark = (read_mark(store, project), count, encoder)
    kept = st.session_state.get(_KEPT)
    if kept is None or kept[0] != mark:
        progress = st.empty()  # emptied, not rerun: a press that comes with this run must not be lost
        with progress.status("Looking at the requests", expanded=True) as status:
            earlier = kept[1] if kept is not None else None
            coverage = read_coverage(
                store, project, encoder=encoder, count=count, earlier=earlier,
                encoders=load_all_encoders(store), tell=lambda words: status.write(words),
            )  # fmt: skip
        progress.empty()
        kept = (mark, coverage)
        st.session_state[_KEPT] = kept
    found: Coverage = kept[1]
    return found


def _describe(coverage: Coverage) -> str:
    requests = coverage.requests
    judged = int((requests["judgements"] > 0).sum())
    kinds = requests["kind"].drop_nulls().n_unique()
    told = f"{len(requests):,} requests in {len(coverage.names)} clusters"
    told += f", of {kinds} kinds" if kinds > 1 else ""
    return f"{told} · {judged:,} judged · {int((requests['answers'] == 0).sum()):,} without an answer"


def _name_encoder(encoder: str) -> str:
    return {"tfidf": "words (TF-IDF)", "minilm": "meaning (MiniLM)"}.get(encoder, encoder)


def _name_count(count: int) -> str:
    return f"{count}" if count else "as many as fit"
