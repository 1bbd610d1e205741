"""From what is known to the rows of a dataset: pure, no database, no files.

Each answer, each compared pair and each labelled text is a *unit*. A unit becomes a row or is dropped with a rule, its
version and a reason; units in = rows + drops, asserted. The split travels with each row; nothing here decides it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any

from pitchpipe.store.identity import content_id
from pitchpipe.store.measures.consensus import aggregate_compare, aggregate_ratings, majority
from pitchpipe.store.measures.rankings import aggregate_ranks
from pitchpipe.store.splitting import find_near_duplicates

ROW_COLUMNS = (
    "row_id", "row_kind", "example_id", "group_id", "split", "category", "source", "messages", "candidate_id", "answer",
    "model", "origin", "run_id", "scores", "candidate_a", "candidate_b", "answer_a", "answer_b", "model_a", "model_b",
    "verdict", "strength", "pair_origin", "weight", "labels", "strategy", "n_judgements", "support", "raters",
    "judgement_ids", "task_ids", "rubric_hash", "guideline_hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recipe:
    """How judgements become rows. Its hash is part of the snapshot's id."""

    strategy: str = "mean"
    """Consensus on ratings: mean, median, majority or closest_three. Verdicts always go by majority."""
    near_duplicate_threshold: float = 0.8
    """Jaccard similarity from which a training prompt counts as leaking a sealed one, 0.5 to 1."""


