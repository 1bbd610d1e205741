"""Commands about the rules of quality: what they would find, and what they compare with."""

from __future__ import annotations

from pathlib import Path
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


def evaluation_sets(
    project: ProjectName,
    file: Annotated[Path | None, typer.Option(help="Test items to add: JSONL, JSON, CSV, TSV or Parquet.")] = None,
    name: Annotated[str | None, typer.Option(help="What the set is called; the file's name if left out.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", help="A column whose text belongs to an item; guessed if none is named."),
    ] = None,
    look: Annotated[bool, typer.Option(help="Look how many items the training side holds.")] = True,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """List the sets of test items that no training row may contain and how much of them is in there, or add one."""
    with run_command(json) as output:
        values: dict[str, Any] = {"file": str(file) if file else None, "name": name, "fields": fields, "look": look}
        found = output.call(workspace, "evaluation_sets", project=project, **values)
        shown = found if json else {"sets": [_tell_set(one) for one in found["sets"]]}
        output.show_table(shown, "sets", f"Evaluation sets of {project}")
        if not json:
            for one in found["sets"]:
                if one.get("flagged"):
                    output.say(_warn_of(one))
            for row in found["rejected"][:_LISTED]:
                output.say(f"Line {row['line']} gave no item: {row['reason']}")
            if len(found["rejected"]) > _LISTED:
                output.say(f"and {len(found['rejected']) - _LISTED} more; --json lists them.")


def _warn_of(one: dict[str, Any]) -> str:
    return (
        f"{one['share']:.1%} of '{one['name']}' stands in the training side, more than 2 %: a result on it would "
        "measure memory. Leave the rows out with the rule contamination."
    )


def _tell_set(one: dict[str, Any]) -> dict[str, Any]:
    """A set on one line: its hash shortened, its hits counted."""
    shown = {"name": one["name"], "items": one["items"], "since": one["since"]}
    if "found" in one:
        shown |= {"in the training side": f"{one['found']} ({one['share']:.1%})", "word by word": one["word_by_word"]}
    return shown


def register(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(check)
    app.command(name="evaluation-sets")(evaluation_sets)
