"""The command that has a classifier pre-fill labels."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, RunId, Workspace
from pitchpipe.studio.cli_output import run_command


def suggest_labels(
    run: RunId,
    project: ProjectName,
    minimum: Annotated[float, typer.Option(help="Suggest only what the model is at least so sure of, 0 to 1.")] = 0.0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Have a classify run pre-fill open tag tasks; shown where the rule `suggestions` is on."""
    with run_command(json) as output:
        done = output.call(workspace, "suggest_labels", project=project, run=run, minimum=minimum)
        output.show(done)
        if not done["shown"] and not json:
            output.say(f"Nobody sees them yet: pitchpipe rules -p {project} --set suggestions=true")


def add_commands(app: typer.Typer) -> None:
    """Registers the command of this module."""
    app.command()(suggest_labels)
