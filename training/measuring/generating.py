"""Generating: candidates for people to review, from a tuned model, its base, or models that are served elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, RunError, UsageError
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.measuring.arms import ARMS, Arms
from pitchpipe.training.measuring.endpoint_arm import ask_all
from pitchpipe.training.measuring.endpoints import Endpoint
from pitchpipe.training.measuring.evaluation import candidate_line, prompts_of, teller
from pitchpipe.training.measuring.generation import Answer
from pitchpipe.training.plans.measure_plans import GeneratePlan
from pitchpipe.training.runs.records import check_same_inputs, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, write_atomic, write_json, write_progress
from pitchpipe.training.tuning.monitor import stop_if_asked

FAILURES = "failures.jsonl"
Answers = dict[str, Answer]
"""By example id."""


def generate(folder: Path, plan: GeneratePlan) -> None:
    """Answers the plan's prompts with each arm and writes candidates.jsonl, and failures.jsonl where there are any."""
    endpoints = read_endpoints(plan)
    order = check_arms(plan, endpoints)
    write_progress(folder, "reading the prompts")
    snapshot_id, prompts = read_prompts(plan)
    prompts = prompts[: plan.max_prompts or None]
    local = Arms(plan.run, plan.precision, plan.attention) if set(order) & set(ARMS) else None
    names = {arm: endpoints[arm].model if arm in endpoints else _local(local).name_of(arm) for arm in order}
    if len(set(names.values())) < len(names):
        raise UsageError(
            f"Both arms are called {names[order[0]]!r}, so nobody could tell afterwards which one won.",
            "Have one of the servers serve its model under another name.",
        )
    check_same_inputs(folder, _inputs(snapshot_id, prompts, local, endpoints))
    write_json(folder / "environment.json", environment())
    lines: list[str] = []
    failures: list[dict[str, str]] = []
    for arm in order:
        tell = teller(folder, f"answering with the {arm} model", len(prompts))
        if arm in endpoints:
            replies, failed = ask_all(
                folder,
                endpoints[arm],
                prompts,
                plan.max_new_tokens,
                plan.endpoint_parallel,
                tell,
                stop_if_asked,
            )
            answers = {example: Answer(it.text, it.finished, it.tokens) for example, it in replies.items()}
            failures += [{"example_id": example, "arm": arm, "why": why} for example, why in failed.items()]
        else:
            answers = _answer_here(_local(local), arm, plan, prompts, tell)
        lines += [
            candidate_line(prompt, arm, names[arm], answers[prompt["example_id"]])
            for prompt in prompts
            if prompt["example_id"] in answers
        ]
    _finish(folder, plan, snapshot_id, len(prompts), lines, failures, local)


def check_arms(plan: GeneratePlan, endpoints: dict[str, Endpoint]) -> list[str]:
    """The plan's arms in the order in which they answer: the base before the tuned model, endpoints last."""
    known = (*ARMS, *endpoints)
    if not 1 <= len(plan.arms) <= 2 or len(set(plan.arms)) < len(plan.arms) or set(plan.arms) - set(known):
        raise UsageError(f"The arms are {plan.arms!r}.", f"Name one or two of: {', '.join(known)}.")
    return [arm for arm in known if arm in plan.arms]


def read_endpoints(plan: GeneratePlan) -> dict[str, Endpoint]:
    """The endpoints that the plan names, checked."""
    found = {}
    for name, entry in plan.endpoints.items():
        known = {"url", "model", "key_variable"}
        if name in ARMS or not isinstance(entry, dict) or set(entry) - known or not {"url", "model"} <= set(entry):
            raise UsageError(
                f"The endpoint {name!r} is not described as one.",
                "Write it as NAME = { url = 'http://…/v1', model = '…', key_variable = '…' }, not named base or tuned.",
            )
        address, model, variable = (str(entry.get(key, "")) for key in ("url", "model", "key_variable"))
        found[name] = Endpoint(address, model, variable, plan.endpoint_timeout, plan.endpoint_tries)
    return found


def _local(arms: Arms | None) -> Arms:
    if arms is None:
        raise AssertionError("no arm of this machine was asked for")
    return arms


def _answer_here(arms: Arms, arm: str, plan: GeneratePlan, prompts: list[dict[str, Any]], tell: Any) -> Answers:
    tokenised = [arms.encoder.prompt(prompt["messages"]) for prompt in prompts]
    answers = arms.answer(arm, tokenised, plan.max_new_tokens, plan.generation_batch_size, plan.cache, tell)
    return {prompt["example_id"]: answer for prompt, answer in zip(prompts, answers, strict=True)}


def _inputs(
    snapshot_id: str | None, prompts: list[dict[str, Any]], arms: Arms | None, endpoints: dict[str, Endpoint]
) -> dict[str, Any]:
    facts: dict[str, Any] = {"snapshot_id": snapshot_id, "prompts": [prompt["example_id"] for prompt in prompts]}
    if arms is not None:
        facts |= {
            "base_model_hash": arms.base.base_hash,
            "weights_hash": arms.resolved.base_hash if arms.resolved.is_whole else None,
            "adapter_hash": arms.resolved.adapter_hash,
            "chat_template_hash": arms.encoder.template_hash,
        }
    if endpoints:
        facts["endpoints"] = {name: {"url": it.url, "model": it.model} for name, it in endpoints.items()}
    return facts


def _finish(
    folder: Path,
    plan: GeneratePlan,
    snapshot_id: str | None,
    prompts: int,
    lines: list[str],
    failures: list[dict[str, str]],
    arms: Arms | None,
) -> None:
    """Writes what came and what did not, and seals the run."""
    if not lines:
        raise RunError(f"None of {prompts} prompts got an answer.", "Look at the server, then start the run again.")
    write_atomic(folder / "candidates.jsonl", "".join(lines))
    summary: dict[str, Any] = {"prompts": prompts, "candidates": len(lines), "arms": plan.arms}
    if failures:
        told = "".join(json.dumps(failure, ensure_ascii=False) + "\n" for failure in failures)
        write_atomic(folder / FAILURES, told)
        summary["unanswered"] = len(failures)
        summary["warning"] = {
            "happened": f"{len(failures)} of {prompts * len(plan.arms)} answers never came; {FAILURES} lists them.",
            "advice": "Prompts that one arm did not answer are not compared. Generate again for a whole batch.",
        }
    write_json(folder / SUMMARY, summary)
    seal_run(folder, plan, snapshot_id, parent=arms.resolved.run_id if arms else None)


def read_prompts(plan: GeneratePlan) -> tuple[str | None, list[dict[str, Any]]]:
    """The prompts that the plan names, and the snapshot they come from, if any."""
    if plan.prompts in ("holdout", "train"):
        snapshot, rows = read_snapshot(Path(plan.snapshot))
        return str(snapshot["snapshot_id"]), prompts_of(rows, plan.prompts)
    path = Path(plan.prompts)
    if not path.is_file():
        raise NotFoundError(f"There is no prompts file {plan.prompts!r}.", "Say holdout, train, or name a JSONL file.")
    prompts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            prompts.append({"example_id": entry["example_id"], "messages": entry["messages"]})
        except (json.JSONDecodeError, KeyError, TypeError):
            raise UsageError(
                f"Line {number} of {path} is no object with example_id and messages.", "Correct that line."
            ) from None
    return None, prompts
