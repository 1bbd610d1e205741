"""The `pitchpipe` command: parses, calls one verb, prints. Results go to stdout, progress to stderr.

Heavy packages load inside the commands, so that `pitchpipe --help` answers at once. Exit codes: 0 done, 1 a fault that
is told in two parts, 2 a wrong use of the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pitchpipe.studio import cli_consensus, cli_coverage, cli_data, cli_labelling, cli_people, cli_rules, cli_snapshots
from pitchpipe.studio.cli_exports import add_export_commands
from pitchpipe.studio.cli_imports import show_preview
from pitchpipe.studio.cli_options import DEFAULT_WORKSPACE, Json, ProjectName, RunId, Workspace
from pitchpipe.studio.cli_output import Output, run_command
from pitchpipe.studio.cli_panels import LoopGroup, name_panels
from pitchpipe.studio.cli_queue import add_commands
from pitchpipe.studio.cli_resume import add_resume_commands
from pitchpipe.studio.cli_rounds import add_round_commands
from pitchpipe.studio.cli_serving import add_serving_commands
from pitchpipe.studio.cli_shipping import add_shipping_commands
from pitchpipe.studio.cli_watch import add_watch_commands

app = typer.Typer(
    name="pitchpipe",
    cls=LoopGroup,
    help="From human judgements to a tuned model and back, on one machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli_snapshots.register(app)
add_commands(app)
cli_data.add_commands(app)
cli_labelling.add_commands(app)
cli_consensus.add_commands(app)
add_export_commands(app)
add_round_commands(app)


@app.command()
def init(
    workspace: Workspace = DEFAULT_WORKSPACE,
    project: Annotated[str | None, typer.Option("--project", "-p", help="Also make this project.")] = None,
    overlap: Annotated[int, typer.Option(help="Annotators for each task, 1 or more.")] = 1,
    holdout_share: Annotated[float, typer.Option(help="Share of prompts sealed for evaluation, 0 to 0.5.")] = 0.1,
    json: Json = False,
) -> None:
    """Make the workspace and, if one is named, a project."""
    with run_command(json) as output:
        output.show(output.call(workspace, "init", project=project, overlap=overlap, holdout_share=holdout_share))


@app.command(name="import")
def import_file(
    file: Annotated[str, typer.Argument(help="JSONL, JSON, CSV, TSV, Parquet, a folder of such, or hf://org/name.")],
    project: ProjectName,
    format: Annotated[str | None, typer.Option(help="A known format; guessed when left out.")] = None,
    map: Annotated[Path | None, typer.Option("--map", help="A TOML mapping file.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would come in; store nothing.")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Import examples, answers, ratings and preferences from a file."""
    with run_command(json) as output:
        values = {"file": file, "project": project, "format": format, "map": str(map) if map else None}
        with output.count_rows(f"Reading {Path(file).name}") as count:
            verb = "import_preview" if dry_run else "import_file"
            report = output.call(workspace, verb, on_progress=count, **values)
        if dry_run:
            show_preview(output, report)
        else:
            output.show_import(report)


