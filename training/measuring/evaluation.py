"""Evaluation: a tuned model beside its base on the sealed holdout, with intervals.

Four questions: how surprised is each by the answers that people vouch for (paired, token-weighted, resampled by
group), how often do the generated answers keep the house's form (the plan's regular expressions), do they stop by
themselves, and does the tuned model rank the two answers of a pair as people did. The rows behind every number are
kept: `nll.parquet`, `generations.jsonl` and `pairs.parquet`. Of a reward model only the last is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from pitchpipe.store.errors import SnapshotError, UsageError
from pitchpipe.store.identity import hash_value
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.measuring.arms import ARMS, Arms
from pitchpipe.training.measuring.exact_answers import report_exact_answers
from pitchpipe.training.measuring.generation import Answer
from pitchpipe.training.measuring.intervals import clustered_difference, wilson
from pitchpipe.training.measuring.pair_accuracy import (
    implicit_margins,
    measure_rewards,
    read_holdout_pairs,
    report_accuracy,
    write_pairs,
)
from pitchpipe.training.measuring.scoring import Score, score_answers
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.rows.formats import choose_references
from pitchpipe.training.runs.records import check_same_inputs, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, finite, write_json, write_progress


def evaluate(folder: Path, plan: EvaluatePlan) -> None:
    """Measures the run by what its model does, and writes evaluation.json and the rows behind it."""
    patterns, results = compile_checks(plan.checks), compile_checks(plan.exact_answers)
    write_progress(folder, "reading the snapshot")
    snapshot, rows = read_snapshot(Path(plan.snapshot))
    arms = Arms(plan.run, plan.precision, plan.attention)
    check_same_inputs(folder, _inputs(snapshot, arms))
    write_json(folder / "environment.json", environment())
    report: dict[str, Any] = {
        "snapshot_id": snapshot["snapshot_id"],
        "run": arms.resolved.run_id,
        "base": arms.base.name,
        "precision": plan.precision,
    }
    if arms.resolved.head == "score":
        report["preference"] = measure_rewards(folder, arms, rows, plan.max_length, plan.batch_size)
        summary = {"preference": _short(report["preference"])}
    else:
        report |= _measure_writer(folder, plan, arms, rows, patterns, results)
        summary = summarise(report)
    write_json(folder / "evaluation.json", report)
    write_json(folder / SUMMARY, summary)
    seal_run(folder, plan, snapshot["snapshot_id"], parent=arms.resolved.run_id)


def _measure_writer(
    folder: Path,
    plan: EvaluatePlan,
    arms: Arms,
    rows: pl.DataFrame,
    patterns: dict[str, re.Pattern[str]],
    results: dict[str, re.Pattern[str]],
) -> dict[str, Any]:
    """The report on a model that writes, beside its base."""
    references = holdout_references(rows)
    prompts = holdout_prompts(rows)[: plan.max_prompts or None]
    pairs, pairs_too_long = read_holdout_pairs(rows, arms.encoder, plan.max_length)
    scored = references[: plan.max_scored or None]
    pieces = [
        (arms.encoder.prompt(row["prompt"]), arms.encoder.answer(row["completion"][0]["content"])) for row in scored
    ]
    fitting = [index for index, (prompt, answer) in enumerate(pieces) if len(prompt) + len(answer) <= plan.max_length]
    asked = [arms.encoder.prompt(prompt["messages"]) for prompt in prompts]
    kept = [scored[index] for index in fitting]
    sides = [(pair.prompt, pair.chosen) for pair in pairs] + [(pair.prompt, pair.rejected) for pair in pairs]
    all_scores, answers = _measure(folder, plan, arms, [pieces[index] for index in fitting] + sides, asked)
    scores = {arm: found[: len(kept)] for arm, found in all_scores.items()}
    margins = implicit_margins({arm: found[len(kept) :] for arm, found in all_scores.items()})
    groups = dict(zip(rows["row_id"], rows["group_id"], strict=True))
    _write_nll(folder, kept, scores)
    _write_generations(folder, prompts, answers, arms)
    write_pairs(folder, pairs, margins)
    return {
        "holdout": {"scored": len(kept), "too_long": len(scored) - len(kept), "answered": len(prompts)},
        "nll": _nll_report(kept, groups, scores, plan) if kept else None,
        "checks": {name: _check_report(pattern, prompts, answers, plan) for name, pattern in patterns.items()},
        "exact_answers": _exact_report(results, prompts, references, answers, plan),
        "behaviour": {arm: _behaviour(answers[arm]) for arm in ARMS},
        "preference": {"by": "likelihood", **report_accuracy(pairs, margins, pairs_too_long)} if pairs else None,
    }


def _measure(
    folder: Path, plan: EvaluatePlan, arms: Arms, pieces: list[tuple[list[int], list[int]]], asked: list[list[int]]
) -> tuple[dict[str, list[Score]], dict[str, list[Answer]]]:
    """Scores and answers of both arms."""
    scores: dict[str, list[Score]] = {}
    answers: dict[str, list[Answer]] = {}
    for arm in ARMS:
        tell = teller(folder, f"scoring the {arm} model", len(pieces))
        with arms.enter(arm) as model:
            scores[arm] = score_answers(model, pieces, plan.batch_size, arms.encoder.tokenizer.pad_token_id, tell)
        tell = teller(folder, f"answering with the {arm} model", len(asked))
        answers[arm] = arms.answer(arm, asked, plan.max_new_tokens, plan.generation_batch_size, plan.cache, tell)
    return scores, answers


def compile_checks(checks: dict[str, Any]) -> dict[str, re.Pattern[str]]:
    """The plan's format checks, compiled; they are searched in the whole answer, and ^ and $ match at every line."""
    patterns = {}
    for name, pattern in checks.items():
        try:
            patterns[name] = re.compile(pattern, re.MULTILINE)
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            raise UsageError(
                f"The check {name!r} is no regular expression: {error}.",
                f"Correct the pattern {pattern!r} in the plan.",
            ) from None
    return patterns


