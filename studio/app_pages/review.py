"""The Review page: curators read what raters disagree on and say the last word, with one key where a rater is right.

The queue is kept for half a minute, so that a key press costs no new search and the order does not shift under the
reader; the case that is shown is read anew each time. Who wrote the answers is told only once a case is settled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.resources import files
from typing import Any
from uuid import uuid4

import streamlit as st

from pitchpipe.prompts.library import load_guideline
from pitchpipe.store import adjudicating, disputes, people, prompt_versions
from pitchpipe.store.database import Store
from pitchpipe.store.dispute_reading import Case, list_settled, read_case
from pitchpipe.store.disputes import Dispute
from pitchpipe.store.errors import PitchpipeError, UsageError
from pitchpipe.store.records import Project, SubmitOutcome
from pitchpipe.studio.app_pages.review_cards import show_matter, show_raters, show_reasons, show_settlement
from pitchpipe.studio.app_pages.review_form import find_rubric, find_word_questions, show_own_answer
from pitchpipe.studio.app_pages.review_guideline import show_changed_guideline
from pitchpipe.studio.app_pages.review_words import KIND_WORDS, REASON_WORDS
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem

ROLES = ("curator", "lead")
"""Who may see this page."""
_KEEP_SECONDS = 30.0
_SHOWN_ROWS = 8
_QUEUE, _CHOSEN, _SEEN, _SETTLED, _TOLD = (
    "review_disputes", "review_task", "review_seen", "review_settled", "review_told",
)  # fmt: skip


def show_review(store: Store, project: Project | None, curator: str) -> None:
    """Shows the queue beside one case, and records what the curator decides."""
    if people.find_role(store, curator) not in ROLES:
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
        _show_settled(store, project, curator)
    else:
        _show_disputes(store, project, curator)


def _show_disputes(store: Store, project: Project, curator: str) -> None:
    left, right = st.columns([1, 3.3], gap="medium")
    everything = _find_queue(store, project)
    with left, st.container(key="review_queue"):
        queue = _show_filters(everything)
        place = _find_place(queue)
        _show_rows(queue, place)
    with right, st.container(key="review_case"):
        _show_bar(store, project, curator, queue, place)
        _show_last_settled(store, project, curator)
        if not queue:
            with st.container(key="card_empty"):
                show_constant('<div class="pp-side">Nothing is in dispute here</div>')
                st.text("Tasks appear when raters disagree, flag something or contradict themselves.")
            return
        _show_case(store, project, curator, queue[place])


def _find_queue(store: Store, project: Project) -> list[Dispute]:
    """The open disputes, searched anew when the last search is old or of another project."""
    kept = st.session_state.get(_QUEUE)
    if kept is None or kept[0] != project.id or time.monotonic() - kept[1] > _KEEP_SECONDS:
        search = disputes.find_disputes(store, project.name, word_questions=find_word_questions(store, project))
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
            if st.button(plain(dispute.request) or "(no request)", key=f"pick_{dispute.task_id}", width="stretch"):
                _choose(dispute.task_id)
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
        if st.button("Previous", shortcut="p", key="review_previous", disabled=place == 0):
            _choose(queue[place - 1].task_id)
        if st.button("Next", shortcut="n", key="review_next", disabled=place + 1 >= len(queue)):
            _choose(queue[place + 1].task_id)
        last = adjudicating.find_last_settled(store, project.name, curator)
        if st.button("Withdraw last", shortcut="u", key=f"withdraw_{last}", disabled=last is None) and last:
            _withdraw(store, project, curator, last)
    for kind, message in st.session_state.pop(_TOLD, []):
        show = st.warning if kind == "warning" else st.success
        show(plain(message))


def _show_case(store: Store, project: Project, curator: str, dispute: Dispute) -> None:
    case = read_case(store, project.name, dispute.task_id)
    show_reasons(dispute, case)
    show_matter(case)
    rubric = find_rubric(case, project, store.workspace / "prompts")
    questions = [question.name for question in rubric.questions] if rubric else []
    taken = show_raters(case, questions, project.rules.widest_spread)
    own = None
    if case.can_settle:
        with st.expander("Another answer of your own"):
            own = show_own_answer(case, rubric)
    closes = bool(case.flags) and st.button("Close its flags", shortcut="x", key=f"close_{case.task_id}")
    seen = st.session_state.get(_SEEN)
    if seen is None or seen[0] != case.task_id:
        st.session_state[_SEEN] = seen = (case.task_id, time.monotonic())
    if closes:
        adjudicating.close_task_flags(store, project.name, case.task_id, curator)
        st.session_state.pop(_QUEUE, None)
        st.rerun()
    if taken is None and own is None:
        return
    if time.monotonic() - seen[1] < project.minimum_dwell_ms / 1000:
        _tell("warning", "Not settled: that was faster than the case can be read. Look again, then press.")
        st.rerun()
    _settle(store, project, curator, case, taken, own)


def _settle(
    store: Store, project: Project, curator: str, case: Case, taken: str | None, own: tuple[Any, ...] | None
) -> None:
    """Records the last word and goes to the next case; a refusal is told and the case stays."""
    common: dict[str, Any] = {"actor": curator, "adjudication_id": f"adj_{uuid4().hex}", "closes_flags": True}
    try:
        if taken is not None:
            outcome = adjudicating.accept_judgement(store, project.name, taken, **common)
        elif own is not None:
            value, reason, rubric_hash = own
            outcome = adjudicating.adjudicate(
                store, project.name, case.task_id, value, reason=reason, rubric_hash=rubric_hash, **common
            )
    except PitchpipeError as error:
        _tell("warning", f"{error.happened} {error.advice}")
        st.rerun()
    if outcome in (SubmitOutcome.RECORDED, SubmitOutcome.REPEATED):
        st.session_state[_SETTLED] = case.task_id
        _leave_queue(case.task_id)
    st.rerun()


def _leave_queue(task_id: str) -> None:
    """Takes a settled case out of the kept queue and chooses the one that stood behind it."""
    project_id, found_at, queue = st.session_state[_QUEUE]
    places = [place for place, dispute in enumerate(queue) if dispute.task_id == task_id]
    rest = [dispute for dispute in queue if dispute.task_id != task_id]
    st.session_state[_QUEUE] = (project_id, found_at, rest)
    if places and rest:
        st.session_state[_CHOSEN] = rest[min(places[0], len(rest) - 1)].task_id


def _show_last_settled(store: Store, project: Project, curator: str) -> None:
    """What was settled a moment ago: with names now, and the offer to make it a known answer."""
    task_id = st.session_state.get(_SETTLED)
    if task_id is None:
        return
    case = read_case(store, project.name, task_id)
    if case.settlement is None:
        return
    with st.container(key="card_settled"), st.container(horizontal=True, vertical_alignment="center"):
        with st.container(gap=None):
            show_settlement(case)
        if st.button("Make it a gold item", shortcut="g", key=f"gold_{task_id}"):
            _make_gold(store, project, curator, case)


def _make_gold(store: Store, project: Project, curator: str, case: Case) -> None:
    if case.settlement is None:
        return
    try:
        gold = import_module("pitchpipe.store.gold")
        gold.set_gold(
            store,
            project.name,
            case.task_id,
            case.settlement.value,
            case.settlement.reason or "settled in review",
            curator,
        )
    except ModuleNotFoundError:
        _tell("warning", "Known answers are not part of this studio yet.")
    except UsageError as error:
        _tell("warning", f"{error.happened} {error.advice}")
    else:
        _tell("success", "It is a gold item now: a task with a known answer.")
    st.rerun()


def _withdraw(store: Store, project: Project, curator: str, task_id: str) -> None:
    adjudicating.withdraw_adjudication(store, project.name, task_id, curator)
    st.session_state.pop(_QUEUE, None)
    st.session_state.pop(_SETTLED, None)
    _choose(task_id)


def _show_settled(store: Store, project: Project, curator: str) -> None:
    """The last words that stand, the latest first; each can be withdrawn."""
    found = list_settled(store, project.name)
    told = "What curators settled, the latest first." if found else "Nothing is settled yet."
    show_constant('<div class="rv-title">Settled</div><div class="rv-sub">{told}</div>', told=told)
    for row in found:
        with st.container(key=f"card_last_{row['task_id']}", gap="xsmall"):
            who = f"{KIND_WORDS[row['kind']]} · {row['actor']} · {row['created_at']:%d %b %H:%M} UTC"
            show_constant('<div class="pp-who">{who}</div>', who=who)
            st.text(row["request"])
            show_settlement(read_case(store, project.name, row["task_id"]))
            if st.button("Withdraw", key=f"back_{row['task_id']}"):
                adjudicating.withdraw_adjudication(store, project.name, row["task_id"], curator)
                st.session_state.pop(_QUEUE, None)
                st.rerun()


def _choose(task_id: str) -> None:
    st.session_state[_CHOSEN] = task_id
    st.rerun()


def _tell(kind: str, message: str) -> None:
    """A word for the next run of the page."""
    st.session_state[_TOLD] = [*st.session_state.get(_TOLD, []), (kind, message)]
