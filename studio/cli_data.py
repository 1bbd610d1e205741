"""Commands about the rows of a project: find them, look at one, decide on many, take back."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, Workspace
from pitchpipe.studio.cli_output import run_command

Words = Annotated[str, typer.Option(help='Words in requests and answers; "a phrase", -without.')]
Where = Annotated[
    list[str] | None, typer.Option(help="A condition: FIELD=VALUE, !=, >=, <= or ~; several all have to hold.")
]
Sql = Annotated[str, typer.Option(help="One SELECT with a column example_id.")]
SliceName = Annotated[str | None, typer.Option("--slice", help="A saved slice.")]
_SHORT = 60
_SHOWN = ("request", "category", "judgements", "rating", "decision")
"""What a terminal has room for beside the id."""


def rows(
    project: ProjectName,
    words: Words = "",
    where: Where = None,
    sql: Sql = "",
    slice: SliceName = None,
    sort: Annotated[str, typer.Option(help="A field to sort by.")] = "position",
    descending: Annotated[bool, typer.Option("--descending", help="Highest first.")] = False,
    limit: Annotated[int, typer.Option(help="So many rows.")] = 20,
    offset: Annotated[int, typer.Option(help="After so many.")] = 0,
    columns: Annotated[str | None, typer.Option(help="Fields to show, such as request,rating.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Find examples by words, conditions on fields and SQL."""
    with run_command(json) as output:
        chosen = [name.strip() for name in columns.split(",")] if columns else None if json else list(_SHOWN)
        found = output.call(
            workspace, "rows", project=project, words=words, where=where, sql=sql, slice=slice, sort=sort,
            descending=descending, limit=limit, offset=offset, columns=chosen,
        )  # fmt: skip
        if not json:
            found["rows"] = [{name: _shorten(value) for name, value in row.items()} for row in found["rows"]]
        output.show_table(found, "rows", f"{found['found']:,} examples of {project}")


def row(
    example: Annotated[str, typer.Argument(help="Id of an example.")],
    project: ProjectName,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show everything known about one example, and why it is in or out."""
    with run_command(json) as output:
        found = output.call(workspace, "row", project=project, example=example)
        output.show(found if json else _say_row(found))


def slices(
    project: ProjectName,
    save: Annotated[str | None, typer.Option(help="Save the words, conditions and SQL under this name.")] = None,
    words: Words = "",
    where: Where = None,
    sql: Sql = "",
    delete: Annotated[str | None, typer.Option(help="Forget the slice of this name.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """List the saved slices, save one or forget one."""
    with run_command(json) as output:
        found = output.call(
            workspace, "slices", project=project, save=save, words=words, where=where, sql=sql, delete=delete
        )
        output.show_table(found, "slices", f"Slices of {project}")


def curate(
    kind: Annotated[str, typer.Argument(help="keep, drop, tag, untag or queue.")],
    project: ProjectName,
    examples: Annotated[list[str] | None, typer.Argument(help="Ids of examples or answers; or name a slice.")] = None,
    words: Words = "",
    where: Where = None,
    sql: Sql = "",
    slice: SliceName = None,
    note: Annotated[str, typer.Option(help="Why; a drop needs it.")] = "",
    tag: Annotated[str | None, typer.Option(help="Of tag and untag.")] = None,
    task: Annotated[str | None, typer.Option(help="Of queue: the kind of task.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Of queue: annotators for each new task.")] = None,
    rubric: Annotated[str | None, typer.Option(help="Of queue: the rubric or screen.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Keep, drop, tag or queue many examples in one action."""
    with run_command(json) as output:
        values: dict[str, Any] = {
            "words": words, "where": where, "sql": sql, "slice": slice, "note": note, "tag": tag, "task": task,
            "overlap": overlap, "rubric": rubric,
        }  # fmt: skip
        output.show(output.call(workspace, "curate", project=project, kind=kind, examples=examples, **values))


def actions(
    project: ProjectName,
    limit: Annotated[int, typer.Option(help="So many.")] = 20,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """List what was done to many examples at once."""
    with run_command(json) as output:
        output.show_table(
            output.call(workspace, "actions", project=project, limit=limit), "actions", f"Actions on {project}"
        )


def undo_action(
    action: Annotated[str, typer.Argument(help="Id of an action.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Undo an action as a whole; once more, and it is done again."""
    with run_command(json) as output:
        output.show(output.call(workspace, "undo_action", action=action))


def add_commands(app: typer.Typer) -> None:
    """Registers the commands of this module."""
    for command in (rows, row, slices, curate, actions):
        app.command()(command)
    app.command(name="undo-action")(undo_action)


def _say_row(found: dict[str, Any]) -> dict[str, Any]:
    """A card as lines that can be read in a terminal; JSON has all of it."""
    said = {f"{role}": words for role, words in found["messages"]}
    answers = {
        f"answer {place + 1} ({answer['model'] or answer['origin']})": answer["text"]
        for place, answer in enumerate(found["answers"])
    }
    opinions = {
        f"{opinion['annotator']} ({opinion['kind']})": " ".join(f"{opinion['value']} {opinion['reason']}".split())
        for opinion in found["opinions"]
    }
    return {
        "standing": " ".join(found["standing"]), **said, **answers, "judgements": opinions,
        "tags": ", ".join(tag for tag, _, _ in found["tags"]), "models that learned": ", ".join(found["learned"]),
    }  # fmt: skip


def _shorten(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 2)
    if isinstance(value, list):
        return ", ".join(str(entry) for entry in value)
    text = " ".join(str(value).split()) if isinstance(value, str) else value
    return f"{text[:_SHORT]}…" if isinstance(text, str) and len(text) > _SHORT else text
