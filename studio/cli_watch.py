"""The command that watches a run."""

from __future__ import annotations

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, RunId, Workspace
from pitchpipe.studio.cli_output import run_command


def watch(run: RunId, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Tell how a training run stands and what its curves advise."""
    with run_command(json) as output:
        output.show(output.call(workspace, "watch", run=run))


def add_watch_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    app.command()(watch)
