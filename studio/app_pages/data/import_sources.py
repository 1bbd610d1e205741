"""Where the file comes from: uploaded, in a folder of the server's machine, or on the Hub."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pitchpipe.store.errors import PitchpipeError
from pitchpipe.studio import import_jobs
from pitchpipe.studio.app_pages.showing import show_problem
from pitchpipe.studio.import_folders import check_path, keep_upload, list_files, list_folders
from pitchpipe.training.exports.fetching import fetch_dataset, read_hub_name

UPLOAD_MEGABYTES = 500
"""What is uploaded passes through the server's memory; larger files go into a folder of its machine."""
_TYPES = ["jsonl", "ndjson", "json", "csv", "tsv", "txt", "parquet", "arrow"]
_WAYS = ("Upload", "On the server", "Hugging Face Hub")
_KEPT = "imports_kept"


def choose_source(workspace: Path, curator: str) -> Path | None:
    """The file or folder that was chosen, None while there is none."""
    way = st.segmented_control("From", _WAYS, default="Upload", required=True, key="imports_way", width="stretch")
    try:
        if way == "Upload":
            return _choose_upload(workspace)
        return _choose_path(workspace) if way == "On the server" else _choose_hub(workspace, curator)
    except PitchpipeError as problem:
        show_problem(problem.happened, problem.advice)
        return None


def _choose_upload(workspace: Path) -> Path | None:
    given = st.file_uploader(
        f"JSONL, JSON, CSV, TSV, Parquet or Arrow, up to {UPLOAD_MEGABYTES} MB", type=_TYPES, key="imports_upload",
        max_upload_size=UPLOAD_MEGABYTES,
    )  # fmt: skip
    kept: tuple[str, str] | None = st.session_state.get(_KEPT)
    if given is None:
        # Streamlit forgets an upload when another view is shown; the file itself is still there.
        path = Path(kept[1]) if kept else None
        if path is None or not path.is_file():
            return None
        st.text(f"{path.name} is still here.")
        return path
    if kept is None or kept[0] != given.file_id or not Path(kept[1]).is_file():
        kept = (given.file_id, str(keep_upload(workspace, given.name, given.getbuffer())))
        st.session_state[_KEPT] = kept
    return Path(kept[1])


def _choose_path(workspace: Path) -> Path | None:
    folders = list_folders(workspace)
    files = list_files(workspace)
    st.text("Folders that may be imported from: " + ", ".join(map(str, folders)))
    found = st.selectbox(
        "A file that lies there", [str(path) for path in files], index=None, key="imports_found",
        placeholder="Choose a file" if files else "None there yet",
    )  # fmt: skip
    typed = st.text_input("Or the name of a file or folder", key="imports_typed", placeholder="batch-7/rows.jsonl")
    if typed:
        return check_path(workspace, typed)
    return check_path(workspace, found) if found else None


def _choose_hub(workspace: Path, curator: str) -> Path | None:
    typed = str(st.text_input("Dataset", key="imports_hub", placeholder="organisation/name") or "").strip()
    name = read_hub_name(f"hf://{typed.removeprefix('hf://')}") if typed else None
    if name is None:
        st.text("Needs a network. Its splits declare the side of the seal.")
        return None
    job = import_jobs.find_job(curator)
    if job is not None and (job.kind, job.about, job.state) == ("fetch", name, "finished"):
        return Path(job.result)
    if st.button("Fetch", key="imports_fetch"):
        import_jobs.start_job(
            curator, f"Fetching {name}", "fetch", name, lambda _tell, _meter: fetch_dataset(name, workspace)
        )
        st.rerun()
    return None
