"""Commands about the rules of quality: what they would find, and what they compare with."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, Workspace
from pitchpipe.studio.cli_output import Output, run_command

_LISTED = 5
_WIDTH = 110


def check(
    project: ProjectName,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="A rule, as ID or ID:ACTION (drop, mask, mark); all, only marking, if none is named."),
    ] = None,
    dial: Annotated[
        list[str] | None,
        typer.Option("--set", help="A dial: --set leniency=1.5 or --set refusal.most_words=80."),
    ] = None,
    evaluation_set: Annotated[list[str] | None, typer.Option(help="Compare with this set alone.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Whose tokens count: embedded, a folder, a run's folder, a cached id.")
    ] = None,
    limit: Annotated[int, typer.Option(help="List at most so many hits of each rule.")] = 100,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what rules of quality would find; nothing is changed."""
    with run_command(json) as output:
        values = {"rule": rule, "set": output.parse_dials(dial) or None, "evaluation_set": evaluation_set}
        with output.follow_stages("Checking") as follow:
            found = output.call(
                workspace, "check", lambda done, total, title: follow(title, done, total),
                project=project, model=model, limit=limit, **values,
            )  # fmt: skip
        _show_findings(output, found)


def _show_findings(output: Output, found: dict[str, Any]) -> None:
    if output.as_json:
        output.show(found)
        return
    rows = [
        {
            "rule": rule["rule"],
            "action": rule["action"],
            "rows seen": rule["seen"],
            "hits": rule["hits"],
            "share": f"{rule['share']:.1%}",
            "by kind and side": _tell_parts(rule["by_part"]),
        }
        for rule in found["rules"]
    ]
    output.show_table({"rules": rows}, "rules", f"Checks of {found['project']}")
    for rule in found["rules"]:
        for hit in rule["listed"][:_LISTED]:
            typer.echo(f"{rule['rule']}  {hit['example_id']}  {hit['split']}: {hit['reason']}")
            typer.echo(f"    {_shorten(hit['excerpt'])}")
        if rule["hits"] > _LISTED and rule["listed"]:
            typer.echo(f"    and {rule['hits'] - _LISTED} more; --json lists {len(rule['listed'])}.")
    typer.echo(f"{found['rows']} rows, of which {found['would_stay']} would stay. Nothing was changed.")


def _tell_parts(parts: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in parts.items())


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def register(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(check)
