"""What `pitchpipe import --dry-run` prints."""

from __future__ import annotations

from typing import Any

import typer

from pitchpipe.studio.cli_output import Output

_LISTED = 20
_WIDTH = 100


def show_preview(output: Output, preview: dict[str, Any]) -> None:
    """The dry run of an import: how it is read, its first rows, what would be new and what refused."""
    if output.as_json:
        output.show(preview)
        return
    how = f"as {preview['format']}" if preview["format"] else "by the mapping"
    typer.echo(f"{preview['file']} is read {how}: {preview['reason']}.")
    for number, example in enumerate(preview["examples"], start=1):
        typer.echo(f"{number:>3}. {example['kind']}: {_shorten(example['messages'][-1]['content'])}")
        for candidate in example["candidates"]:
            typer.echo(f"     answer: {_shorten(candidate['text'])}")
        for judgement in example["judgements"]:
            typer.echo(f"     {judgement['rater']}: {_shorten(str(judgement['value']))}")
    typer.echo(f"{preview['rows']} rows, {preview['accepted']} accepted, {preview['rejected']} rejected.")
    kinds = ", ".join(f"{count} {kind}" for kind, count in preview["kinds"].items())
    typer.echo(f"Rows by kind: {kinds or 'none'}. Raters: {len(preview['raters'])}.")
    for table, count in preview["new"].items():
        typer.echo(f"  {table}: {count} new, {preview['known'][table]} known")
    about = "about " if preview["is_new_project"] else ""
    typer.echo(f"Sealed: {about}{preview['sides']['holdout']} of {sum(preview['sides'].values())} examples.")
    for reject in preview["rejects"][:_LISTED]:
        typer.echo(f"  row {reject['line']}, {reject['column'] or 'whole row'}: {reject['reason']}")
    if preview["rejected"] > _LISTED:
        typer.echo(f"  and {preview['rejected'] - _LISTED} more; --json lists them.")
    typer.echo("Nothing was stored: this was a dry run.")


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"
