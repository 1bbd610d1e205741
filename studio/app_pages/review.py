"""The Review page: curators read what raters disagree on and say the last word, with one key where a rater is right.

The queue is kept for two minutes, so that a key press costs no new search and the order does not shift under the
reader; the case that is shown is read anew each time. Who wrote the answers is told only once a case is settled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from uuid import uuid4

import streamlit as st

from pitchpipe.prompts.answers import list_text_questions
from pitchpipe.prompts.library import load_guideline
from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.records import Project
from pitchpipe.store.review import adjudicating, disputes, prompt_versions
from pitchpipe.store.review.dispute_reading import read_case
from pitchpipe.store.review.disputes import Dispute
from pitchpipe.store.team import people
from pitchpipe.studio.app_pages.review_cards import (
    show_matter,
    show_raters,
    show_reasons,
    show_related,
    show_settlement,
)
from pitchpipe.studio.app_pages.review_form import find_rubric, show_own_answer
from pitchpipe.studio.app_pages.review_guideline import show_changed_guideline
from pitchpipe.studio.app_pages.review_settled import show_last_settled, show_settled, show_told, tell
from pitchpipe.studio.app_pages.review_words import KIND_WORDS, REASON_WORDS
from pitchpipe.studio.app_pages.showing import PAGE_ROLES, plain, show_constant, show_problem

_KEEP_SECONDS = 120.0
_SHOWN_ROWS = 8
_MOST_RELATED = 6
_TAKE = "take_"
"""How the keys of the buttons begin that take a rater's answer; see `review_cards`."""
_QUEUE, _CHOSEN, _SEEN, _SETTLED = "review_disputes", "review_task", "review_seen", "review_settled"


def show_review(store: Store, project: Project | None, curator: str) -> None:
    """Shows the queue beside one case, and records what the curator decides."""
    if people.find_role(store, curator) not in PAGE_ROLES["review"]:
        show_problem("This page is for curators.", "A lead can give you the role on the People page.")
        return
    if project is None:
        st.info("There is no project yet. Import a file first: `pitchpipe import FILE --project NAME`.")
        return
    st.html((files("pitchpipe.studio.app_pages") / "review.css").read_text(encoding="utf-8"))
    guideline = load_guideline(project.guideline, store.workspace / "prompts")
    prompt_versions.note_version(store, "guidelines", guideline.name, guideline.text, guideline.hash)
    view = st.segmented_control(
        "View", ["Disputes", "Settled", "Changed guideline"], default="Disputes", required=True,
        label_visibility="collapsed", key="review_view",
    )  # fmt: skip
    if view == "Changed guideline":
        show_changed_guideline(store, project, guideline, curator)
    elif view == "Settled":
        if show_settled(store, project, curator, {dispute.example_id for dispute in _find_queue(store, project)}):
            st.session_state.pop(_QUEUE, None)
            st.rerun()
    else:
        _show_disputes(store, project, curator)


def _show_disputes(store: Store, project: Project, curator: str) -> None:
    early = _settle_early(store, project, curator)
    left, right = st.columns([1, 3.3], gap="medium")
    everything = _find_queue(store, project)
    with left, st.container(key="review_queue"):
        queue = _show_filters(everything)
        place = _find_place(queue)
        _show_rows(queue, place)
    with right, st.container(key="review_case"):
        _show_bar(store, project, curator, queue, place)
        settled = st.session_state.get(_SETTLED, ("", None))
        open_examples = {dispute.example_id for dispute in everything}
        show_last_settled(store, project, curator, settled[1] if settled[0] == project.id else None, open_examples)
        if not queue:
            with st.container(key="card_empty"):
                show_constant('<div class="pp-side">Nothing is in dispute here</div>')
                st.text("Tasks appear when raters disagree, flag something or contradict themselves.")
            return
        _show_case(store, project, curator, queue[place], early)


