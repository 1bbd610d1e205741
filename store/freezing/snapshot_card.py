"""The dataset card of a snapshot: what it is, where it comes from, what was left out and why, what it cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pitchpipe.store.freezing.knowledge import Recipe
from pitchpipe.store.freezing.snapshot_figures import count_drops, measure_rows

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"))  # fmt: skip
_LIMITS = (
    "Near-duplicates of sealed requests are found by their words; the same request in other words is not.",
    "Words are counted at white space; tokens depend on the model and are counted when it is trained.",
    "A consensus of few raters is a weak one: look at `support` and `n_judgements` of each row.",
    "`raters` holds the names that people signed in with, and rows hold what was imported: replace the names and look "
    "for personal data before this goes to others.",
    "Licence and language are not known to the studio; add both to the head of this card before it is published.",
)


_END = [
    "## Known limits",
    "",
    *(f"- {limit}" for limit in _LIMITS),
    "",
    "## How to use it",
    "",
    "Each row carries its consensus, the share of raters that support it, and the ids of the judgements behind it.",
    "`recipe.json` says how judgements became rows; `manifest.json` holds the hash of every file.",
    "",
]


def write_card(
    facts: Mapping[str, Any], recipe: Recipe, rows: pl.DataFrame, drops: pl.DataFrame, marks: pl.DataFrame
) -> str:
    """The card as Markdown with the YAML head that the Hugging Face Hub reads; the same content gives the same text.

    Args:
        facts: the fields of the manifest.
    """
    counts, figures = facts["counts"], measure_rows(rows)
    kinds = {name: count for name, count in counts.items() if name not in ("rows", "dropped")}
    units = counts["rows"] + counts["dropped"]
    return "\n".join([
        *_write_head(facts["project"], counts["rows"]),
        f"# {facts['project']}: snapshot {facts['snapshot_id']}",
        "",
        f"{units} units were considered: {counts['rows']} are rows, {counts['dropped']} were left out, each with its "
        "reason in `dropped.parquet`.",
        "",
        "## Rows by kind and side",
        *_table(("what", "count"), kinds.items()),
        "",
        "Rows on the sealed side (`split = holdout`) are for evaluation; every export and trainer refuses them.",
        "",
        *_tell_seal(facts["leak_gate"]),
        "## Where the training rows come from",
        *_table(("source", "rows"), figures["sources"].items()),
        "",
        *_tell_figures(figures),
        *_tell_consensus(recipe, figures),
        "## What was left out",
        *_list_found(drops, "Nothing."),
        "",
        *_tell_marks(marks),
        *_END,
    ])  # fmt: skip


def _write_head(project: str, count: int) -> list[str]:
    """The YAML that the Hub reads. JSON strings are YAML strings, whatever a project is called."""
    size = next((name for limit, name in _SIZES if count < limit), "n>10M")
    return [
        "---",
        f"pretty_name: {_quote(project)}",
        "size_categories:",
        f'- "{size}"',
        "tags:",
        "- human-feedback",
        "- pitchpipe",
        "configs:",
        # A split of its own name: the file holds sealed rows too, and must not be taken for a training split.
        *_write_config("rows", "rows.parquet", is_default=True),
        *_write_config("dropped", "dropped.parquet"),
        "---",
    ]


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_config(name: str, file: str, is_default: bool = False) -> list[str]:
    default = ["  default: true"] if is_default else []
    return [f"- config_name: {name}", *default, "  data_files:", "  - split: everything", f"    path: {file}"]


def _tell_seal(proof: Mapping[str, Any]) -> list[str]:
    taught, sealed = proof["compared"]
    copied = proof["answers_copied_from_sealed"]
    return [
        "## The seal",
        "",
        f"{taught} distinct requests of the training side were compared with {sealed} sealed ones: "
        f"{proof['near_duplicate_pairs_across']} are at least {proof['threshold']} similar ({proof['method']}), and "
        f"{proof['groups_on_both_sides']} groups lie on both sides. {proof['left_out']} units were left out for it.",
        *([f"{copied} training rows have an answer of 8 words or more that a sealed row has word for word; they stay."]
          if copied else []),
        "",
    ]  # fmt: skip


def _tell_figures(figures: Mapping[str, Any]) -> list[str]:
    bias, words = figures["length_bias"], figures["words"]
    lines = ["## Lengths", "", f"{words['requests']} words in requests, {words['answers']} in answers (training side)."]
    if bias["pairs"]:
        lines.append(
            f"The longer answer won in {bias['longer_won']:.0%} of {bias['pairs']} decided pairs "
            f"({bias['mean_chosen_words']:.1f} words chosen, {bias['mean_rejected_words']:.1f} rejected on average)."
        )
    return [*lines, ""]


def _tell_consensus(recipe: Recipe, figures: Mapping[str, Any]) -> list[str]:
    by_question = "".join(f", {question}: {strategy}" for question, strategy in sorted(recipe.strategies))
    policy = [f"Ratings are joined by {recipe.strategy}{by_question}."]
    policy.append(
        "Pairs whose consensus is a tie " + ("stay ties." if recipe.tie_policy == "keep" else "are left out.")
    )
    if recipe.widest_spread is not None:
        policy.append(f"Ratings more than {recipe.widest_spread} apart are left out.")
    if recipe.lowest_support is not None:
        policy.append(f"Rows with less than {recipe.lowest_support:.0%} of their raters behind them are left out.")
    support = (
        "" if figures["support"] is None else f" On average {figures['support']:.0%} of a row's raters agree with it."
    )
    return [
        "## Who judged, and how opinions were joined",
        "",
        f"{figures['judgements']} judgements of {figures['raters']} raters stand behind the training rows.{support}",
        " ".join(policy),
        "A curator's adjudication decides alone; gold tasks and repeats measure people and enter no row.",
        "",
    ]


def _tell_marks(marks: pl.DataFrame) -> list[str]:
    if marks.is_empty():
        return []
    found = [
        {**row, "rule": f"{row['rule']} ({action})"}
        for (action,), listed in sorted(marks.group_by("action"), key=lambda pair: str(pair[0]))
        for row in count_drops(listed)
    ]
    return ["## What rules found of rows that stay", *_tabulate(found), ""]


def _list_found(drops: pl.DataFrame, otherwise: str) -> list[str]:
    found = count_drops(drops)
    return _tabulate(found) if found else ["", otherwise]


def _tabulate(found: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [(row["rule"], row["version"], row["count"], row["reason"]) for row in found]
    return _table(("rule", "version", "count", "such as"), rows)


def _table(head: Sequence[str], rows: Any) -> list[str]:
    return ["", _line(head), _line(["---"] * len(head)), *(_line(row) for row in rows)]


def _line(cells: Sequence[Any]) -> str:
    """A row of a table. Reasons hold what curators typed: no bar or line break may end a cell early."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"
