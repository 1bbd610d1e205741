"""The dry run and the import: their buttons, a bar that follows the bytes read, and what came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.importing.import_preview import ImportPreview, preview_import
from pitchpipe.store.importing.ingest import ImportReport, import_file
from pitchpipe.store.importing.progress import ReadMeter
from pitchpipe.studio import import_jobs
from pitchpipe.studio.app_pages.data.import_showing import show_rejects
from pitchpipe.studio.app_pages.showing import plain, show_constant, show_problem

_POLL_SECONDS = 0.7
_ADDED_WORDS = {"candidates": "answers"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is on the page: which file, read how, into which project. A dry run of something else does not count."""

    source: Path
    format: str | None
    mapping: Path | None
    mapping_text: str
    project: str


def show_running(store: Store, order: Order | None, curator: str) -> None:
    """Buttons for what can be done now, or how far it has come.

    Args:
        order: None while the file cannot be read or has no project to go to.
    """
    job = import_jobs.find_job(curator)
    if job is not None and job.state == "running":
        _follow(curator)
        return
    is_imported = job is not None and job.kind == "import" and job.state == "finished"
    if job is not None and is_imported and order in (None, job.about):
        _show_report(job.result, curator)
        return
    if job is not None and is_imported:
        st.caption(plain(f"Before: {job.result.accepted:,} rows of {job.result.file} went into {job.result.project}."))
    if order is not None:
        with st.container(key="card_import_run", gap="small"):
            fits = job is not None and (job.kind, job.state, job.about) == ("dry-run", "finished", order)
            _show_buttons(store, order, curator, job.result if job is not None and fits else None)
    if job is not None and job.state == "failed" and job.problem is not None:
        show_problem(*job.problem)
    elif job is not None and job.state == "stopped":
        st.text(f"{job.title}: stopped after {job.rows:,} rows; nothing was stored.")


def _show_buttons(store: Store, order: Order, curator: str, preview: ImportPreview | None) -> None:
    def try_out(tell: Callable[[int], None], meter: ReadMeter) -> ImportPreview:
        return preview_import(
            store, order.project, order.source, order.format, order.mapping, on_progress=tell, meter=meter
        )

    def bring_in(tell: Callable[[int], None], meter: ReadMeter) -> ImportReport:
        return import_file(
            store, order.source, order.project, order.format, order.mapping, tell, actor=curator, meter=meter,
            makes_project=True,
        )  # fmt: skip

    if preview is None:
        st.text("4 · A dry run reads the whole file and stores nothing.")
        if st.button("Try it out", type="primary", key="imports_try"):
            _start(curator, f"Trying out {order.source.name}", "dry-run", order, try_out)
        return
    _show_preview(preview)
    again, go = st.columns([1, 2])
    with again:
        if st.button("Try again", key="imports_try_again", width="stretch"):
            _start(curator, f"Trying out {order.source.name}", "dry-run", order, try_out)
    with go:
        count = preview.accepted
        label = f"Import {count:,} {'row' if count == 1 else 'rows'} into {order.project}"
        if st.button(label, type="primary", key="imports_go", disabled=not count, width="stretch"):
            _start(curator, f"Importing {order.source.name}", "import", order, bring_in)


def _start(curator: str, title: str, kind: str, order: Order, work: import_jobs.Work) -> None:
    try:
        import_jobs.start_job(curator, title, kind, order, work)
    except PitchpipeError as problem:
        show_problem(problem.happened, problem.advice)
        return
    st.rerun()


@st.fragment(run_every=_POLL_SECONDS)  # type: ignore[untyped-decorator]
def _follow(curator: str) -> None:
    job = import_jobs.find_job(curator)
    if job is None or job.state != "running":
        st.rerun()
        return
    with st.container(key="card_import_bar", gap="small"):
        if job.kind == "fetch":
            st.text(f"{job.title}: the Hub does not say how much is left.")
            return
        share = job.share
        is_read = share >= 1.0
        words = "writing to the store" if is_read and job.kind == "import" else f"{share:.0%} of the file read"
        st.progress(min(share, 1.0), text=f"{job.title}: {job.rows:,} rows, {words}")
        if st.button("Stop", key="imports_stop", disabled=job.is_asked_to_stop or is_read):
            job.is_asked_to_stop = True


def _show_preview(preview: ImportPreview) -> None:
    st.subheader("What the import would do", anchor=False)
    _show_numbers({
        "rows": preview.rows, "accepted": preview.accepted, "refused": preview.rejected,
        "new examples": preview.new["examples"], "there already": preview.known["examples"],
    })  # fmt: skip
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in preview.kinds.items()) or "none"
    judged = ", ".join(f"{count:,} {kind}" for kind, count in preview.judged.items()) or "none"
    raters = f" by {len(preview.raters)} {'rater' if len(preview.raters) == 1 else 'raters'}" if preview.raters else ""
    about = "about " if preview.is_new_project else ""
    lines = [
        f"Rows by kind: {kinds}.",
        f"Judgements: {judged}{raters}; {preview.new['judgements']:,} of them new.",
        f"New answers: {preview.new['candidates']:,}; new tasks: {preview.new['tasks']:,}.",
        f"Sealed for measuring: {about}{preview.sides['holdout']:,} of {sum(preview.sides.values()):,} examples.",
    ]
    again = sum(preview.judged.values()) - preview.new["judgements"]
    if again > 0:
        lines.insert(2, f"{again:,} say of the same answers what their rater has said already; each counts once.")
    repeats = preview.accepted - preview.new["examples"] - preview.known["examples"]
    if repeats > 0:
        lines.append(f"{repeats:,} rows speak of an example that the file holds already.")
    if preview.split_conflicts:
        lines.append(f"{preview.split_conflicts} groups keep the side of the seal that they have, not the file's.")
    with st.container(gap="xsmall"):
        for line in lines:
            st.text(line)
    show_rejects(preview.rejects, preview.rejected)


def _show_numbers(numbers: dict[str, int]) -> None:
    for column, (title, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(title, f"{number:,}")


def _show_report(report: ImportReport, curator: str) -> None:
    with st.container(key="card_import_done", gap="small"):
        st.subheader(f"{report.accepted:,} rows of {report.file} are in {report.project}", anchor=False)
        added = {f"new {_ADDED_WORDS.get(name, name)}": count for name, count in report.added.items()}
        _show_numbers({**added, "sealed": report.holdout})
        show_rejects(report.rejects, report.rejected)
        rows, annotate, away = st.columns([1, 1, 1], vertical_alignment="center")
        with rows:
            st.button("See the rows", key="imports_rows", on_click=_go_to_rows, args=(report.project,), width="stretch")
        with annotate:
            show_constant('<a class="pp-button" href="/annotate" target="_self">Annotate</a>')
        with away:
            if st.button("Done", key="imports_done", width="stretch"):
                import_jobs.forget_job(curator)
                st.rerun()


def _go_to_rows(project: str) -> None:
    st.session_state["project"] = project
    st.session_state["data_view"] = "Rows"