@dataclass(slots=True)
class Knowledge:
    """Everything the store knows about a project, as plain records keyed by id."""

    examples: dict[str, dict[str, Any]]
    candidates: dict[str, dict[str, Any]]
    tasks: dict[str, dict[str, Any]]
    judgements: dict[str, list[dict[str, Any]]]
    """Current judgements by task, in order of entry."""
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest decision on each example or candidate."""
    current: dict[str, dict[str, Any]] = field(init=False)
    """Current judgements by their own id."""
    written: dict[str, dict[str, Any]] = field(init=False)
    """Answers of persons by the id of the judgement that they came with."""

    def __post_init__(self) -> None:
        self.current = {j["id"]: j for judgements in self.judgements.values() for j in judgements}
        self.written = {c["judgement_id"]: c for c in self.candidates.values() if c["judgement_id"]}


@dataclass(frozen=True, slots=True)
class DroppedUnit:
    """A unit that is not in the snapshot, and why."""

    row_kind: str
    example_id: str
    unit: str
    rule: str
    version: str
    reason: str


def build_rows(known: Knowledge, recipe: Recipe) -> tuple[list[dict[str, Any]], list[DroppedUnit]]:
    """The rows of a snapshot and the units that are not in it, in the order of the examples."""
    rows: list[dict[str, Any]] = []
    dropped: list[DroppedUnit] = []
    leaks = _find_leaks(known, recipe)
    units = 0
    for row in _list_units(known, recipe):
        units += 1
        drop = _find_drop(row, known, leaks)
        if drop is None:
            row["row_id"] = identify_row(row)
            rows.append(row)
        else:
            dropped.append(drop)
    assert units == len(rows) + len(dropped), "a unit was neither kept nor listed as dropped"
    return rows, dropped


def identify_row(row: dict[str, Any]) -> str:
    """The id of a row from its whole content, so that a changed word, label or rater is a different row."""
    return content_id("row", {column: row.get(column) for column in ROW_COLUMNS if column != "row_id"})


def _list_units(known: Knowledge, recipe: Recipe) -> Iterator[dict[str, Any]]:
    rate_tasks: dict[str, list[str]] = {}
    for task_id, task in known.tasks.items():
        if task["kind"] == "rate":
            rate_tasks.setdefault(json.loads(task["candidate_ids"])[0], []).append(task_id)
    for candidate_id, candidate in known.candidates.items():
        yield _describe_answer(known, recipe, candidate, rate_tasks.get(candidate_id, []))
    for task_id, task in known.tasks.items():
        if task["kind"] == "compare":
            yield _describe_comparison(known, task)
        elif task["kind"] == "rank":
            yield from _describe_ranking(known, task)
        elif task["kind"] == "edit":
            yield from _describe_edits(known, task_id)
        elif task["kind"] == "tag":
            yield _describe_labels(known, task)


def _start_row(known: Knowledge, row_kind: str, example_id: str, judgements: list[dict[str, Any]]) -> dict[str, Any]:
    example = known.examples[example_id]
    row: dict[str, Any] = dict.fromkeys(ROW_COLUMNS)
    for column in ("group_id", "split", "category", "source", "messages"):
        row[column] = example[column]
    rubrics = sorted({j["rubric_hash"] for j in judgements if j["rubric_hash"]})
    guidelines = sorted({j["guideline_hash"] for j in judgements if j["guideline_hash"]})
    row.update(
        row_kind=row_kind,
        example_id=example_id,
        weight=1.0,
        n_judgements=len(judgements),
        raters=json.dumps(sorted({j["annotator"] for j in judgements}), ensure_ascii=False),
        judgement_ids=json.dumps(sorted(j["id"] for j in judgements)),
        task_ids=json.dumps(sorted({j["task_id"] for j in judgements})),
        rubric_hash=" ".join(rubrics) or None,
        guideline_hash=" ".join(guidelines) or None,
    )
    return row


def _describe_answer(known: Knowledge, recipe: Recipe, candidate: dict[str, Any], tasks: list[str]) -> dict[str, Any]:
    judgements = [judgement for task_id in tasks for judgement in known.judgements.get(task_id, [])]
    written = known.current.get(candidate["judgement_id"] or "")
    row = _start_row(known, "answer", candidate["example_id"], judgements + ([written] if written else []))
    scores: dict[str, list[int]] = {}
    for judgement in judgements:
        for question, score in json.loads(judgement["value"]).items():
            scores.setdefault(question, []).append(score)
    consensus = {question: aggregate_ratings(values, recipe.strategy) for question, values in scores.items()}
    supports = [c.support for c in consensus.values() if c.support is not None]
    row.update(
        candidate_id=candidate["id"],
        answer=candidate["text"],
        model=candidate["model"],
        origin=candidate["origin"],
        run_id=candidate["run_id"],
        scores=json.dumps({q: c.value for q, c in sorted(consensus.items())}) if consensus else None,
        strategy=recipe.strategy if consensus else None,
        support=sum(supports) / len(supports) if supports else None,
    )
    return row


def _describe_comparison(known: Knowledge, task: dict[str, Any]) -> dict[str, Any]:
    judgements = known.judgements.get(task["id"], [])
    values = [json.loads(judgement["value"]) for judgement in judgements]
    consensus = aggregate_compare([v["verdict"] for v in values], [v.get("strength") for v in values])
    row = _start_pair(known, task["example_id"], judgements, json.loads(task["candidate_ids"]), "compare")
    row.update(verdict=consensus.verdict, strength=consensus.strength, support=consensus.support, strategy="majority")
    row["task_ids"] = json.dumps([task["id"]])
    return row


def _describe_ranking(known: Knowledge, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every pair of a ranking of K, each with weight 1/C(K,2), so that one prompt counts once (InstructGPT 3.5)."""
    judgements = known.judgements.get(task["id"], [])
    candidate_ids = json.loads(task["candidate_ids"])
    rankings = [json.loads(judgement["value"])["ranks"] for judgement in judgements]
    ranks = aggregate_ranks(rankings).ranks if rankings else None
    for first, second in combinations(range(len(candidate_ids)), 2):
        pair = [candidate_ids[first], candidate_ids[second]]
        row = _start_pair(known, task["example_id"], judgements, pair, "rank")
        if ranks is not None:
            row["verdict"] = _order_pair(ranks, first, second)
            agreeing = sum(_order_pair(ranking, first, second) == row["verdict"] for ranking in rankings)
            row["support"] = agreeing / len(rankings)
        row.update(weight=1 / comb(len(candidate_ids), 2), strategy="ranked_pairs")
        row["task_ids"] = json.dumps([task["id"]])
        yield row


