"""Row checks: what the rows of a plan are like, told as findings. Pure and free of torch."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from pitchpipe.training.preflight.findings import Finding, block, fine, warn
from pitchpipe.training.preflight.planned_rows import PlannedRow

_LEAST_PAIRS = 20
"""Fewer pairs say too little about a share."""
_LEAST_PER_CLASS = 8


def check_lengths_of_pairs(pairs: Sequence[PlannedRow]) -> list[Finding]:
    """Whether the chosen answers are longer: a model then learns to be long (Park et al. 2024, arXiv 2403.19159)."""
    told = measure_length_bias(pairs)
    if told is None:
        return []
    words = (
        f"The chosen answer is the longer one in {told['share_longer']:.0%} of {told['pairs']} pairs; the median "
        f"difference is {told['median_difference'] or 0:g} tokens."
    )
    if told["pairs"] >= _LEAST_PAIRS and told["share_longer"] > 0.6:
        return [
            warn(
                "pairs",
                words,
                "The model may learn that longer is better. Add pairs whose shorter answer won, or set `ld_alpha` to "
                "0.5 under trl_overrides (DPO), and look at the length of its answers afterwards.",
                [row.row_id for row in sorted(pairs, key=_difference, reverse=True)],
            )
        ]
    return [fine("pairs", words)]


def measure_length_bias(pairs: Sequence[PlannedRow]) -> dict[str, Any] | None:
    """Share of pairs whose chosen answer is the longer (ties in length count half), and the median difference."""
    if not pairs:
        return None
    differences = [_difference(row) for row in pairs]
    longer = sum(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in differences)
    return {
        "pairs": len(pairs),
        "share_longer": round(longer / len(pairs), 4),
        "median_difference": float(statistics.median(differences)),
    }


def _difference(row: PlannedRow) -> int:
    return len(row.sides["chosen"]) - len(row.sides["rejected"])


def check_contradictions(pairs: Sequence[PlannedRow]) -> list[Finding]:
    """Answers that are chosen in one pair and rejected in another of the same prompt, and sides of the same tokens."""
    found = []
    same = [row.row_id for row in pairs if row.sides["chosen"] == row.sides["rejected"]]
    if same:
        found.append(
            warn(
                "pairs",
                f"{len(same)} pairs have the same tokens on both sides.",
                "They teach nothing: drop them.",
                same,
            )
        )
    directions = defaultdict(list)
    for row in pairs:
        directions[_key(row, "chosen", "rejected")].append(row.row_id)
    turned = [row.row_id for row in pairs if row.row_id not in same and _key(row, "rejected", "chosen") in directions]
    if turned:
        found.append(
            warn(
                "pairs",
                f"{len(turned)} pairs contradict another pair: the same two answers, preferred the other way round.",
                "Let a curator settle them on the Review page, or raise `minimum_support`.",
                turned,
            )
        )
    return found or [fine("pairs", "No pair contradicts another, and no two sides are the same.")]


def _key(row: PlannedRow, *sides: str) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, (row.prompt, *(row.sides[side] for side in sides))))


def check_repeats(rows: Sequence[PlannedRow]) -> list[Finding]:
    """Rows that are the same tokens all through: each counts as often as it is there."""
    seen: set[Any] = set()
    repeated = []
    for row in rows:
        key = (tuple(row.prompt), tuple(map(tuple, row.sides.values())), row.row.get("label"))
        if key in seen:
            repeated.append(row.row_id)
        seen.add(key)
    if not repeated:
        return []
    share = len(repeated) / len(rows)
    return [
        warn(
            "rows",
            f"{len(repeated)} rows ({share:.0%}) repeat another row token by token.",
            "They count as often as they are there. Turn on the duplicate rule in the snapshot's recipe.",
            repeated,
        )
    ]


def count_labels(rows: Sequence[PlannedRow]) -> dict[str, int]:
    """Rows by label (classes), or by thumb; the largest first."""
    names = {True: "thumb up", False: "thumb down"}
    counts = Counter(names.get(row.row["label"], str(row.row["label"])) for row in rows if "label" in row.row)
    return dict(counts.most_common())


def check_balance(method: str, labels: dict[str, int]) -> list[Finding]:
    """Whether each label has enough rows: of thumbs (KTO) or of classes."""
    told = ", ".join(f"{name} {count}" for name, count in labels.items())
    if len(labels) < 2:
        return [
            block(
                "labels",
                f"All rows have one label: {told or 'there is none'}.",
                "A model learns to tell apart only what it sees both of. Judge more, or move `minimum_rating`.",
            )
        ]
    if method == "kto":
        return _check_thumbs(labels, told)
    few = {name: count for name, count in labels.items() if count < _LEAST_PER_CLASS}
    if few:
        said = ", ".join(f"{name} ({count})" for name, count in few.items())
        return [
            warn(
                "labels",
                f"Labels with fewer than {_LEAST_PER_CLASS} rows: {said}.",
                "Collect more of them, or join them with another label; such a class is hardly ever predicted.",
            )
        ]
    share = max(labels.values()) / sum(labels.values())
    if share > 0.8:
        advice = "Accuracy alone will look good: read macro-F1 instead, and collect more of the other labels."
        return [warn("labels", f"One label has {share:.0%} of the rows: {told}.", advice)]
    return [fine("labels", f"Rows by label: {told}.")]


def _check_thumbs(labels: dict[str, int], told: str) -> list[Finding]:
    # The run weighs the rarer ones up (Ethayarajh et al. 2024, arXiv 2402.01306, equation 8); few rows then decide.
    rarer, rare = min(labels.items(), key=lambda entry: entry[1])
    if max(labels.values()) <= 4 * rare:
        return [fine("labels", f"Rows by thumb: {told}.")]
    return [
        warn(
            "labels",
            f"Thumbs are far from balanced: {told}.",
            f"The rarer ones weigh as much more by themselves, so {rare} rows decide half: judge more with a {rarer}.",
        )
    ]


def summarise_reasons(ledger_rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Why rows are cut or left out: `{"fate", "rule", "rows", "examples": ids}`, the largest first."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in ledger_rows:
        if row["status"] != "kept":
            rule = (
                "longer than max_length" if row["status"] in ("truncated", "too_long") else row["why"].partition(":")[0]
            )
            found[row["status"], rule].append(row["row_id"])
    entries = [
        {"fate": fate, "rule": rule, "rows": len(ids), "examples": ids[:5]} for (fate, rule), ids in found.items()
    ]
    return sorted(entries, key=lambda entry: -entry["rows"])
