"""The command `pitchpipe people`: who works here, with what role and skills."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, Workspace
from pitchpipe.studio.cli_output import run_command


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command(name="people")(show_people)


def show_people(
    name: Annotated[str | None, typer.Option("--name", "-n", help="Change this person.")] = None,
    role: Annotated[str | None, typer.Option(help="annotator, curator, engineer or lead.")] = None,
    skills: Annotated[str | None, typer.Option(help="Languages and skills, such as de,code; '' for none.")] = None,
    access: Annotated[
        bool | None,
        typer.Option("--restore/--revoke", help="Let them sign in again, or take their access away."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show who has signed in, or change somebody's role, skills or access."""
    with run_command(json) as output:
        found = output.call(
            workspace, "people", name=name, role=role, skills=None if skills is None else skills.split(","),
            access=None if access is None else ("restore" if access else "revoke"),
        )  # fmt: skip
        if not json:
            found = {"people": [{**person, "skills": ", ".join(person["skills"])} for person in found["people"]]}
        output.show_table(found, "people", "People")
