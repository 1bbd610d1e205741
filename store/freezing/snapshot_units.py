"""From each task and answer to the units of a dataset, as rows that are not yet checked: pure, no database, no files.

What several tasks say of one answer (rate tasks, the rate parts of screens, ratings of a conversation's last turn) is
joined in the row of that answer. Each pair, labelled text and marked answer is a row of its own task.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb
from typing import Any

from pitchpipe.store.consensus.consensus_plan import ConsensusPlan, Outcome, explain_drop, explain_weak, plan_consensus
from pitchpipe.store.consensus.question_answers import LABELS, VERDICT, Given, Ratings, collect_ratings, give, name_turn
from pitchpipe.store.freezing.knowledge import (
    ADJUDICATED,
    MEASURING,
    ROW_COLUMNS,
    DroppedUnit,
    Knowledge,
    Recipe,
    list_words,
    name_strategy,
    read_parts,
)
from pitchpipe.store.identity import canonical_json
from pitchpipe.store.measures.rankings import aggregate_ranks
from pitchpipe.store.measures.spans import aggregate_spans

RULES_VERSION = "1"
Row = dict[str, Any]


def list_units(known: Knowledge, recipe: Recipe) -> Iterator[Row | DroppedUnit]:
    """Every unit of a project: answers and rated turns first, then what each task gives."""
    plan = plan_consensus(known, recipe)
    answers, turns = collect_ratings(known)
    for candidate_id, candidate in known.candidates.items():
        yield _describe_answer(known, plan, candidate, answers.get(candidate_id, []))
    for (example_id, place), ratings in turns.items():
        yield _describe_turn(known, plan, example_id, place, ratings)
    for task in known.tasks.values():
        if task["purpose"] is not None:
            yield _drop_task(task, task["kind"], task["purpose"], MEASURING[task["purpose"]])
        elif task["kind"] in ("screen", "turns") and not known.judgements.get(task["id"]):
            yield _drop_task(task, task["kind"], "not_judged", "nobody has judged this yet")
        else:
            yield from _list_task_units(known, plan, task)


def _list_task_units(known: Knowledge, plan: ConsensusPlan, task: dict[str, Any]) -> Iterator[Row | DroppedUnit]:
    kind = task["kind"]
    if kind == "compare" or read_parts_of_screen(known, task, "compare"):
        yield _describe_comparison(known, plan, task)
    if kind == "rank" or read_parts_of_screen(known, task, "rank"):
        yield from _describe_ranking(known, plan, task)
    if kind == "tag" or read_parts_of_screen(known, task, "tag"):
        yield _describe_labels(known, plan, task)
    if kind in ("edit", "screen"):
        yield from _describe_edits(known, task)
    if kind == "span":
        yield _describe_spans(known, plan, task)


def _settle(row: Row, plan: ConsensusPlan, outcomes: dict[str, Outcome]) -> Row | DroppedUnit:
    """The row, or why its consensus leaves it out by the recipe."""
    found = (explain_drop(plan.choice, question, outcome) for question, outcome in outcomes.items())
    drop = next((drop for drop in found if drop), None) or explain_weak(plan.choice, row["support"])
    if drop is None:
        return row
    candidates = [row[column] for column in ("candidate_id", "candidate_a", "candidate_b") if row[column]]
    unit = " ".join(candidates) or row["example_id"]
    return DroppedUnit(row["row_kind"], row["example_id"], unit, drop[0], RULES_VERSION, drop[1])


def read_parts_of_screen(known: Knowledge, task: dict[str, Any], name: str) -> bool:
    """Whether a task is a screen on which somebody answered that part."""
    return task["kind"] == "screen" and bool(read_parts(known, task, name))


def _drop_task(task: dict[str, Any], row_kind: str, rule: str, reason: str) -> DroppedUnit:
    return DroppedUnit(row_kind, task["example_id"], task["id"], rule, RULES_VERSION, reason)


_UNJUDGED: Row = {"weight": 1.0, "n_judgements": 0, "raters": "[]", "judgement_ids": "[]", "task_ids": "[]"}


def _start_row(known: Knowledge, row_kind: str, example_id: str, judgements: Sequence[dict[str, Any]]) -> Row:
    example = known.examples[example_id]
    row: Row = dict.fromkeys(ROW_COLUMNS)
    for column in ("group_id", "split", "category", "source", "messages"):
        row[column] = example[column]
    if not judgements:  # most rows of a large import, and each of the lists below costs
        row.update(_UNJUDGED, row_kind=row_kind, example_id=example_id)
        return row
    distinct = list({j["id"]: j for j in judgements}.values())
    rubrics = sorted({j["rubric_hash"] for j in distinct if j["rubric_hash"]})
    guidelines = sorted({j["guideline_hash"] for j in distinct if j["guideline_hash"]})
    row.update(
        row_kind=row_kind,
        example_id=example_id,
        weight=1.0,
        n_judgements=len(distinct),
        raters=json.dumps(sorted({j["annotator"] for j in distinct}), ensure_ascii=False),
        judgement_ids=json.dumps(sorted(j["id"] for j in distinct)),
        task_ids=json.dumps(sorted({j["task_id"] for j in distinct})),
        rubric_hash=" ".join(rubrics) or None,
        guideline_hash=" ".join(guidelines) or None,
    )
    return row


def _start_task_row(known: Knowledge, row_kind: str, task: dict[str, Any], judgements: list[dict[str, Any]]) -> Row:
    """A row that is of one task alone, also while nobody has judged it; of one answer alone, it carries that."""
    row = _start_row(known, row_kind, task["example_id"], judgements)
    row["task_ids"] = json.dumps([task["id"]])
    candidate_ids = json.loads(task["candidate_ids"])
    if row_kind != "pair" and len(candidate_ids) == 1:
        _put_answer(row, known.candidates[candidate_ids[0]])
    return row


def _put_answer(row: Row, candidate: dict[str, Any]) -> None:
    row.update(
        candidate_id=candidate["id"],
        answer=candidate["text"],
        model=candidate["model"],
        origin=candidate["origin"],
        run_id=candidate["run_id"],
    )


def _describe_answer(
    known: Knowledge, plan: ConsensusPlan, candidate: dict[str, Any], ratings: Ratings
) -> Row | DroppedUnit:
    written = known.current.get(candidate["judgement_id"] or "")
    judgements = [judgement for judgement, _ in ratings] + ([written] if written else [])
    row = _start_row(known, "answer", candidate["example_id"], judgements)
    _put_answer(row, candidate)
    return _settle(row, plan, _put_scores(row, plan, candidate["id"], ratings))


def _describe_turn(
    known: Knowledge, plan: ConsensusPlan, example_id: str, place: int, ratings: Ratings
) -> Row | DroppedUnit:
    """A turn of the assistant inside a conversation, as the answer to what was said before it."""
    messages = json.loads(known.examples[example_id]["messages"])
    row = _start_row(known, "answer", example_id, [judgement for judgement, _ in ratings])
    row.update(
        messages=canonical_json(messages[:place]),
        answer=messages[place]["content"],
        origin="import",
        turn=place,
    )
    return _settle(row, plan, _put_scores(row, plan, name_turn(example_id, place), ratings))


def _put_scores(row: Row, plan: ConsensusPlan, unit: str, ratings: Ratings) -> dict[str, Outcome]:
    """The consensus on each question by the plan, which is returned; words of one's own as they are."""
    given: dict[str, list[Given]] = {}
    words: dict[str, list[dict[str, str]]] = {}
    for judgement, rating in ratings:
        own_words = list_words(judgement, rating)
        for question, answer in rating.items():
            if question in own_words:
                words.setdefault(question, []).append({"rater": judgement["annotator"], "words": answer})
            else:
                given.setdefault(question, []).append(give(unit, row["example_id"], judgement, answer))
    if words:
        row["words"] = json.dumps(words, ensure_ascii=False, sort_keys=True)
    outcomes = {question: plan.join(question, unit, answers) for question, answers in sorted(given.items())}
    supports = [outcome.support for outcome in outcomes.values() if outcome.support is not None]
    if outcomes:
        row["scores"] = json.dumps({question: one.value for question, one in outcomes.items()}, ensure_ascii=False)
        is_decided = any(one.strategy == ADJUDICATED for one in outcomes.values())
        is_told_apart = is_decided or plan.choice.differs(outcomes)
        strategy = _list_strategies(outcomes) if is_told_apart else plan.choice.strategy
        row["strategy"] = name_strategy([judgement for judgement, _ in ratings], strategy)
        row["support"] = sum(supports) / len(supports) if supports else None
    posteriors = {question: one.posterior for question, one in outcomes.items() if one.posterior}
    if posteriors:
        row["posterior"] = canonical_json(posteriors)
    return outcomes


