"""How `pitchpipe --help` is laid out: commands in panels, in the order of the loop."""

from __future__ import annotations

import typer
from typer.core import TyperGroup
from typer.models import CommandInfo, TyperInfo

PANELS: dict[str, tuple[str, ...]] = {
    "Work here": ("up", "init", "demo", "doctor"),
    "Import and rows": ("import", "rows", "row", "slices"),
    "Judging": ("tasks", "rules", "gold", "suggest", "suggest-labels", "people", "agreement", "export-judgements"),
    "Curating": (
        *("check", "evaluation-sets", "consensus", "models", "coverage", "next-labels", "subset"),
        *("curate", "actions", "undo-action"),
    ),
    "Snapshots and exports": ("snapshot", "export", "export-check", "mixture"),
    "Training": ("preflight", "train", "watch", "resume", "continue-from"),
    "Measuring and review": ("evaluate", "generate", "review", "report", "lineage"),
    "Shipping": ("ship", "shipped", "check-serving", "job"),
}
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
_ORDER = list(_PANEL_OF)


class LoopGroup(TyperGroup):
    """Lists commands in the order of `PANELS`, groups among them; one that no panel names comes last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The names of all commands, in the order in which help shows them."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _PANEL_OF else len(_ORDER))


def name_panels(app: typer.Typer) -> None:
    """Give each registered command of `app` its panel; called once all are registered."""
    entries: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for entry in entries:
        name = entry.name or getattr(entry.callback, "__name__", "").replace("_", "-")
        if name in _PANEL_OF:
            entry.rich_help_panel = _PANEL_OF[name]
