"""Generating: candidates for people to review, from a tuned model and its base."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import NotFoundError, UsageError
from pitchpipe.training.exports.exporting import read_snapshot
from pitchpipe.training.measuring.arms import ARMS, Arms
from pitchpipe.training.measuring.evaluation import candidate_line, prompts_of, teller
from pitchpipe.training.plans.measure_plans import GeneratePlan
from pitchpipe.training.runs.records import check_same_inputs, environment, seal_run
from pitchpipe.training.runs.run_folders import SUMMARY, write_atomic, write_json, write_progress


def generate(folder: Path, plan: GeneratePlan) -> None:
    """Answers the plan's prompts with each arm and writes candidates.jsonl."""
    if not plan.arms or set(plan.arms) - set(ARMS):
        raise UsageError(f"The arms are {plan.arms!r}.", f"Name one or both of: {', '.join(ARMS)}.")
    write_progress(folder, "reading the prompts")
    snapshot_id, prompts = read_prompts(plan)
    prompts = prompts[: plan.max_prompts or None]
    arms = Arms(plan.run, plan.precision, plan.attention)
    facts = {
        "snapshot_id": snapshot_id,
        "prompts": [prompt["example_id"] for prompt in prompts],
        "base_model_hash": arms.resolved.base_hash,
        "adapter_hash": arms.resolved.adapter_hash,
        "chat_template_hash": arms.encoder.template_hash,
    }
    check_same_inputs(folder, facts)
    write_json(folder / "environment.json", environment())
    tokenised = [arms.encoder.prompt(prompt["messages"]) for prompt in prompts]
    lines = []
    for arm in [arm for arm in ARMS if arm in plan.arms]:
        stage = f"answering with the {arm} model"
        answers = arms.answer(
            arm,
            tokenised,
            plan.max_new_tokens,
            plan.generation_batch_size,
            plan.cache,
            teller(folder, stage, len(prompts)),
        )
        name = arms.name_of(arm)
        lines += [candidate_line(prompt, arm, name, answer) for prompt, answer in zip(prompts, answers, strict=True)]
    write_atomic(folder / "candidates.jsonl", "".join(lines))
    write_json(folder / SUMMARY, {"prompts": len(prompts), "candidates": len(lines), "arms": plan.arms})
    seal_run(folder, plan, snapshot_id, parent=arms.resolved.run_id)


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
