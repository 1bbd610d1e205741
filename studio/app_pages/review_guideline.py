"""A changed guideline, clause by clause: what is new, who judged by the old wording, and asking them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
import streamlit as st

from pitchpipe.prompts.library import Guideline
from pitchpipe.store.database import Store
from pitchpipe.store.records import Project
from pitchpipe.store.review.asking_again import ask_again
from pitchpipe.store.review.prompt_versions import (
    ClauseChange,
    OutdatedJudgement,
    PromptVersion,
    compare_clauses,
    list_outdated,
    list_versions,
)
from pitchpipe.studio.app_pages.review_words import KIND_WORDS, say_value
from pitchpipe.studio.app_pages.showing import shorten_hash, show_constant

_CHANGE_WORDS = {"added": "New", "removed": "Gone", "changed": "Reworded"}
_VERDICT_WORDS = {"a": "A", "b": "B", "tie": "about the same", "both_bad": "both bad", "cannot_judge": "can't judge"}


def show_changed_guideline(store: Store, project: Project, guideline: Guideline, curator: str) -> None:
    """Shows what changed against an earlier wording beside the judgements that stand under it."""
    outdated = list_outdated(store, project.name, guideline.hash)
    versions = {version.hash: version for version in list_versions(store, "guidelines", guideline.name)}
    counts = Counter(judgement.guideline_hash for judgement in outdated)
    earlier = [hash for hash in versions if hash != guideline.hash] + [hash for hash in counts if hash not in versions]
    if not earlier:
        with st.container(key="card_same"):
            show_constant('<div class="pp-side">The guideline has not changed</div>')
            st.text("Every judgement with a guideline was made under the wording that is shown today.")
        return
    show_constant('<div class="rv-title">Changed guideline</div>')
    chosen = st.selectbox(
        "Earlier wording", earlier, index=max(range(len(earlier)), key=lambda place: counts[earlier[place]]),
        format_func=lambda hash: _name_version(hash, versions, counts[hash]),
    )  # fmt: skip
    left, right = st.columns([1, 1.5], gap="medium")
    changes = compare_clauses(versions[chosen].text, guideline.text) if chosen in versions else None
    with left, st.container(key="card_clauses"):
        _show_clauses(changes, guideline)
    with right, st.container(key="card_outdated"):
        _show_outdated(store, project, guideline, curator, chosen, changes or [])


def _name_version(hash: str, versions: dict[str, PromptVersion], count: int) -> str:
    since = f"first shown {versions[hash].seen_at:%d %b %Y}" if hash in versions else "its text was not kept"
    return f"{shorten_hash(hash)} · {since} · {count} {'judgement' if count == 1 else 'judgements'}"


def _show_clauses(changes: list[ClauseChange] | None, guideline: Guideline) -> None:
    show_constant(
        '<div class="pp-side">What changed</div>'
        '<div class="pp-version">Guideline {name} · now <code>{hash}</code></div>',
        name=guideline.name,
        hash=shorten_hash(guideline.hash),
    )
    if changes is None:
        st.text("The earlier text was not kept, so its clauses cannot be compared.")
        return
    if not changes:
        st.text("Only line breaks changed; every clause reads as before.")
    with st.container(key="clauses", gap="small"):
        for place, change in enumerate(changes):
            show_constant('<div class="pp-who">{word}</div>', word=_CHANGE_WORDS[change.kind])
            for side, text in (("before", change.before), ("after", change.after)):
                if text:
                    with st.container(key=f"clause_{side}_{place}"):
                        st.text(_strip_markup(text))


def _show_outdated(
    store: Store, project: Project, guideline: Guideline, curator: str, chosen: str, changes: Sequence[ClauseChange]
) -> None:
    found = _narrow(store, project, guideline, chosen)
    people = len({judgement.annotator for judgement in found})
    show_constant(
        '<div class="pp-side">{count} judgements of {people} annotators stand under the old wording</div>',
        count=len(found), people=people,
    )  # fmt: skip
    if not found:
        return
    table = pl.DataFrame([_describe(judgement) for judgement in found])
    picked = st.dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="multi-row", height=min(420, 40 + 35 * len(found)),
        key=f"outdated_{chosen}",
        column_config={name: st.column_config.TextColumn(width="medium") for name in ("Request", "Reason")},
    )  # fmt: skip
    waiting = [judgement for judgement in found if not judgement.is_asked]
    rows = [found[row] for row in picked.selection.rows if row < len(found)]
    wanted = [judgement for judgement in rows if not judgement.is_asked] if rows else waiting
    words = st.text_input("What to tell them", _suggest_words(changes), max_chars=400, key=f"ask_words_{chosen}")
    label = f"Ask {'the selected' if rows else 'all'} {len(wanted)} again"
    if st.button(label, type="primary", disabled=not wanted, key="ask_again"):
        done = ask_again(store, project.name, [judgement.judgement_id for judgement in wanted], curator, words)
        st.toast(f"{done['asked']} judgements will be asked again when their annotators come back.")
        st.rerun()
    st.caption(
        "Each annotator gets the same task back, with what they entered; the new judgement replaces the old one."
    )


def _narrow(store: Store, project: Project, guideline: Guideline, chosen: str) -> list[OutdatedJudgement]:
    words_box, kind_box, verdict_box = st.columns([2, 1, 1])
    words = words_box.text_input(
        "Words", placeholder="words in request, reason or answer", label_visibility="collapsed"
    )
    kind = kind_box.selectbox(
        "Kind", list(KIND_WORDS), index=None, placeholder="all kinds", format_func=lambda name: KIND_WORDS[name],
        label_visibility="collapsed",
    )  # fmt: skip
    verdict = verdict_box.selectbox(
        "Verdict", list(_VERDICT_WORDS), index=None, placeholder="all verdicts",
        format_func=lambda name: _VERDICT_WORDS[name], label_visibility="collapsed",
    )  # fmt: skip
    return list_outdated(
        store, project.name, guideline.hash, words=words or "", kind=kind, verdict=verdict, guideline_hash=chosen
    )


def _describe(judgement: OutdatedJudgement) -> dict[str, str]:
    return {
        "Request": judgement.request,
        "Annotator": judgement.annotator,
        "Judged": "; ".join(say_value(judgement.kind, judgement.value)),
        "Reason": judgement.reason,
        "When": f"{judgement.created_at:%d %b %H:%M}",
        "Asked again": "yes" if judgement.is_asked else "",
    }


def _suggest_words(changes: Sequence[ClauseChange]) -> str:
    told = next((change for change in changes if change.after), None)
    return f"The guideline now says: {_strip_markup(told.after)}"[:400] if told else "The guideline has changed."


def _strip_markup(clause: str) -> str:
    """A clause without its list mark and emphasis, for showing as plain text."""
    return clause.lstrip("#-*+ ").replace("**", "").replace("__", "")