def holdout_references(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The answer of each holdout example that both arms are scored on; never one that a model wrote."""
    holdout = rows.filter(pl.col("split") == "holdout")
    if not holdout.height:
        raise SnapshotError(
            "The snapshot has no holdout rows, so nothing can be measured on it.",
            "Import examples of the holdout side, or raise the project's holdout share, and make a new snapshot.",
        )
    return choose_references(holdout).kept


def holdout_prompts(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Every holdout example once, in id order: example_id, group_id, messages."""
    return prompts_of(rows, "holdout")


def prompts_of(rows: pl.DataFrame, split: str) -> list[dict[str, Any]]:
    """Every example of one side once, in id order: example_id, group_id, messages."""
    side = rows.filter((pl.col("split") == split) & pl.col("row_kind").is_in(["answer", "pair"]))
    if "turn" in side.columns:  # the conversation up to a turn inside it is another prompt
        side = side.filter(pl.col("turn").is_null())
    once = side.unique("example_id", keep="first", maintain_order=True).sort("example_id")
    return [
        {"example_id": row["example_id"], "group_id": row["group_id"], "messages": json.loads(row["messages"])}
        for row in once.select("example_id", "group_id", "messages").to_dicts()
    ]


def _inputs(snapshot: dict[str, Any], arms: Arms) -> dict[str, Any]:
    return {
        "snapshot_id": snapshot["snapshot_id"],
        "snapshot_rows_sha256": snapshot["files"]["rows.parquet"]["sha256"],
        "base_model_hash": arms.base.base_hash,
        "adapter_hash": arms.resolved.base_hash if arms.resolved.is_whole else arms.resolved.adapter_hash,
        "chat_template_hash": arms.encoder.template_hash,
    }


def teller(folder: Path, stage: str, total: int) -> Callable[[int], None]:
    """Announces a stage and returns what tells how far it is."""
    write_progress(folder, stage, 0, total)
    return lambda done: write_progress(folder, stage, done, total)


def _nll_report(
    rows: list[dict[str, Any]], groups: dict[str, str], scores: dict[str, list[Score]], plan: EvaluatePlan
) -> dict[str, Any]:
    sizes = [score.tokens for score in scores["base"]]
    gains = [tuned.nll_sum - base.nll_sum for base, tuned in zip(scores["base"], scores["tuned"], strict=True)]
    clusters = [groups[row["row_id"]] for row in rows]
    means = {arm: finite(sum(score.nll_sum for score in scores[arm]) / sum(sizes)) for arm in ARMS}
    difference = clustered_difference(gains, sizes, clusters, plan.resamples, plan.seed)
    known = difference if all(finite(value) is not None for value in difference.values()) else None
    return {**means, "tokens": sum(sizes), "groups": len(set(clusters)), "difference": known}


def _check_report(
    pattern: re.Pattern[str], prompts: list[dict[str, Any]], answers: dict[str, list[Answer]], plan: EvaluatePlan
) -> dict[str, Any]:
    hits = {arm: [bool(pattern.search(answer.text)) for answer in answers[arm]] for arm in ARMS}
    report: dict[str, Any] = {"pattern": pattern.pattern}
    for arm in ARMS:
        low, high = wilson(sum(hits[arm]), len(hits[arm]))
        report[arm] = {"share": sum(hits[arm]) / max(1, len(hits[arm])), "low": low, "high": high, "n": len(hits[arm])}
    gains = [float(tuned) - float(base) for base, tuned in zip(hits["base"], hits["tuned"], strict=True)]
    clusters = [prompt["group_id"] for prompt in prompts]
    report["difference"] = clustered_difference(gains, [1] * len(gains), clusters, plan.resamples, plan.seed)
    return report


def _exact_report(
    patterns: dict[str, re.Pattern[str]],
    prompts: list[dict[str, Any]],
    references: list[dict[str, Any]],
    answers: dict[str, list[Answer]],
    plan: EvaluatePlan,
) -> dict[str, Any]:
    told = {row["example_id"]: row["completion"][0]["content"] for row in references}
    places = [place for place, prompt in enumerate(prompts) if prompt["example_id"] in told]
    texts = {arm: [answers[arm][place].text for place in places] for arm in ARMS}
    wanted = [told[prompts[place]["example_id"]] for place in places]
    groups = [prompts[place]["group_id"] for place in places]
    return {
        name: report_exact_answers(pattern, wanted, dict(texts), groups, plan.resamples, plan.seed)
        for name, pattern in patterns.items()
    }


def _behaviour(answers: list[Answer]) -> dict[str, Any]:
    finished = sum(answer.finished for answer in answers)
    low, high = wilson(finished, len(answers))
    count = max(1, len(answers))
    return {
        "stop_rate": {"share": finished / count, "low": low, "high": high},
        "mean_tokens": sum(answer.tokens for answer in answers) / count,
        "mean_characters": sum(len(answer.text) for answer in answers) / count,
    }


def _write_nll(folder: Path, rows: list[dict[str, Any]], scores: dict[str, list[Score]]) -> None:
    table = [
        {"row_id": row["row_id"], "arm": arm, "nll_sum": score.nll_sum, "tokens": score.tokens}
        for arm in ARMS
        for row, score in zip(rows, scores[arm], strict=True)
    ]
    schema = {"row_id": pl.String, "arm": pl.String, "nll_sum": pl.Float64, "tokens": pl.Int64}
    pl.DataFrame(table, schema=schema).write_parquet(folder / "nll.parquet")


def _write_generations(
    folder: Path, prompts: list[dict[str, Any]], answers: dict[str, list[Answer]], arms: Arms
) -> None:
    lines = [
        candidate_line(prompt, arm, arms.name_of(arm), answer)
        for arm in ARMS
        for prompt, answer in zip(prompts, answers[arm], strict=True)
    ]
    (folder / "generations.jsonl").write_text("".join(lines), encoding="utf-8")


def candidate_line(prompt: dict[str, Any], arm: str, model: str, answer: Answer) -> str:
    """One line of candidates.jsonl or generations.jsonl."""
    line = {
        "example_id": prompt["example_id"],
        "prompt_hash": hash_value(prompt["messages"]),
        "arm": arm,
        "model": model,
        "text": answer.text,
        "finished": answer.finished,
        "tokens": answer.tokens,
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def summarise(report: dict[str, Any]) -> dict[str, Any]:
    """The small numbers of an evaluation, for pages and tables."""
    nll = report["nll"]
    return {
        "holdout": report["holdout"],
        "holdout_nll": {arm: nll[arm] for arm in ARMS} if nll else None,
        "nll_difference": nll["difference"] if nll else None,
        "checks": {name: {arm: check[arm]["share"] for arm in ARMS} for name, check in report["checks"].items()},
        "exact_answers": report["exact_answers"],
        "stop_rate": {arm: report["behaviour"][arm]["stop_rate"]["share"] for arm in ARMS},
        "mean_tokens": {arm: report["behaviour"][arm]["mean_tokens"] for arm in ARMS},
        "preference": _short(report["preference"]),
    }


def _short(preference: dict[str, Any] | None) -> dict[str, Any] | None:
    return preference and {name: preference[name] for name in ("by", "pairs", "accuracy", "low", "high")}
