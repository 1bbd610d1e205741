"""Commands about rounds before they start: looking ahead at a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, Workspace
from pitchpipe.studio.cli_output import Output, run_command

_MARKS = {"blocks": ("BLOCKS", "bold red"), "warns": ("warns", "yellow"), "fine": ("fine", "green")}


def preflight(
    method: Annotated[str, typer.Option(help="sft, dpo, kto, reward, rloo, grpo or classify.")],
    snapshot: Annotated[str, typer.Option(help="Name or id of a snapshot.")],
    plan: Annotated[Path | None, typer.Option(help="A TOML plan; the CPU recipe when left out.")] = None,
    model: Annotated[str | None, typer.Option(help="embedded, a model id, a folder, or the id of a run.")] = None,
    dial: Annotated[list[str] | None, typer.Option("--set", help="A dial of the plan, such as --set epochs=1.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Look ahead at a training run: what it would do, need and learn. Exit code 1 where something blocks it."""
    with run_command(json) as output:
        chosen = str(plan) if plan else None
        values: dict[str, Any] = {"method": method, "snapshot": snapshot, "plan": chosen, "model": model}
        prepared = output.call(workspace, "prepare_preflight", **values, dials=output.parse_dials(dial))
        found = _run_preflight(output, prepared)
        if json:
            output.show(found)
        else:
            _print_report(found)
        if found["verdict"] == "blocks":
            raise typer.Exit(1)


def add_round_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    app.command()(preflight)


def _run_preflight(output: Output, prepared: dict[str, Any]) -> dict[str, Any]:
    """Runs a prepared preflight in a process of its own, with progress on stderr."""
    import time

    from pitchpipe.store.errors import RunError
    from pitchpipe.studio.round_verbs import describe_preflight
    from pitchpipe.training.preflight.preflight_folders import read_preflight, start_preflight, stop_preflight
    from pitchpipe.training.runs.run_folders import RunStatus

    folder = Path(prepared["folder"])
    with output.follow_stages(prepared["preflight"]) as follow:
        start_preflight(folder)
        try:
            while (state := read_preflight(folder)).status is RunStatus.RUNNING:
                follow(state.stage, state.step, state.total_steps)
                time.sleep(0.2)
        except KeyboardInterrupt:
            stop_preflight(folder)
            raise
    if state.status is not RunStatus.FINISHED:
        raise RunError(
            state.happened or f"The preflight {folder.name} ended as '{state.status}'.",
            state.advice or f"Look at {folder}/log.txt and run it again.",
        )
    return describe_preflight(state)


def _print_report(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from pitchpipe.studio.round_words import describe_facts, describe_verdict

    console = Console()
    console = Console(width=None if console.is_terminal else 140)
    facts = Table(title=Text("What will run"), title_justify="left", show_header=False)
    for name, words in describe_facts(found):
        facts.add_row(Text(name), Text(words))
    console.print(facts)
    findings = Table(title=Text("Findings"), title_justify="left", show_lines=True)
    for name in ("", "about", "what was found, and what to do"):
        findings.add_column(name)
    for entry in found["findings"]:
        mark, style = _MARKS[entry["severity"]]
        told = Text(entry["happened"])
        if entry["advice"]:
            told.append(f"\n{entry['advice']}", style="italic")
        if entry["rows"]:
            told.append(f"\nfor example {', '.join(entry['rows'])}", style="dim")
        findings.add_row(Text(mark, style=style), Text(entry["topic"]), told)
    console.print(findings)
    typer.echo(f"{describe_verdict(found['verdict'])} The whole report: {found['folder']}")
