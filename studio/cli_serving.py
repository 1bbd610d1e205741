"""The commands in which models answer: for blind review, and to see that a server serves what was shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, RunId, Workspace
from pitchpipe.studio.cli_output import run_command

_KEY_HELP = "Environment variable that holds the key; none is sent if left out."


def generate(
    run: Annotated[str | None, typer.Argument(help="Id of a training run (a unique beginning is enough).")] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", help="The run's own project.")] = None,
    max_prompts: Annotated[int, typer.Option(help="Sealed prompts to answer; 0 takes all.")] = 40,
    endpoint: Annotated[
        list[str] | None, typer.Option(help="Also ask a model served at this address (twice: one against the other).")
    ] = None,
    model: Annotated[list[str] | None, typer.Option(help="What the endpoint calls its model; one for each.")] = None,
    key_variable: Annotated[list[str] | None, typer.Option(help=_KEY_HELP)] = None,
    against: Annotated[str, typer.Option(help="What an endpoint is compared with: tuned or base.")] = "tuned",
    snapshot: Annotated[str | None, typer.Option(help="Whose sealed prompts, where no run is named.")] = None,
    max_new_tokens: Annotated[int, typer.Option(help="Longest answer when endpoints are asked, in tokens.")] = 64,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Let two models answer sealed prompts (tuned and base, or endpoints), and queue them for blind review."""
    with run_command(json) as output:
        if not endpoint:
            values: dict[str, Any] = {"run": _need_run(run), "project": project, "max_prompts": max_prompts}
            output.show(output.run_round(workspace, "prepare_generation", **values))
            return
        values = {"endpoints": endpoint, "models": model or [], "key_variables": key_variable, "run": run}
        values |= {"snapshot": snapshot, "against": against, "max_prompts": max_prompts}
        values["max_new_tokens"] = max_new_tokens
        output.show(output.run_round(workspace, "prepare_endpoint_generation", **values))


def check_serving(
    run: RunId,
    endpoint: Annotated[str, typer.Option(help="The server's address, such as http://127.0.0.1:8000/v1.")],
    model: Annotated[str, typer.Option(help="What the server calls the model.")],
    key_variable: Annotated[str, typer.Option(help=_KEY_HELP)] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Ask a server the golden prompts of a shipped model and compare."""
    with run_command(json) as output:
        # A shipped folder is meant from where the command is typed.
        named = str(Path(run).resolve()) if Path(run).is_dir() else run
        values: dict[str, Any] = {"endpoint": endpoint, "model": model, "key_variable": key_variable}
        found = output.call(workspace, "check_serving", run=named, **values)
        title = f"{found['equal']} of {found['asked']} answers equal, chat template: {found['template']}"
        output.show_table(found, "prompts", title)
        if not found["is_same"]:
            raise typer.Exit(1)


def add_serving_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    for command in (generate, check_serving):
        app.command()(command)


def _need_run(run: str | None) -> str:
    from pitchpipe.store.errors import UsageError

    if run is None:
        raise UsageError("No run is named.", "Name a training run, or one or two models that are served: --endpoint.")
    return run