@app.command()
def tasks(
    project: ProjectName,
    create: Annotated[
        str | None,
        typer.Option(help="Make tasks of this kind: rate, compare, rank, edit, write, tag, span, turns or screen."),
    ] = None,
    overlap: Annotated[int | None, typer.Option(help="Annotators for each new task.")] = None,
    limit: Annotated[int | None, typer.Option(help="Make at most so many.")] = None,
    rubric: Annotated[str | None, typer.Option(help="The rubric (or screen) that new tasks ask by.")] = None,
    priority: Annotated[int, typer.Option(help="Of new tasks; higher ones are handed out first.")] = 0,
    skill: Annotated[str | None, typer.Option(help="Language or skill that annotators of new tasks must have.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show the queue, or make tasks for people."""
    with run_command(json) as output:
        order: dict[str, Any] = {
            "create": create,
            "overlap": overlap,
            "limit": limit,
            "rubric": rubric,
            "priority": priority,
        }
        found = output.call(workspace, "tasks", project=project, skill=skill, **order)
        output.show_table(found, "tasks", f"Tasks of {project}")


@app.command()
def agreement(project: ProjectName, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Measure how far annotators agree, question by question."""
    with run_command(json) as output:
        output.show_agreement(output.call(workspace, "agreement", project=project))


@app.command()
def train(
    method: Annotated[str, typer.Option(help="sft, dpo, kto, reward, or another with a recipe.")],
    snapshot: Annotated[str, typer.Option(help="Name or id of a snapshot.")],
    plan: Annotated[Path | None, typer.Option(help="A TOML plan; the CPU recipe when left out.")] = None,
    model: Annotated[str | None, typer.Option(help="embedded, a model id, a folder, or the id of a run.")] = None,
    dial: Annotated[list[str] | None, typer.Option("--set", help="A dial of the plan, such as --set epochs=1.")] = None,
    later: Annotated[bool, typer.Option("--later", help="Only make the run folder, for `pitchpipe job`.")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Tune a model on a snapshot."""
    with run_command(json) as output:
        chosen = str(plan) if plan else None
        values: dict[str, Any] = {"method": method, "snapshot": snapshot, "plan": chosen, "model": model}
        values["dials"] = output.parse_dials(dial)
        start = output.call if later else output.run_round
        output.show(start(workspace, "prepare_training", **values))


@app.command()
def evaluate(
    run: RunId,
    checks: Annotated[
        Path | None, typer.Option(help="A TOML file of format checks, such as sample_data/style.toml.")
    ] = None,
    max_prompts: Annotated[int, typer.Option(help="Sealed prompts to answer; 0 takes all (or the plan's).")] = 0,
    plan: Annotated[Path | None, typer.Option(help="A TOML plan with kind = evaluate.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Measure a training run on the sealed holdout, against its base."""
    with run_command(json) as output:
        values = {"run": run, "checks": str(checks) if checks else None, "max_prompts": max_prompts}
        output.show(output.run_round(workspace, "prepare_evaluation", **values, plan=str(plan) if plan else None))


@app.command()
def review(project: ProjectName, workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Show the batches of blind comparisons and how many wait."""
    with run_command(json) as output:
        output.show_table(output.call(workspace, "review", project=project), "reviews", f"Reviews of {project}")


@app.command()
def report(
    project: ProjectName,
    run: Annotated[str | None, typer.Option(help="Only the review of this generate run.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show runs and the outcome of closed reviews."""
    with run_command(json) as output:
        output.show(output.call(workspace, "report", project=project, run=run))


@app.command()
def lineage(
    id: Annotated[str, typer.Argument(help="Id of anything, or an annotator's name.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Show what a thing was made from and what was made from it."""
    with run_command(json) as output:
        output.show(output.call(workspace, "lineage", id=id))


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8501,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Open the studio."""
    with run_command(False) as output:
        from pitchpipe.studio.server import serve

        def tell(url: str) -> None:
            output.say(f"The studio is at {url} (workspace: {workspace}). Stop it with Ctrl+C.")

        serve(workspace, host, port, tell)


@app.command()
def demo(
    workspace: Workspace = DEFAULT_WORKSPACE,
    json: Json = False,
) -> None:
    """Run the whole loop on the sample data."""
    with run_command(json) as output:
        from pitchpipe.studio.demo import run_demo

        output.show_demo(run_demo(workspace, output))
        output.say(f"Judge the review tasks: pitchpipe up --workspace {workspace}")


@app.command()
def doctor(workspace: Workspace = DEFAULT_WORKSPACE, json: Json = False) -> None:
    """Check that everything the studio needs is here."""
    with run_command(json) as output:
        from pitchpipe.studio.doctor import examine

        findings: list[dict[str, Any]] = examine(workspace)
        output.show_table({"findings": findings}, "findings", "Doctor")
        if not all(finding["is_well"] for finding in findings):
            raise typer.Exit(1)


cli_people.register(app)
add_serving_commands(app)
add_shipping_commands(app)
add_watch_commands(app)
add_resume_commands(app)
cli_rules.register(app)
cli_coverage.register(app)
name_panels(app)


def main() -> None:
    """Entry point of the console script."""
    app()


__all__ = ["Output", "app", "main"]
