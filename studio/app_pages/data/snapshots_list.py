"""The snapshots of a project: what each holds, whether it is whole, its card, and the folder to take away."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing.snapshots import Snapshot, list_snapshots, verify_snapshot
from pitchpipe.studio.app_pages.data import recipe_handover
from pitchpipe.studio.app_pages.showing import plain, show_problem

_VERIFIED = "snapshots_verified"
_COUNTED = ("rows", "left out", "sealed")


def show_list(store: Store, project: str) -> None:
    """A table of all; below it what can be done with the chosen one."""
    found = list_snapshots(store, project)[::-1]
    if not found:
        st.info("Nothing is frozen yet. Make a snapshot first.")
        return
    st.dataframe(
        pl.DataFrame([_describe(one) for one in found]),
        hide_index=True,
        height=min(38 + 35 * len(found), 300),
        column_config={name: st.column_config.NumberColumn(format="localized") for name in _COUNTED},
    )
    names = {one.name: one for one in found}
    chosen = names[st.selectbox("Snapshot", list(names), key="snapshots_chosen", width=420) or found[0].name]
    with st.container(key="card_snapshots_one"):
        _show_one(chosen)


def _describe(snapshot: Snapshot) -> dict[str, object]:
    return {
        "name": snapshot.name, "made": snapshot.created_at.strftime("%Y-%m-%d %H:%M"),
        "rows": snapshot.counts["rows"], "left out": snapshot.counts["dropped"],
        "sealed": sum(count for kind, count in snapshot.counts.items() if kind.endswith("_holdout")),
        "id": snapshot.id,
    }  # fmt: skip


def _show_one(snapshot: Snapshot) -> None:
    if not snapshot.folder.exists():
        show_problem(f"The folder of '{snapshot.name}' is gone.", "Bring it back from a copy, or freeze it again.")
        return
    with st.container(horizontal=True):
        if st.button("Verify", icon=":material/fact_check:", key="snapshots_verify"):
            with st.spinner("Deriving every hash again", show_time=True):
                st.session_state[_VERIFIED] = (snapshot.id, _verify(snapshot))
        st.download_button(
            "Download", lambda: _zip(snapshot.folder), f"{snapshot.id}.zip", "application/zip",
            icon=":material/download:", key="snapshots_download", on_click="ignore",
        )  # fmt: skip
        st.button(
            "Export it", icon=":material/arrow_forward:", key="snapshots_export",
            on_click=recipe_handover.go_to, args=("Export",), kwargs={"exports_snapshot": snapshot.name},
            help="A dry run with the real tokenizer and trainer, and the files to train on.",
        )  # fmt: skip
    verified = st.session_state.get(_VERIFIED)
    if verified and verified[0] == snapshot.id:
        for fault in verified[1]:
            st.error(plain(fault))
        if not verified[1]:
            st.success("Whole: every hash and the proof of the seal follow from what lies in the folder.")
    # The card holds what people typed, so it is shown as it is written.
    card = (snapshot.folder / "README.md").read_text(encoding="utf-8")
    st.code(_cut_head(card), language=None, height=460, wrap_lines=True)


def _cut_head(card: str) -> str:
    """The card without the head that the Hub reads.

    >>> _cut_head("---\\ntags:\\n- x\\n---\\n\\n# Card")
    '# Card'
    """
    _, found, rest = card.removeprefix("---\n").partition("\n---\n")
    return rest.lstrip() if found and card.startswith("---\n") else card


def _verify(snapshot: Snapshot) -> list[str]:
    try:
        return verify_snapshot(snapshot.folder, snapshot.id)
    except PitchpipeError as error:
        return [f"{error.happened} {error.advice}"]


def _zip(folder: Path) -> bytes:
    """The folder's files; Parquet is packed already."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{folder.name}/{path.name}")
    return packed.getvalue()
