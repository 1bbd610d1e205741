"""The Home page: the loop drawn with its live counts, and the one thing to do next."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pitchpipe.store import overview
from pitchpipe.store.database import Store
from pitchpipe.store.freezing import snapshots
from pitchpipe.store.queue import queueing
from pitchpipe.store.records import LoopCounts, Progress, Project
from pitchpipe.studio.app_pages.loop_picture import show_loop
from pitchpipe.studio.app_pages.rounds import run_cards
from pitchpipe.studio.app_pages.showing import plain, show_constant
from pitchpipe.training.runs.run_folders import read_metrics


@dataclass(frozen=True, slots=True)
class NextStep:
    """The best next step: why, and either a page to open or a command to type."""

    words: str
    page: str | None = None
    label: str = ""
    command: str | None = None


def show_home(store: Store, project: Project | None, annotator: str, pages: dict[str, st.Page]) -> None:
    """Shows where the loop stands for the project."""
    if project is None:
        st.header("Welcome")
        st.text("There is nothing here yet. Import a file, or let the demo fill a workspace.")
        if "data" in pages and st.button("Import a file", type="primary", key="home_import"):
            st.session_state["data_view"] = "Import"
            st.switch_page(pages["data"])
        st.code("pitchpipe import FILE --project NAME\npitchpipe demo", language=None)
        return
    run_cards.take_finished_runs(store)
    counts = overview.count_loop(store, project.name)
    progress = queueing.count_progress(store, project.name, annotator)
    st.header(plain(project.name), anchor=False)
    show_constant('<div class="pp-lead">{words}</div>', words=describe_project(counts))
    with st.container(key="twins"):
        left, right = st.columns([1.25, 1])
        with left, st.container(key="card_loop"):
            show_loop(describe_stations(counts, progress))
        with right, st.container(key="card_next", gap="xsmall"):
            _show_next(suggest_next_step(counts, progress, project.name), pages)
    if counts.snapshots:
        _show_latest_run(store, project)


def describe_project(counts: LoopCounts) -> str:
    """The project in one line of numbers."""
    sealed = f" ({counts.holdout:,} sealed as holdout)" if counts.holdout else ""
    people = {0: "nobody has judged yet", 1: "1 person has judged"}.get(
        counts.annotators, f"{counts.annotators:,} people have judged"
    )
    return f"{counts.examples:,} examples{sealed} · {counts.candidates:,} answers · {people}"


def describe_stations(counts: LoopCounts, progress: Progress) -> dict[str, str]:
    """The line under each station of the picture; `here` names the station that is drawn as the one to look at."""
    here = "queue" if progress.available else "snapshot" if counts.judgements and not counts.snapshots else "judgements"
    return {
        "queue": f"{counts.open_tasks:,} waiting",
        "judgements": f"{counts.judgements:,} · {counts.judgements_today:,} today",
        "consensus": {0: "none yet", 1: "of 1 person"}.get(counts.annotators, f"of {counts.annotators:,} people"),
        "snapshot": counts.latest_snapshot or "none yet",
        "snapshots": f"{counts.snapshots:,} frozen",
        "tune": f"{counts.runs:,} runs" if counts.runs != 1 else "1 run",
        "review": f"{counts.review_tasks:,} blind pairs",
        "here": here,
    }


def suggest_next_step(counts: LoopCounts, progress: Progress, project_name: str) -> NextStep:
    """The step that moves the loop on, for this annotator, now."""
    quoted = f'"{project_name}"' if " " in project_name else project_name
    if counts.review_tasks and progress.available:
        return NextStep(
            f"{counts.review_tasks:,} blind pairs decide whether the tuned model is better. You see no names.",
            page="annotate",
            label="Judge the pairs",
        )
    if progress.available:
        return NextStep(
            f"{progress.available:,} tasks wait for you. You have judged {progress.done:,} so far.",
            page="annotate",
            label="Go on judging" if progress.done else "Start judging",
        )
    if not counts.tasks:
        return NextStep(
            "There are examples but no tasks yet.", command=f"pitchpipe tasks --project {quoted} --create rate"
        )
    if counts.judgements and not counts.snapshots:
        return NextStep(
            f"{counts.judgements:,} judgements are in. Freeze them into a dataset that a run can learn from.",
            command=f"pitchpipe snapshot create --project {quoted} --name first",
        )
    if counts.snapshots and not counts.runs:
        return NextStep(
            "A snapshot is ready. Tune a model on it and watch it learn.", page="rounds", label="Open Rounds"
        )
    if counts.runs and not counts.review_tasks:
        return NextStep(
            "A run is there. Let it answer, and put its answers before people without names.",
            command=f"pitchpipe generate RUN --project {quoted}",
        )
    return NextStep("Nothing waits for you. Others still have tasks open.", page="rounds", label="Look at the rounds")


def _show_next(step: NextStep, pages: dict[str, st.Page]) -> None:
    show_constant('<div class="pp-next">Best next step for you</div>')
    st.text(step.words)
    if step.command:
        st.code(step.command, language=None)
    if step.page and st.button(step.label, type="primary"):
        st.switch_page(pages[step.page])


def _show_latest_run(store: Store, project: Project) -> None:
    """The newest training run of the project: its curve, and how it did beside its base."""
    from pitchpipe.studio.app_pages.rounds import (
        curves,
        metric_log,
    )  # charts are slow to import; a new project has none

    folders = [snapshot.folder for snapshot in snapshots.list_snapshots(store, project.name)]
    found = run_cards.list_training_runs(store.workspace, folders)
    if not found:
        return
    latest, metrics = found[0], read_metrics(found[0].folder)
    st.subheader(plain(run_cards.title_run(latest)), anchor=False)
    with st.container(key="twins_run"):
        left, right = st.columns([1.25, 1])
        with left, st.container(key="card_latest"):
            run_cards.show_state(latest, next((line for line in reversed(metrics) if "loss" in line), {}))
            curves.draw_curves({run_cards.title_run(latest): metric_log.collect_curves(metrics)}, columns=2)
        with right, st.container(key="card_latest_evaluation"):
            run_cards.show_evaluation(store.workspace, latest)