def _list_strategies(outcomes: dict[str, Outcome]) -> str:
    """The strategies of a row's questions: one name where all went by one, else each question with its own."""
    names = {question: outcome.strategy for question, outcome in outcomes.items()}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{question}: {strategy}" for question, strategy in names.items())


def _put_outcome(row: Row, outcome: Outcome, judgements: Sequence[dict[str, Any]]) -> None:
    row.update(support=outcome.support, strategy=name_strategy(judgements, outcome.strategy))
    if outcome.posterior:
        row["posterior"] = canonical_json(outcome.posterior)


def _start_pair(known: Knowledge, task: dict[str, Any], judgements: list[dict[str, Any]], pair: list[str]) -> Row:
    row = _start_task_row(known, "pair", task, judgements)
    for side, candidate_id in zip("ab", pair, strict=True):
        candidate = known.candidates[candidate_id]
        row[f"candidate_{side}"] = candidate_id
        row[f"answer_{side}"] = candidate["text"]
        row[f"model_{side}"] = candidate["model"]
    return row


def _describe_comparison(known: Knowledge, plan: ConsensusPlan, task: dict[str, Any]) -> Row | DroppedUnit:
    parts = read_parts(known, task, "compare")
    judgements = [judgement for judgement, _ in parts]
    given = [
        give(task["id"], task["example_id"], judgement, value["verdict"], value.get("strength"))
        for judgement, value in parts
    ]
    outcome = plan.join(VERDICT, task["id"], given)
    row = _start_pair(known, task, judgements, json.loads(task["candidate_ids"]))
    row.update(verdict=outcome.value, strength=outcome.strength, pair_origin="compare")
    _put_outcome(row, outcome, judgements)
    return _settle(row, plan, {VERDICT: outcome})


