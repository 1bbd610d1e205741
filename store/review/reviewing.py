"""Blind review: how a batch of comparisons stands, and, once it is closed, which arm won.

Which arm wrote an answer stays hidden until every task of the batch is complete; before that a report only counts.
"""

from __future__ import annotations

import json
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.judging.judgement_reading import CURRENT_JUDGEMENTS
from pitchpipe.store.measures.preference import measure_share, measure_win_rate
from pitchpipe.store.projects import get_project
from pitchpipe.store.queue.tasking import count_tasks
from pitchpipe.store.runs import Run, find_run

_SCORES = {"tie": 0.5, "both_bad": 0.5}


def list_reviews(store: Store, project: str) -> list[dict[str, Any]]:
    """The review batches of a project: the run that wrote the answers, tasks, complete and open ones, judgements."""
    return [{"run": row["batch"], **row} for row in count_tasks(store, project) if row["batch"]]


def list_open_reviews(store: Store, project: str) -> list[str]:
    """The runs whose review batches have open tasks: what people say of their answers is nobody's business yet."""
    return [row["run"] for row in list_reviews(store, project) if row["open"]]


def list_blind_tasks(store: Store, project: str) -> set[str]:
    """The tasks of open reviews, complete ones among them."""
    runs = list_open_reviews(store, project)
    if not runs:
        return set()
    sql = "SELECT id FROM tasks WHERE project_id = $project AND list_contains($runs::VARCHAR[], batch)"
    return {row[0] for row in store.read(sql, {"project": get_project(store, project).id, "runs": runs})}


def report_review(store: Store, project: str, run_id: str) -> dict[str, Any]:
    """The outcome of a review batch: win rate of the tuned arm with its interval, and the bias to the first answer.

    Where no arm is the tuned model, the second one takes its place; `arms` names both, the one that is scored first.

    While tasks are open, `is_closed` is false and the arms' outcome is None: nobody who still judges may learn it.
    """
    run = find_run(store, run_id)
    batch = next((row for row in list_reviews(store, project) if row["run"] == run.id), None)
    counts = batch or {"tasks": 0, "complete": 0, "open": 0, "judgements": 0}
    judgements = _read_batch(store, get_project(store, project).id, run.id)
    first, low, high = measure_share(*_count_first_picks(judgements))
    is_closed = counts["tasks"] > 0 and counts["open"] == 0
    outcome = measure_win_rate(_score_prompts(store, run, judgements)) if is_closed else None
    return {
        "run": run.id,
        "tasks": counts["tasks"],
        "open": counts["open"],
        "judgements": counts["judgements"],
        "is_closed": is_closed,
        "arms": _name_arms(run) if is_closed else None,
        "first_shown_picked": {"share": first, "low": low, "high": high},
        "tuned_against_base": None
        if outcome is None
        else {
            "prompts": outcome.prompts, "wins": outcome.wins, "losses": outcome.losses, "ties": outcome.ties,
            "win_rate": outcome.rate, "low": outcome.low, "high": outcome.high, "sign_test_p": outcome.sign_test_p,
        },
        "detectable_win_rate": measure_win_rate([0.5] * counts["tasks"], resamples=40).detectable,
    }  # fmt: skip


def _name_arms(run: Run) -> list[str]:
    """The arms of a generate run, the one whose wins are counted first."""
    arms = [str(arm) for arm in run.summary.get("arms") or ("base", "tuned")]
    return sorted(arms, key=lambda arm: (arm != "tuned", arm == "base", -arms.index(arm)))


def _read_batch(store: Store, project_id: str, run_id: str) -> list[dict[str, Any]]:
    tasks = dict(store.read("SELECT id, candidate_ids FROM tasks WHERE batch = ?", [run_id]))
    frame = store.read_frame(CURRENT_JUDGEMENTS, [project_id])
    return [
        {**row, "candidates": json.loads(tasks[row["task_id"]]), "value": json.loads(row["value"])}
        for row in frame.to_dicts()
        if row["task_id"] in tasks
    ]


def _count_first_picks(judgements: list[dict[str, Any]]) -> tuple[int, int]:
    """How many decisive judgements picked the answer that was shown first, of how many."""
    decisive = [judgement for judgement in judgements if judgement["value"]["verdict"] in ("a", "b")]
    first = sum(json.loads(judgement["shown"])[0] == _find_winner(judgement) for judgement in decisive)
    return first, len(decisive)


def _find_winner(judgement: dict[str, Any]) -> str:
    return str(judgement["candidates"][0 if judgement["value"]["verdict"] == "a" else 1])


def _score_prompts(store: Store, run: Run, judgements: list[dict[str, Any]]) -> list[float]:
    """For each prompt the mean over its raters: 1 where the tuned arm won, 0 where it lost, 0.5 for a tie."""
    lines = (run.folder / "candidates.jsonl").read_text(encoding="utf-8").splitlines()
    arm_of_model = {answer["model"]: answer["arm"] for answer in map(json.loads, lines)}
    scored = _name_arms(run)[0]
    models = dict(store.read("SELECT id, model FROM candidates WHERE run_id = ?", [run.id]))
    scores: dict[str, list[float]] = {}
    for judgement in judgements:
        verdict = judgement["value"]["verdict"]
        if verdict in ("a", "b"):
            score = float(arm_of_model[models[_find_winner(judgement)]] == scored)
        elif verdict in _SCORES:
            score = _SCORES[verdict]
        else:
            continue  # "cannot judge" says nothing about the answers
        scores.setdefault(judgement["task_id"], []).append(score)
    return [sum(values) / len(values) for values in scores.values()]
