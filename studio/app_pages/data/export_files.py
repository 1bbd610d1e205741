"""The files of an export: written into the workspace, and from there to be taken along."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from pitchpipe.store.database import Store
from pitchpipe.store.errors import PitchpipeError
from pitchpipe.store.freezing.snapshots import Snapshot
from pitchpipe.studio.app_pages.showing import show_problem
from pitchpipe.studio.export_verbs import SAVED_AS, export

_REASONS = {"sealed_holdout": "on the sealed side"}
_MIME = {".parquet": "application/vnd.apache.parquet", ".jsonl": "application/jsonl", ".csv": "text/csv"}


def show_files(store: Store, snapshot: Snapshot, form: str) -> None:
    """Writes the form of the snapshot and offers what is written for download."""
    st.subheader("Files", anchor=False)
    folder = exports_folder(store, snapshot)
    format = st.segmented_control(
        "Format", SAVED_AS, default="parquet", required=True, key="exports_format", width="stretch"
    )
    if st.button("Write to the workspace", width="stretch", key="exports_write"):
        with st.spinner("Writing"):
            _write(store, snapshot, form, folder, format)
    for path in sorted(folder.glob(f"{form}.*")):
        if path.suffix in _MIME:
            st.download_button(
                f"Download {path.name} ({_say_size(path.stat().st_size)})",
                partial(path.read_bytes),
                file_name=path.name,
                mime=_MIME[path.suffix],
                width="stretch",
                on_click="ignore",
                key=f"exports_download_{path.name}",
            )
        elif path.suffix == ".datasets":
            st.code(f'load_from_disk("{path}")', language="python", wrap_lines=True)
    if folder.is_dir():
        st.text(f"In {folder}")


def exports_folder(store: Store, snapshot: Snapshot) -> Path:
    """Where the exports of a snapshot lie."""
    return store.workspace.resolve() / "exports" / snapshot.folder.name


def _write(store: Store, snapshot: Snapshot, form: str, folder: Path, format: str) -> None:
    try:
        report = export(store, snapshot.id, form, str(folder), format)
    except PitchpipeError as error:
        show_problem(error.happened, error.advice)
        return
    left_out = ", ".join(
        f"{count:,} {_REASONS.get(rule, rule.replace('_', ' '))}" for rule, count in report["dropped"].items()
    )
    st.success(
        f"{report['kept']:,} of {report['considered']:,} rows" + (f"; left out: {left_out}." if left_out else ".")
    )


def _say_size(size: int) -> str:
    """A size as people say it.

    >>> _say_size(900), _say_size(2_500_000)
    ('1 kB', '2.5 MB')
    """
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
