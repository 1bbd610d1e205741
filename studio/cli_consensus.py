"""Commands about judgements and consensus: raw judgements, strategies side by side, how models stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, Workspace
from pitchpipe.studio.cli_output import run_command


def export_judgements(
    project: ProjectName,
    to: Annotated[Path, typer.Option(help="The file to write: .jsonl, .csv or .parquet.")],
    format: Annotated[str | None, typer.Option(help="jsonl, csv or parquet; by the file's name if left out.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Write every judgement as it was made: rater, value, reason, seconds, superseded or not."""
    with run_command(json) as output:
        written = output.call(workspace, "export_judgements", project=project, to=str(to), format=format)
        output.show(written)
        if written["held_back"]:
            output.say(f"{written['held_back']} judgements of open blind reviews are held back until these are closed.")


def consensus(
    project: ProjectName,
    question: Annotated[str, typer.Option("--question", "-q", help="Of a rubric, or verdict, or labels.")],
    strategies: Annotated[list[str] | None, typer.Option("--strategy", help="Only these; repeat it.")] = None,
    current: Annotated[str | None, typer.Option(help="Count changes against this strategy.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what each strategy of consensus makes of a question, side by side."""
    with run_command(json) as output:
        found = output.call(
            workspace, "consensus", project=project, question=question, strategies=strategies, current=current
        )
        shown = found if json else {"strategies": [_tell(row) for row in found["strategies"]]}
        output.show_table(shown, "strategies", f"{question}: {found['units']} units")
        if not json and found["advice"]:
            output.say(found["advice"])


def models(
    project: ProjectName,
    resamples: Annotated[int, typer.Option(help="Of the bootstrap over prompts; 0 for no intervals.")] = 300,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Rank the models of a project by the comparisons of their answers."""
    with run_command(json) as output:
        found = output.call(workspace, "models", project=project, resamples=resamples)
        output.show_table(found, "standings", f"Models of {project}")
        if not json and found["undefined_because"]:
            output.say(f"No ranking: {found['undefined_because']}.")


def _tell(row: dict[str, object]) -> dict[str, object]:
    """A row for people: no nested values, shares with three digits."""
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in row.items()
        if name != "distribution"
    }


def add_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    app.command(name="export-judgements")(export_judgements)
    app.command()(consensus)
    app.command()(models)