def _settle_early(store: Store, project: Project, curator: str) -> str | None:
    """Settles before anything is drawn where a rater's key was pressed, and returns that judgement.

    So the next case is there after one run of the page, not two. After a restart of the server the press is not known
    here yet; then the button's return value tells of it.
    """
    pressed = next((str(key) for key, value in st.session_state.items() if str(key).startswith(_TAKE) and value), None)
    seen = st.session_state.get(_SEEN)
    if pressed is None or seen is None:
        return None
    judgement_id = pressed.removeprefix(_TAKE)
    _settle(store, project, curator, seen[0], judgement_id, None)
    return judgement_id


def _find_queue(store: Store, project: Project) -> list[Dispute]:
    """The open disputes, searched anew when the last search is old or of another project."""
    kept = st.session_state.get(_QUEUE)
    if kept is None or kept[0] != project.id or time.monotonic() - kept[1] > _KEEP_SECONDS:
        search = disputes.find_disputes(store, project.name)
        st.session_state[_QUEUE] = kept = (project.id, time.monotonic(), search)
    found: list[Dispute] = kept[2]
    return found


def _show_filters(everything: list[Dispute]) -> list[Dispute]:
    counts = disputes.count_reasons(everything)
    kinds = sorted({dispute.kind for dispute in everything})
    show_constant(
        '<div class="rv-title">Review</div><div class="rv-sub">{count} open · most to win first</div>',
        count=len(everything),
    )
    present = [reason for reason in disputes.REASONS if counts[reason]]
    reasons = st.pills(
        "Reasons", present, selection_mode="multi", key="review_reasons", label_visibility="collapsed",
        format_func=lambda reason: f"{REASON_WORDS[reason]} {counts[reason]}",
    )  # fmt: skip
    kind = None
    if len(kinds) > 1:
        kind = st.selectbox(
            "Kind of task", kinds, index=None, placeholder="all kinds of task", key="review_kind",
            format_func=lambda name: KIND_WORDS[name], label_visibility="collapsed",
        )  # fmt: skip
    words = st.text_input("Words", placeholder="words in request or reason", key="review_words",
                          label_visibility="collapsed")  # fmt: skip
    return disputes.narrow_disputes(everything, reasons=reasons, kind=kind, words=words or "")


def _find_place(queue: Sequence[Dispute]) -> int:
    """Where the chosen case stands in the queue; the first where it is no longer there."""
    chosen = st.session_state.get(_CHOSEN)
    places = [place for place, dispute in enumerate(queue) if dispute.task_id == chosen]
    place = places[0] if places else 0
    if queue:
        st.session_state[_CHOSEN] = queue[place].task_id
    return place


def _show_rows(queue: Sequence[Dispute], place: int) -> None:
    start = max(0, min(place - 2, len(queue) - _SHOWN_ROWS))
    for row, dispute in enumerate(queue[start : start + _SHOWN_ROWS]):
        is_here = start + row == place
        with st.container(key=f"row_{'here' if is_here else row}"):
            st.button(
                plain(dispute.request) or "(no request)", key=f"pick_{dispute.task_id}", width="stretch",
                on_click=_choose, args=(dispute.task_id,),
            )  # fmt: skip
            kinds = dict.fromkeys(REASON_WORDS[reason.kind] for reason in dispute.reasons)
            show_constant(
                '<div class="rv-chips">{kind} · {reasons}</div>',
                kind=KIND_WORDS[dispute.kind], reasons=", ".join(kinds),
            )  # fmt: skip


def _show_bar(store: Store, project: Project, curator: str, queue: Sequence[Dispute], place: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="review_bar"):
        where = f"{place + 1} of {len(queue)}" if queue else "0 of 0"
        kind = KIND_WORDS[queue[place].kind] if queue else "Done"
        show_constant('<div class="rv-bar"><b>{kind}</b> · {where} · names hidden</div>', kind=kind, where=where)
        st.space("stretch")
        for label, key, other in (("Previous", "p", place - 1), ("Next", "n", place + 1)):
            is_there = 0 <= other < len(queue)
            target = queue[other].task_id if is_there else ""
            st.button(
                label, shortcut=key, key=f"review_{label}", disabled=not is_there, on_click=_choose, args=(target,)
            )
        last = adjudicating.find_last_settled(store, project.name, curator)
        if st.button("Withdraw last", shortcut="u", key=f"withdraw_{last}", disabled=last is None) and last:
            _withdraw(store, project, curator, last)
    show_told()


