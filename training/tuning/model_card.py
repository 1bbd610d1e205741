"""The model card of a tuned model: what it is, what it learned from, and how to load it."""

from __future__ import annotations

from typing import Any

from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.methods import find_method

_ENDING = """

Every row's fate is in `ledger.parquet`, the inputs and their hashes in `inputs.json`.
It learned from the rows of one snapshot; what those hold, it may repeat.

```python
{code}
```
"""
_LOADING = {
    "lora": "from peft import PeftModel\nmodel = PeftModel.from_pretrained(base_model, 'model')",
    "full": "from transformers import {loader}\nmodel = {loader}.from_pretrained('model')",
}
_LOADERS = {"words": "AutoModelForCausalLM", "score": "AutoModelForSequenceClassification"}


def write_model_card(job: Job, summary: dict[str, Any]) -> None:
    """Writes model_card.md into the run folder."""
    plan, resolved, snapshot, rows = job.plan, job.resolved, job.snapshot, summary["rows"]
    method = find_method(plan.method)
    made = "A LoRA adapter" if plan.weights == "lora" else "All weights"
    lines = [
        f"# {plan.name or job.folder.name}",
        "",
        f"{made} from {method.title} of `{resolved.name}`, made by Pitchpipe.",
        "",
        "| | |",
        "|---|---|",
        f"| run | `{job.folder.name}` |",
        f"| base model | `{resolved.name}` ({resolved.base_hash}) |",
        f"| licence | {resolved.licence} |",
        f"| started from | {f'run `{resolved.run_id}`' if resolved.run_id else 'the base model'} |",
        f"| snapshot | `{snapshot['snapshot_id']}` ({snapshot.get('name', '')}) |",
        f"| rows | {rows['kept']} learned whole, {rows['truncated']} cut, {rows['too_long']} too long, "
        f"{rows['dropped']} left out by rule, {rows.get('held_back', 0)} held back, of {rows['considered']} |",
        f"| steps | {summary['steps']} of {plan.batch_size * plan.accumulation} rows, rate {plan.learning_rate:g}, "
        f"{plan.schedule} |",
        f"| trained | {_trained(job, summary)} |",
        f"| loss | {_number(summary['first_loss'])} at the first step, {_number(summary['final_loss'])} at the last |",
    ]
    if "step0_margin" in summary:
        lines.append(f"| reference | {summary['reference']}, first margin {_number(summary['step0_margin'])} |")
    if "final_reward" in summary:
        first, final = _number(summary["first_reward"]), _number(summary["final_reward"])
        lines.append(
            f"| mean reward | {first} in the first steps, {final} in the last, held to {summary['reference']} |"
        )
    if "warning" in summary:
        lines += ["", f"**{summary['warning']['happened']}** {summary['warning']['advice']}"]
    code = _LOADING[plan.weights].format(loader=_LOADERS[method.head])
    text = "\n".join(lines) + _ENDING.format(code=code)
    (job.folder / "model_card.md").write_text(text, encoding="utf-8")


def _trained(job: Job, summary: dict[str, Any]) -> str:
    count = f"{summary['trained_parameters']:,} numbers"
    if job.plan.weights == "full":
        return f"all weights, {count}"
    if job.resolved.adapter is not None:
        return f"the adapter it started with, {count}"
    return f"an adapter of rank {job.plan.lora_rank}, alpha {job.plan.lora_alpha}, on all linear layers, {count}"


def _number(value: float | None) -> str:
    """A number of the summary for reading.

    >>> _number(1.23456), _number(None)
    ('1.235', 'n/a')
    """
    return "n/a" if value is None else f"{value:.3f}"
