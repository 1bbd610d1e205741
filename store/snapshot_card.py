"""The dataset card of a snapshot: what it is, where it comes from, what was left out and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def write_card(
    snapshot_id: str, project: str, counts: dict[str, int], rows: list[dict[str, Any]], drops: list[dict[str, Any]]
) -> str:
    """The card as Markdown; the same content gives the same text."""
    sources = Counter(str(row["source"]) for row in rows)
    raters = sorted({rater for row in rows for rater in json.loads(row["raters"])})
    rules = Counter(drop["rule"] for drop in drops)
    kinds = {name: count for name, count in counts.items() if name not in ("rows", "dropped")}
    return "\n".join([
        f"# {project}: snapshot {snapshot_id}",
        "",
        f"{counts['rows']} rows, {counts['dropped']} units left out, each with its reason in `dropped.parquet`.",
        "",
        "## Rows by kind and side",
        *_table(kinds),
        "",
        "Rows on the sealed side (`split = holdout`) are for evaluation; every export and trainer refuses them.",
        "",
        "## Where they come from",
        *_table(dict(sorted(sources.items()))),
        "",
        f"Judged by {len(raters)} raters: {', '.join(raters) or 'nobody'}.",
        "",
        "## What was left out",
        *(_table(dict(sorted(rules.items()))) if rules else ["Nothing."]),
        "",
        "## How to use it",
        "Each row carries its consensus, the share of raters that support it, and the ids of the judgements behind it.",
        "`recipe.json` says how judgements became rows; `manifest.json` holds the hash of every file.",
        "",
    ])  # fmt: skip


def _table(counts: dict[str, int]) -> list[str]:
    return ["", "| what | count |", "|---|---|", *(f"| {name} | {count} |" for name, count in counts.items())]
