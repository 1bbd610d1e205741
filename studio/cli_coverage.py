"""Commands about what the requests of a project cover: coverage, next-labels, subset."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, Workspace
from pitchpipe.studio.cli_output import run_command

Encoder = Annotated[str, typer.Option(help="What the vectors of requests are made by.")]


def coverage(
    project: ProjectName,
    clusters: Annotated[int | None, typer.Option(help="So many; as many as fit when left out.", min=1)] = None,
    want: Annotated[
        list[str] | None, typer.Option(help="A wanted kind, such as --want billing=50; all of them make the list.")
    ] = None,
    encoder: Encoder = "tfidf",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what the requests ask for: clusters, kinds, and gaps to what is wanted."""
    with run_command(json) as output:
        wanted = _read_wanted(want) if want else None
        found = output.call(workspace, "coverage", project=project, clusters=clusters, want=wanted, encoder=encoder)
        if json:
            output.show(found)
            return
        columns = ("name", "examples", "train", "holdout", "answers", "judgements", "pairs")
        output.show_table(
            {"clusters": [{column: row[column] for column in columns} for row in found["clusters"]]},
            "clusters", f"{found['requests']} requests of {project}",
        )  # fmt: skip
        if found["gaps"]:
            rows = [{**gap, "found_in": "; ".join(gap["found_in"]) or "nothing fits"} for gap in found["gaps"]]
            output.show_table({"gaps": rows}, "gaps", "Wanted and found")


def next_labels(
    project: ProjectName,
    limit: Annotated[int, typer.Option(help="So many at most.", min=1)] = 20,
    send: Annotated[bool, typer.Option("--send", help="Put them at the head of the queue.")] = False,
    encoder: Encoder = "tfidf",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what to label next, each with its reason."""
    with run_command(json) as output:
        found = output.call(workspace, "next_labels", project=project, limit=limit, send=send, encoder=encoder)
        if json:
            output.show(found)
            return
        columns = ("request", "reason", "uncertainty", "kind")
        rows = [{column: label[column] for column in columns} for label in found["next"]]
        output.show_table({"next": rows}, "next", f"Label these next in {project}")
        if send:
            sent = found["sent"]
            output.say(
                f"{sent['raised']} tasks raised, {sent['widened']} widened, {sent['made_for']} examples got one."
            )


def subset(
    project: ProjectName,
    way: Annotated[str, typer.Option(help="diverse, spread or balanced.")] = "diverse",
    budget: Annotated[int, typer.Option(help="Examples at most.", min=1)] = 1000,
    highest_cosine: Annotated[float, typer.Option(help="Of diverse: to one that is taken, 0 to 1.")] = 0.9,
    balance: Annotated[
        list[str] | None, typer.Option(help="Of balanced: source, kind, length or cluster; several times.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Tag the chosen examples.")] = None,
    encoder: Encoder = "tfidf",
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Choose a diverse, spread or balanced subset, and show what it does."""
    with run_command(json) as output:
        found = output.call(
            workspace, "subset", project=project, way=way, budget=budget, highest_cosine=highest_cosine,
            balance=balance or None, tag=tag, encoder=encoder,
        )  # fmt: skip
        if json:
            output.show(found)
            return
        figures = ("count", "mean_length", "nearest", "vendi", "quality")
        rows = [
            {"figure": figure, **{name: _round(found[name][figure]) for name in ("all", "subset", "random")}}
            for figure in figures
        ]
        output.show_table({"figures": rows}, "figures", f"{found['chosen']} of {project}, {way}")
        if tag is not None:
            output.say(f"They bear the tag '{tag}' now; the action is {found['action_id']}.")


def register(app: typer.Typer) -> None:
    """Adds the commands to the program."""
    app.command()(coverage)
    app.command(name="next-labels")(next_labels)
    app.command()(subset)


def _read_wanted(said: list[str]) -> dict[str, int]:
    from pitchpipe.store.coverage.gaps import parse_wanted

    return parse_wanted("\n".join(said))


def _round(number: Any) -> Any:
    return "–" if number is None else round(number, 3)
