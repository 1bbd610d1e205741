"""What one can do with the rules of quality, like `verbs`: one function a verb, plain values in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pitchpipe.store.checking import Preview, describe_hit, preview_rules
from pitchpipe.store.contamination_report import ContaminationReport, report_all_contamination
from pitchpipe.store.database import Store
from pitchpipe.store.errors import UsageError
from pitchpipe.store.evaluation_sets import add_evaluation_set, list_evaluation_sets
from pitchpipe.store.rules.catalogue import RULES, find_rule
from pitchpipe.store.rules.rule import Background, Rule, RuleChoice
from pitchpipe.studio.rule_background import NEEDS_MODEL, load_background

NEEDS_SETS = ("contamination",)
"""Rules that cannot run without anything to compare with."""


def check(
    store: Store,
    project: str,
    rule: list[str] | None = None,
    set: dict[str, Any] | None = None,
    evaluation_set: list[str] | None = None,
    model: str | None = None,
    limit: int = 100,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, Any]:
    """What rules of quality would find in a project; nothing is changed.

    Args:
        rule: ids in order, each as `ID` or `ID:ACTION` (drop, mask, mark); every rule that can run, only marking, when
            left out.
        set: dials by name; `RULE.NAME` where several rules have one of that name.
        evaluation_set: compare with these alone.
        model: whose tokens count for too_long and too_short: embedded, a folder, a run's folder, a cached id.
        limit: list at most so many hits of each rule.
    """
    if limit < 0:
        raise UsageError(f"The limit {limit} is below 0.", "Give 0 for counts alone.")
    background = load_background(store, project, model or "", evaluation_set, tell_texts(on_progress))
    choices = read_choices(rule, set or {}, background)
    preview = preview_rules(store, project, choices, background, on_progress)
    return {"project": project, **describe_preview(preview, limit)}


def evaluation_sets(
    store: Store,
    project: str,
    file: str | None = None,
    name: str | None = None,
    fields: list[str] | None = None,
    look: bool = True,
) -> dict[str, Any]:
    """The evaluation sets of a project; with `file`, keeps its items under `name` first (the file's own when left out).

    Args:
        fields: columns whose texts make an item; guessed when left out.
        look: also look how many items of each stand in the training side; more than 2 % is flagged.
    """
    if file is None and (name or fields):
        raise UsageError("A name was given, but no file of test items.", "Name the file with --file FILE.")
    rejected = []
    if file is not None:
        path = Path(file)
        added = add_evaluation_set(store, project, path, name or path.stem, fields=tuple(fields or ()))
        rejected = [{"line": row.line, "reason": row.reason} for row in added.rejected]
    kept = list_evaluation_sets(store, project)
    looked = {one.set_name: one for one in report_all_contamination(store, project)} if look else {}
    return {
        "project": project,
        "sets": [
            {
                "name": found.name,
                "items": found.items,
                "hash": found.hash,
                "since": found.created_at.isoformat("T", "seconds"),
                **({} if found.name not in looked else _describe_report(looked[found.name])),
            }
            for found in kept
        ],
        "rejected": rejected,
    }


def _describe_report(report: ContaminationReport) -> dict[str, Any]:
    return {
        "found": report.hit_items, "word_by_word": report.exact_items, "share": round(report.share, 4),
        "flagged": report.is_flagged, "hits": report.hits,
    }  # fmt: skip


def tell_texts(on_progress: Callable[[int, int, str], None] | None) -> Callable[[int, int], None] | None:
    """Tells of texts that the sentence model encodes as of any other step."""
    if on_progress is None:
        return None
    return lambda done, total: on_progress(done, total, "Encoding texts")


def read_choices(
    rules: Sequence[str] | None, dials: dict[str, Any], background: Background | None = None
) -> tuple[RuleChoice, ...]:
    """A chain from words. Without rules, all that can run with this background, only marking.

    Raises:
        UsageError: a rule is not known, or a dial is none of the chosen rules'.

    >>> read_choices(["refusal:drop"], {"most_words": 9})
    (RuleChoice(rule='refusal', action='drop', parameters=(('most_words', 9),)),)
    """
    if rules:
        words = [text.partition(":") for text in rules]
        chosen = [(find_rule(id), action or find_rule(id).actions[0]) for id, _, action in words]
    else:
        chosen = [(rule, "mark") for rule in RULES.values() if background is None or can_run(rule, background)]
    for name in dials:
        if not any(name in _name_dials(rule) for rule, _ in chosen):
            raise UsageError(
                f"No chosen rule has a dial '{name}'.",
                f"They have: {', '.join(name for rule, _ in chosen for name in _name_dials(rule)) or 'none'}.",
            )
    return tuple(
        RuleChoice(rule.id, action, tuple(_pick_dials(rule, dials).items()))  # type: ignore[arg-type]
        for rule, action in chosen
    )


def can_run(rule: Rule, background: Background) -> bool:
    """Whether a background has what a rule cannot do without."""
    if rule.id in NEEDS_MODEL:
        return background.count_tokens is not None
    return rule.id not in NEEDS_SETS or bool(background.evaluation_sets)


def _name_dials(rule: Rule) -> list[str]:
    return [name for dial in rule.parameters for name in (dial.name, f"{rule.id}.{dial.name}")]


def _pick_dials(rule: Rule, dials: dict[str, Any]) -> dict[str, Any]:
    names = {dial.name for dial in rule.parameters}
    general = {name: value for name, value in dials.items() if name in names}
    own = {name.partition(".")[2]: value for name, value in dials.items() if name.startswith(f"{rule.id}.")}
    return {**general, **own}


def describe_preview(preview: Preview, limit: int) -> dict[str, Any]:
    """A preview as plain values."""
    rules = []
    for step, count in enumerate(preview.rules):
        hits = [hit for hit in preview.hits if hit.step == step]
        rules.append(
            {
                "rule": count.rule,
                "version": count.version,
                "title": count.title,
                "action": count.action,
                "seen": count.seen,
                "hits": count.hits,
                "share": round(count.hits / count.seen, 4) if count.seen else 0.0,
                "by_part": count.by_part,
                "listed": [describe_hit(hit) for hit in hits[:limit]],
            }
        )
    return {
        "rows": preview.considered,
        "would_stay": preview.kept,
        "before": preview.before,
        "after": preview.after,
        "rules": rules,
    }
