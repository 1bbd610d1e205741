"""Which folders of the server's machine people may import from by typing a path: not any file that the server can read.

`<workspace>/incoming`, and the folders that PITCHPIPE_IMPORT_FOLDERS names (separated as in PATH). What a person
uploads is kept in `<workspace>/uploads` until it is a day old.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from itertools import islice
from pathlib import Path

from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.store.identity import new_id
from pitchpipe.store.importing.raw_reading import SUFFIXES

VARIABLE = "PITCHPIPE_IMPORT_FOLDERS"
_MOST_LISTED = 300
_UPLOADS = "uploads"
_DAY_SECONDS = 86_400
_LONGEST_NAME = 60
"""Characters, of which each takes up to four bytes of the 255 that a name may have."""
_UNSAFE = re.compile(r"[^\w.() -]")


def list_folders(workspace: Path) -> list[Path]:
    """The folders that may be imported from; `incoming` first, made when it is missing."""
    incoming = workspace / "incoming"
    incoming.mkdir(exist_ok=True)
    named = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    return [folder.resolve() for folder in (incoming, *named) if folder.is_dir()]


def list_files(workspace: Path) -> list[Path]:
    """Data files in these folders and the folders right below them, by name."""
    found: list[Path] = []
    for folder in list_folders(workspace):
        paths = (path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern))
        data = (path for path in paths if path.suffix.lower() in SUFFIXES and path.is_file())
        found.extend(islice(data, _MOST_LISTED - len(found)))
    return sorted(found)


def check_path(workspace: Path, typed: str) -> Path:
    """The file or folder that was typed, once it is known to lie in one of the folders, links followed.

    Raises:
        UsageError: it lies elsewhere. NotFoundError: it does not exist.
    """
    folders = list_folders(workspace)
    where = ", ".join(map(str, folders))
    try:
        path = (folders[0] / typed.strip()).resolve()
        is_inside = any(path.is_relative_to(folder) for folder in folders)
        is_there = is_inside and path.exists()
    except (OSError, ValueError):
        is_inside, is_there = True, False
    if not is_inside:
        raise UsageError(
            f"'{typed}' lies outside of the folders that may be imported from.",
            f"Copy it into one of them: {where}. The variable {VARIABLE} names more.",
        )
    if not is_there:
        raise NotFoundError(f"There is no '{typed}'.", f"Names are meant from {folders[0]}.")
    _refuse_links_outside(path, folders)
    return path


def _refuse_links_outside(path: Path, folders: list[Path]) -> None:
    """A folder is read with all that lies in it: a link in it could lead to any file that the server can read."""
    for inner in path.rglob("*") if path.is_dir() else ():
        if inner.is_symlink() and not any(inner.resolve().is_relative_to(folder) for folder in folders):
            raise UsageError(
                f"'{inner.name}' in this folder is a link that leads out of what may be imported from.",
                "Put the file itself there.",
            )


def keep_upload(workspace: Path, name: str, content: memoryview) -> Path:
    """Writes what was uploaded under its own name into a folder of its own; older uploads are cleared away."""
    uploads = workspace / _UPLOADS
    uploads.mkdir(exist_ok=True)
    for old in uploads.iterdir():
        if time.time() - old.stat().st_mtime > _DAY_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    folder = uploads / new_id("up")
    folder.mkdir()
    path = folder / (_UNSAFE.sub("_", Path(name).name).strip(". ")[-_LONGEST_NAME:] or "upload")
    with path.open("wb") as file:
        file.write(content)
    return path


def keep_mapping(workspace: Path, text: str, owner: str) -> Path:
    """Writes the mapping that a person edits, for the readers to load; each person has one."""
    uploads = workspace / _UPLOADS / f"mapping-{_UNSAFE.sub('_', owner)}"
    uploads.mkdir(parents=True, exist_ok=True)
    path = uploads / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path