def _order_pair(ranks: Sequence[int], first: int, second: int) -> str:
    """Which of two places a ranking puts higher (0 is best): a, b or tie."""
    if ranks[first] == ranks[second]:
        return "tie"
    return "a" if ranks[first] < ranks[second] else "b"


def _describe_edits(known: Knowledge, task_id: str) -> Iterator[dict[str, Any]]:
    """Each current correction as a pair: the corrected answer over the original."""
    for judgement in known.judgements.get(task_id, []):
        corrected = known.written.get(judgement["id"])
        if corrected is not None and corrected["parent_id"]:
            pair = [corrected["id"], corrected["parent_id"]]
            row = _start_pair(known, judgement["example_id"], [judgement], pair, "edit")
            row.update(verdict="a", support=1.0, strategy="edited")
            yield row


def _start_pair(
    known: Knowledge, example_id: str, judgements: list[dict[str, Any]], pair: list[str], origin: str
) -> dict[str, Any]:
    row = _start_row(known, "pair", example_id, judgements)
    for side, candidate_id in zip("ab", pair, strict=True):
        candidate = known.candidates[candidate_id]
        row[f"candidate_{side}"] = candidate_id
        row[f"answer_{side}"] = candidate["text"]
        row[f"model_{side}"] = candidate["model"]
    row["pair_origin"] = origin
    return row


def _describe_labels(known: Knowledge, task: dict[str, Any]) -> dict[str, Any]:
    judgements = known.judgements.get(task["id"], [])
    consensus = majority([json.dumps(sorted(json.loads(j["value"])["labels"])) for j in judgements])
    row = _start_row(known, "label", task["example_id"], judgements)
    row.update(labels=consensus.value, support=consensus.support, strategy="majority")
    row["task_ids"] = json.dumps([task["id"]])
    return row


def _find_leaks(known: Knowledge, recipe: Recipe) -> dict[str, tuple[str, float]]:
    """Training examples with a request that nearly equals a sealed one, with the sealed example and the similarity.

    Of a sealed conversation the first request counts, and later ones of 8 words or more: "Say more?" is no leak.
    """
    sealed: list[tuple[str, str]] = []
    open_side: list[tuple[str, str]] = []
    for example_id, example in known.examples.items():
        asked = [message["content"] for message in json.loads(example["messages"]) if message["role"] == "user"]
        if example["split"] == "holdout":
            sealed += [(example_id, text) for turn, text in enumerate(asked) if turn == 0 or len(text.split()) >= 8]
        else:
            open_side += [(example_id, text) for text in asked]
    return find_near_duplicates(open_side, sealed, recipe.near_duplicate_threshold)


def _find_drop(row: dict[str, Any], known: Knowledge, leaks: dict[str, tuple[str, float]]) -> DroppedUnit | None:
    candidates = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    unit = " ".join(candidates) or row["example_id"]

    def drop(rule: str, reason: str) -> DroppedUnit:
        return DroppedUnit(row["row_kind"], row["example_id"], unit, rule, "1", reason)

    for target in (row["example_id"], *candidates):
        decision = known.decisions.get(target)
        if decision and decision["verdict"] == "drop":
            return drop("decision", f"{decision['actor']}: {decision['reason']}")
    if any(_is_taken_back(known, candidate) for candidate in candidates):
        return drop("judgement_taken_back", "the judgement that this answer came from was taken back")
    if row["row_kind"] != "answer" and row["n_judgements"] == 0:
        return drop("not_judged", "nobody has judged this yet")
    if row["row_kind"] == "label" and row["labels"] is None:
        return drop("labels_tied", "the raters' labels are tied")
    if row["example_id"] in leaks:
        sealed, similarity = leaks[row["example_id"]]
        return drop("near_duplicate_of_holdout", f"{similarity:.2f} similar to the sealed example {sealed}")
    return None


def _is_taken_back(known: Knowledge, candidate_id: str) -> bool:
    candidate = known.candidates[candidate_id]
    return candidate["judgement_id"] is not None and candidate["judgement_id"] not in known.current


def count_rows(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Rows by kind and side, such as {"answer_train": 10}."""
    counts: dict[str, int] = {}
    for row in rows:
        name = f"{row['row_kind']}_{row['split']}"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
