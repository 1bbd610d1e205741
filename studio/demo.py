"""The whole loop on the sample data, through the same verbs that the commands use. Nothing here is a shortcut.

    import -> queue -> annotate -> aggregate -> snapshot -> export -> train -> evaluate -> generate -> review

The sample's three raters are fictional and their judgements simulated (see sample_data/README.md); everything else is
done for real, and what waits at the end waits for a person.
"""

from __future__ import annotations

import json
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pitchpipe.studio.cli_output import Output

PROJECT = "helpdesk"
_FILES = ("helpdesk", "preferences", "ratings")


def run_demo(workspace: Path, output: Output) -> dict[str, Any]:
    """Runs the loop and writes its summary to `demo.json` in the workspace.

    Returns:
        `{"stages": {stage: rows}, "holdout_nll": {"base", "tuned"}, "style_rate": {"base", "tuned"}, "pairs",
        "dpo_step0_margin", "review_tasks", "seconds", "runs": {...}}`.

    Raises:
        PitchpipeError: a stage failed; what was done before stays in the workspace.
    """
    began = time.monotonic()
    with as_file(files("pitchpipe.sample_data")) as samples:
        stages = _import_samples(workspace, output, samples)
        snapshot = _freeze(workspace, output, stages)
        runs = _tune(workspace, output, snapshot, samples / "style.toml", stages)
    evaluation = runs["evaluate"]
    waiting = output.call(workspace, "review", project=PROJECT)["reviews"]
    summary = {
        "stages": stages,
        "holdout_nll": evaluation["holdout_nll"],
        "style_rate": evaluation["checks"]["house_style"],
        "pairs": stages["exported pairs"],
        "dpo_step0_margin": runs["dpo"]["step0_margin"],
        "review_tasks": sum(batch["open"] for batch in waiting),
        "seconds": round(time.monotonic() - began, 1),
        "runs": {stage: run["run"] for stage, run in runs.items()},
        "snapshot": snapshot,
    }
    (workspace / "demo.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return summary


def _import_samples(workspace: Path, output: Output, samples: Path) -> dict[str, int]:
    """Import, queue and agreement; the rows of each stage."""
    output.call(workspace, "init", project=PROJECT, holdout_share=0.0)  # the sample declares its own holdout
    for name in _FILES:
        file, mapping = samples / f"{name}.jsonl", samples / f"{name}.map.toml"
        report = output.call(workspace, "import_file", file=str(file), project=PROJECT, map=str(mapping))
        output.say(f"import     {file.name}: {report['accepted']} rows, {report['rejected']} rejected")
    queue = output.call(workspace, "tasks", project=PROJECT, create="rate")
    kinds = {row["kind"]: row for row in queue["tasks"] if not row["batch"]}
    waiting = sum(row["open"] for row in kinds.values())
    output.say(f"queue      {sum(row['tasks'] for row in kinds.values())} tasks, {waiting} wait for people")
    for question in output.call(workspace, "agreement", project=PROJECT)["questions"][:2]:
        output.say(
            f"aggregate  agreement on {question['question']}: alpha {question['alpha']:.2f} ({question['level']})"
        )
    counts = output.call(workspace, "snapshot_list", project=PROJECT)["snapshots"]
    return {
        "imported examples": report["examples_in_project"],
        "judgements": sum(row["judgements"] for row in kinds.values()),
        "tasks waiting": waiting,
        "earlier snapshots": len(counts),
    }


def _freeze(workspace: Path, output: Output, stages: dict[str, int]) -> str:
    """Snapshot and exports; returns the snapshot's id."""
    name = f"round-{stages.pop('earlier snapshots') + 1}"
    snapshot = output.call(workspace, "snapshot_create", project=PROJECT, name=name)
    whole = output.call(workspace, "snapshot_verify", snapshot=snapshot["id"])["is_whole"]
    stages["snapshot rows"] = snapshot["counts"]["rows"]
    stages["snapshot rows sealed"] = sum(n for kind, n in snapshot["counts"].items() if kind.endswith("_holdout"))
    output.say(f"snapshot   {name}: {snapshot['counts']['rows']} rows, {'verified' if whole else 'NOT WHOLE'}")
    for form, label in (("sft", "exported answers"), ("dpo", "exported pairs")):
        to = workspace / "exports" / name / form
        report = output.call(workspace, "export", snapshot=snapshot["id"], form=form, to=str(to))
        stages[label] = report["kept"]
        output.say(
            f"export     {form}: {report['kept']} of {report['considered']} rows kept, drops {report['dropped']}"
        )
    return str(snapshot["id"])


def _tune(
    workspace: Path, output: Output, snapshot: str, checks: Path, stages: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Instruction tuning, preference tuning on top of it, evaluation, and answers for blind review."""
    runs: dict[str, dict[str, Any]] = {}
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("sft", "prepare_training", {"method": "sft", "snapshot": snapshot}),
        ("dpo", "prepare_training", {"method": "dpo", "snapshot": snapshot, "model": "sft"}),
        ("evaluate", "prepare_evaluation", {"run": "dpo", "checks": str(checks)}),
        ("generate", "prepare_generation", {"run": "dpo", "project": PROJECT}),
    ]
    for stage, verb, values in steps:
        began = time.monotonic()
        # A value that names an earlier stage stands for that stage's run.
        resolved = {key: runs[value]["run"] if value in runs and key in ("run", "model") else value
                    for key, value in values.items()}  # fmt: skip
        runs[stage] = output.run_round(workspace, verb, **resolved)
        output.say(f"{stage:<10} {runs[stage]['run']}, {time.monotonic() - began:.0f} s")
    stages["trained on answers"] = runs["sft"]["rows"]["kept"]
    stages["trained on pairs"] = runs["dpo"]["rows"]["kept"]
    stages["answers generated"] = runs["generate"]["review"]["candidates"]
    stages["blind review tasks"] = runs["generate"]["review"]["review_tasks"]
    return runs