def _describe_ranking(known: Knowledge, plan: ConsensusPlan, task: dict[str, Any]) -> Iterator[Row | DroppedUnit]:
    """Every pair of a ranking of K, each with weight 1/C(K,2), so that one prompt counts once (InstructGPT 3.5)."""
    parts = read_parts(known, task, "rank")
    judgements, rankings = [judgement for judgement, _ in parts], [value["ranks"] for _, value in parts]
    candidate_ids = json.loads(task["candidate_ids"])
    ranks = aggregate_ranks(rankings).ranks if rankings else None
    for first, second in combinations(range(len(candidate_ids)), 2):
        row = _start_pair(known, task, judgements, [candidate_ids[first], candidate_ids[second]])
        if ranks is not None:
            row["verdict"] = _order_pair(ranks, first, second)
            agreeing = sum(_order_pair(ranking, first, second) == row["verdict"] for ranking in rankings)
            row["support"] = agreeing / len(rankings)
        row.update(weight=1 / comb(len(candidate_ids), 2), pair_origin="rank")
        row["strategy"] = name_strategy(judgements, "ranked_pairs")
        is_tied = row["support"] is not None and row["support"] < 1
        outcome = Outcome(row["verdict"], row["support"], "ranked_pairs", len(rankings), is_tied)
        yield _settle(row, plan, {VERDICT: outcome})


def _order_pair(ranks: Sequence[int], first: int, second: int) -> str:
    """Which of two places a ranking puts higher (0 is best): a, b or tie."""
    if ranks[first] == ranks[second]:
        return "tie"
    return "a" if ranks[first] < ranks[second] else "b"


def _describe_edits(known: Knowledge, task: dict[str, Any]) -> Iterator[Row | DroppedUnit]:
    """Each current correction as a pair: the corrected answer over the original."""
    for judgement, _ in read_parts(known, task, "edit"):
        corrected = known.written.get(judgement["id"])
        if corrected is None or not corrected["parent_id"]:
            reason = f"the correction of judgement {judgement['id']} is not among the answers"
            yield _drop_task(task, "pair", "answer_not_stored", reason)
            continue
        row = _start_pair(known, task, [judgement], [corrected["id"], corrected["parent_id"]])
        row.update(verdict="a", support=1.0, strategy=name_strategy([judgement], "edited"), pair_origin="edit")
        yield row


def _describe_labels(known: Knowledge, plan: ConsensusPlan, task: dict[str, Any]) -> Row | DroppedUnit:
    parts = read_parts(known, task, "tag")
    judgements = [judgement for judgement, _ in parts]
    given = [
        give(task["id"], task["example_id"], judgement, json.dumps(sorted(value["labels"])))
        for judgement, value in parts
    ]
    outcome = plan.join(LABELS, task["id"], given)
    row = _start_task_row(known, "label", task, judgements)
    row["labels"] = outcome.value
    _put_outcome(row, outcome, judgements)
    return _settle(row, plan, {LABELS: outcome})


def _describe_spans(known: Knowledge, plan: ConsensusPlan, task: dict[str, Any]) -> Row | DroppedUnit:
    parts = read_parts(known, task, "span")
    consensus = aggregate_spans([value["spans"] for _, value in parts])
    judgements = [judgement for judgement, _ in parts]
    row = _start_task_row(known, "span", task, judgements)
    row.update(support=consensus.support, strategy=name_strategy(judgements, "overlap"))
    row["spans"] = json.dumps(consensus.spans, ensure_ascii=False)
    return _settle(row, plan, {})
