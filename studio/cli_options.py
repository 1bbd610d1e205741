"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workspace = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar="PITCHPIPE_WORKSPACE", help="Folder of the store, snapshots and runs."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
ProjectName = Annotated[str, typer.Option("--project", "-p", help="Name of the project.")]
SnapshotName = Annotated[str, typer.Argument(help="Name or id of a snapshot.")]
RunId = Annotated[str, typer.Argument(help="Id of a run (a unique beginning is enough).")]

DEFAULT_WORKSPACE = Path("workspace")
