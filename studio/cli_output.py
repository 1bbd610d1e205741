"""What commands print: tables for people, one JSON document for programs, progress and faults on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer


@contextmanager
def run_command(as_json: bool) -> Iterator[Output]:
    """Runs a command's body: a fault that we know is told in two parts and ends with its exit code."""
    output = Output(as_json)
    try:
        yield output
    except KeyboardInterrupt:
        output.say("Stopped.")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever reads, such as `head`, has had enough; the rest has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except _known_errors() as error:
        happened, _, advice = str(_explain(error)).partition("\n")
        typer.echo(f"{happened}\n{advice}", err=True)
        if as_json:
            typer.echo(json.dumps({"error": {"happened": happened, "advice": advice}}, ensure_ascii=False))
        raise typer.Exit(getattr(error, "exit_code", 1)) from None


def _known_errors() -> tuple[type[Exception], ...]:
    from pitchpipe.prompts.library import PromptError
    from pitchpipe.store.errors import PitchpipeError

    return PitchpipeError, PromptError, OSError


def _explain(error: Exception) -> BaseException:
    """An error of the disk in our two parts; ours are as they are."""
    if not isinstance(error, OSError):
        return error
    from pitchpipe.store.opening import explain_error

    return explain_error(error)


class Output:
    """Prints for one command; `as_json` turns every `show` into one JSON document on stdout."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def call(self, workspace: Path, verb: str, on_progress: Callable[..., None] | None = None, **values: Any) -> Any:
        """The result of a verb, from the store or from the studio that owns it."""
        from pitchpipe.studio.gateway import call_verb

        return call_verb(workspace, verb, values, on_progress)

    def run_round(self, workspace: Path, prepare: str, **values: Any) -> dict[str, Any]:
        """Prepares a run, runs it in a process of its own with progress on stderr, and registers it.

        Raises:
            RunError: the run failed or was interrupted; its folder says how far it came.
        """
        from pitchpipe.store.errors import RunError
        from pitchpipe.training.runs.launch import run_and_wait
        from pitchpipe.training.runs.run_folders import RunState, RunStatus

        prepared = self.call(workspace, prepare, **values)
        with self.follow_stages(prepared["run"]) as follow:

            def tell(state: RunState) -> None:
                follow(state.stage, state.step, state.total_steps)

            try:
                state = run_and_wait(Path(prepared["folder"]), tell)
            except KeyboardInterrupt:
                self.say(f"Go on with it later: python -m pitchpipe.training run {prepared['folder']}")
                raise
        if state.status is not RunStatus.FINISHED:
            raise RunError(
                state.happened or f"The run {prepared['run']} ended as '{state.status}'.",
                state.advice or f"Look at {prepared['folder']}/log.txt and start it again.",
            )
        registered: dict[str, Any] = self.call(
            workspace, "register", project=prepared["project"], folder=prepared["folder"]
        )
        return registered

    def say(self, text: str) -> None:
        """A line for people, on stderr."""
        typer.echo(text, err=True)

    def show(self, document: dict[str, Any]) -> None:
        """The document as JSON, or as an indented list for people."""
        if self.as_json:
            typer.echo(json.dumps(document, ensure_ascii=False, default=str))
        else:
            _print_fields(document)

    def show_table(self, document: dict[str, Any], key: str, title: str) -> None:
        """The document as JSON, or the list under `key` as a table."""
        if self.as_json:
            self.show(document)
        elif document[key]:
            _print_table(title, document[key])
        else:
            typer.echo(f"{title}: none yet.")

    def show_agreement(self, document: dict[str, Any]) -> None:
        """Agreement by question; with one question, JSON carries its figures at the top as well."""
        questions = document["questions"]
        main = next((q for q in questions if q["question"] == "verdict"), questions[0] if questions else {})
        if self.as_json:
            self.show({**document, **{name: value for name, value in main.items() if name not in document}})
        elif not questions:
            typer.echo("Nobody has judged anything in this project yet.")
        else:
            _print_table(
                f"Agreement in {document['project']}",
                [_summarise_question(question) for question in questions],
            )

    def show_import(self, report: dict[str, Any]) -> None:
        """What an import did, with the first rejected rows."""
        if self.as_json:
            self.show(report)
            return
        added = ", ".join(f"{report[name]} {name}" for name in ("examples", "candidates", "tasks", "judgements"))
        typer.echo(
            f"{report['file']}: {report['rows']} rows, {report['accepted']} accepted, {report['rejected']} rejected."
        )
        typer.echo(f"New in {report['project']}: {added}. {report['holdout']} of its examples are sealed.")
        if report["trees"]:
            typer.echo(f"{report['trees']} conversation trees; all messages of a tree lie on one side of the seal.")
        for reject in report["rejects"][:20]:
            typer.echo(f"  row {reject['line']}, {reject['column'] or 'whole row'}: {reject['reason']}")
        if report["rejected"] > 20:
            typer.echo(f"  and {report['rejected'] - 20} more; --json lists them.")
        if report["split_conflicts"]:
            typer.echo(f"{report['split_conflicts']} groups keep the side of the seal that they had before.")

    def show_demo(self, summary: dict[str, Any]) -> None:
        """The loop in one table: rows by stage, then what the tuning did."""
        if self.as_json:
            self.show(summary)
            return
        nll, style = summary["holdout_nll"], summary["style_rate"]
        rows = {
            **summary["stages"],
            "holdout NLL per token, base -> tuned": f"{_round(nll['base'])} -> {_round(nll['tuned'])}",
            "house style on the sealed holdout, base -> tuned": f"{style['base']:.0%} -> {style['tuned']:.0%}",
            "pairs exported": summary["pairs"],
            "DPO margin at step 0": f"{summary['dpo_step0_margin']:g}",
            "review tasks waiting for people": summary["review_tasks"],
            "seconds": f"{summary['seconds']:.0f}",
        }
        _print_table("The loop", [{"what": name, "rows or figure": str(value)} for name, value in rows.items()])

    def parse_dials(self, settings: list[str] | None) -> dict[str, Any]:
        """`name=value` settings as values: TOML literals where they are ones, else text."""
        import tomllib

        from pitchpipe.store.errors import UsageError

        dials: dict[str, Any] = {}
        for setting in settings or []:
            name, equals, text = setting.partition("=")
            if not equals:
                raise UsageError(f"'{setting}' is no setting.", "Write it as name=value, such as --set epochs=1.")
            try:
                dials[name.strip()] = tomllib.loads(f"value = {text}")["value"]
            except tomllib.TOMLDecodeError:
                dials[name.strip()] = text
        return dials

    @contextmanager
    def count_rows(self, title: str) -> Iterator[Callable[[int], None]]:
        """A counter on stderr while rows are read."""
        with _open_progress() as progress:
            bar = progress.add_task(title, total=None)
            yield lambda rows: progress.update(bar, completed=rows)

    @contextmanager
    def follow_stages(self, title: str) -> Iterator[Callable[[str, int, int], None]]:
        """A bar on stderr that follows the stages and steps of a run."""
        with _open_progress() as progress:
            bar = progress.add_task(title, total=None)

            def follow(stage: str, step: int, total: int) -> None:
                progress.update(bar, description=f"{title} · {stage}", completed=step, total=total or None)

            yield follow


def _open_progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Redirecting stdout would put the JSON document through the progress console.
    # A log file gets the lines of the stages, not the frames of a bar.
    return Progress(*columns, console=Console(stderr=True), redirect_stdout=False, disable=not sys.stderr.isatty())


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="right" if isinstance(rows[0][name], int | float) else "left")
    for row in rows:
        # As Text: stored names must not be read as rich's own markup.
        table.add_row(*(Text(str(value)) for value in row.values()))
    console = Console()
    # Piped output has no width of its own; 80 columns would break every second cell.
    Console(width=None if console.is_terminal else 140).print(table)


def _print_fields(document: dict[str, Any], indent: int = 0) -> None:
    for name, value in document.items():
        if isinstance(value, dict) and value:
            typer.echo(f"{' ' * indent}{name}:")
            _print_fields(value, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            typer.echo(f"{' ' * indent}{name}:")
            for entry in value:
                _print_fields(entry, indent + 2)
                typer.echo("")
        else:
            typer.echo(f"{' ' * indent}{name}: {value}")


def _summarise_question(question: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": question["kind"],
        "question": question["question"],
        "level": question["level"],
        "alpha": _round(question["alpha"]),
        "95% CI": _describe_interval(question),
        "AC1": _round(question["ac1"]),
        "raw": _round(question["raw_agreement"]),
        "unanimous": f"{question['unanimous']} of {question['pairable_units']}",
        "raters": question["raters"],
    }


def _describe_interval(question: dict[str, Any]) -> str:
    if question["alpha"] is None:
        return f"undefined: {question['undefined_because']}"
    return f"{_round(question['alpha_low'])} to {_round(question['alpha_high'])}"


def _round(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