def _show_case(store: Store, project: Project, curator: str, dispute: Dispute, early: str | None) -> None:
    case = read_case(store, project.name, dispute.task_id)
    if case.settlement is not None:  # flagged anew since, or another curator was faster
        with st.container(key="card_settled_here"):
            show_settlement(case, [case.example_id])
    show_reasons(dispute, case)
    show_matter(case)
    rubric = find_rubric(case, project, store.workspace / "prompts")
    questions = [question.name for question in rubric.questions] if rubric else []
    taken = show_raters(case, questions, project.rules.widest_spread)
    others = dict.fromkeys(task for reason in dispute.reasons for task in reason.tasks)
    show_related([read_case(store, project.name, task) for task in list(others)[:_MOST_RELATED]])
    own = None
    if case.can_settle:
        with st.expander("Another answer of your own"):
            own = show_own_answer(case, rubric)
    if case.flags and st.button("Close its flags", shortcut="x", key=f"close_{case.task_id}"):
        adjudicating.close_task_flags(store, project.name, case.task_id, curator)
        st.session_state.pop(_QUEUE, None)
        st.rerun()
    shown = case.settlement.adjudication_id if case.settlement else None
    seen = st.session_state.get(_SEEN)
    if seen is None or (seen[0], seen[2]) != (case.task_id, shown):
        # A press with no earlier drawing comes from before a restart of the server: that case was seen long ago.
        is_old = seen is None and (taken is not None or own is not None)
        st.session_state[_SEEN] = (case.task_id, 0.0 if is_old else time.monotonic(), shown)
    if own is not None or taken not in (None, early):
        _settle(store, project, curator, case.task_id, taken, own)
        st.rerun()


def _settle(
    store: Store, project: Project, curator: str, task_id: str, taken: str | None, own: tuple[Any, ...] | None
) -> None:
    """Records the last word and chooses the next case; a refusal is told and the case stays."""
    seen = st.session_state.get(_SEEN)
    if seen is None or seen[0] != task_id or time.monotonic() - seen[1] < project.minimum_dwell_ms / 1000:
        tell("warning", "Not settled: that was faster than the case can be read. Look again, then press.")
        return
    standing = read_case(store, project.name, task_id).settlement
    if standing is not None and standing.adjudication_id != seen[2]:
        tell("warning", f"Not settled: {standing.actor} settled this case while you read it. What they said is shown.")
        return
    common: dict[str, Any] = {"actor": curator, "adjudication_id": f"adj_{uuid4().hex}", "closes_flags": True}
    try:
        if taken is not None:
            adjudicating.accept_judgement(store, project.name, taken, **common)
        elif own is not None:
            value, reason, screen = own
            adjudicating.adjudicate(
                store, project.name, task_id, value, reason=reason, rubric_hash=screen.hash,
                text_questions=list_text_questions(screen), **common,
            )  # fmt: skip
    except PitchpipeError as error:
        tell("warning", f"{error.happened} {error.advice}")
        return
    st.session_state[_SETTLED] = (project.id, task_id)
    _leave_queue(task_id)


def _leave_queue(task_id: str) -> None:
    """Takes a settled case out of the kept queue and chooses the one that stood behind it."""
    project_id, found_at, queue = st.session_state.get(_QUEUE, ("", 0.0, []))
    places = [place for place, dispute in enumerate(queue) if dispute.task_id == task_id]
    rest = [dispute for dispute in queue if dispute.task_id != task_id]
    st.session_state[_QUEUE] = (project_id, found_at, rest)
    if places and rest:
        st.session_state[_CHOSEN] = rest[min(places[0], len(rest) - 1)].task_id


def _withdraw(store: Store, project: Project, curator: str, task_id: str) -> None:
    adjudicating.withdraw_adjudication(store, project.name, task_id, curator)
    st.session_state.pop(_QUEUE, None)
    st.session_state.pop(_SETTLED, None)
    _choose(task_id)
    st.rerun()


def _choose(task_id: str) -> None:
    """The case to show next. Run as a callback too: one that is lost with a restart costs one more press."""
    st.session_state[_CHOSEN] = task_id
