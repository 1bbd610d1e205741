"""Commands about how a project hands out its work: rules, known answers, suggestions."""

from __future__ import annotations

from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, Workspace
from pitchpipe.studio.cli_output import run_command


def rules(
    project: ProjectName,
    changes: Annotated[list[str] | None, typer.Option("--set", help="A rule, such as --set gold_every=10.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show the rules by which a project hands out tasks, or change them."""
    with run_command(json) as output:
        found = output.call(workspace, "rules", project=project, set=output.parse_dials(changes) or None)
        output.show_table(found, "rules", f"Rules of {project}")
        if not json:
            cost = found["cost_left"]
            more = f", and about {cost['expected_extra']:.0f} more by disagreement" if cost["expected_extra"] else ""
            output.say(f"{cost['slots_left']} judgements are still asked for{more}.")


def gold(
    project: ProjectName,
    task: Annotated[str | None, typer.Option(help="Id of a task whose answer is known.")] = None,
    value: Annotated[
        str | None, typer.Option(help='The answer as JSON, such as \'{"verdict": "a", "strength": -2}\'.')
    ] = None,
    explanation: Annotated[str, typer.Option(help="Why, for annotators where feedback is on.")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show the tasks with known answers, or make a task one."""
    with run_command(json) as output:
        known = None if value is None else _parse_value(value)
        found = output.call(workspace, "gold", project=project, task=task, value=known, explanation=explanation)
        output.show_table(found, "gold", f"Known answers of {project}")


def suggest(
    file: Annotated[Path, typer.Argument(help='JSONL, one {"task_id", "value", "score"} a line.')],
    project: ProjectName,
    source: Annotated[str, typer.Option(help="What made the suggestions, such as topics-v1.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Keep a model's suggestions for tasks; shown where the rule `suggestions` is on."""
    with run_command(json) as output:
        output.show(output.call(workspace, "suggest", project=project, file=str(file), source=source))


def add_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    for command in (rules, gold, suggest):
        app.command()(command)


def _parse_value(text: str) -> dict[str, Any]:
    from pitchpipe.store.errors import UsageError

    try:
        value = loads(text)
    except JSONDecodeError as error:
        raise UsageError(f"The value {text!r} is not JSON: {error.msg}.", "Put it in single quotes.") from error
    if not isinstance(value, dict):
        raise UsageError(f"The value {text!r} is no object.", 'Write it like {"verdict": "a", "strength": -2}.')
    return value
