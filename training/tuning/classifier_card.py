"""The model card of a classifier: what it tells apart, what it learned from, and how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan

_LOADING = {
    "full": "from transformers import pipeline\nclassify = pipeline('text-classification', 'model')",
    "lora": "from peft import AutoPeftModelForSequenceClassification\n"
    "model = AutoPeftModelForSequenceClassification.from_pretrained('model', num_labels={classes})",
}


def write_classifier_card(
    folder: Path, plan: TrainPlan, resolved: ResolvedModel, snapshot: dict[str, Any], summary: dict[str, Any]
) -> None:
    """Writes model_card.md into the run folder."""
    rows, sizes = summary["rows"], summary["classes"]
    made = f"a LoRA adapter of rank {plan.lora_rank} and the head" if plan.weights == "lora" else "all weights"
    started = f"run `{resolved.run_id}`" if resolved.run_id else "the pretrained model"
    lines = [
        f"# {plan.name or folder.name}",
        "",
        f"A classifier of texts into {len(sizes)} classes: `{resolved.name}` with a head, tuned by Pitchpipe. It gives "
        "a text one class; texts that people gave several labels taught it nothing.",
        "",
        "| | |",
        "|---|---|",
        f"| run | `{folder.name}` |",
        f"| base model | `{resolved.name}` ({resolved.base_hash}) |",
        f"| licence | {resolved.licence} |",
        f"| started from | {started} |",
        f"| snapshot | `{snapshot['snapshot_id']}` ({snapshot.get('name', '')}) |",
        f"| rows | {rows['kept']} learned whole, {rows['truncated']} cut, {rows['too_long']} too long, "
        f"{rows['dropped']} left out by rule, of {rows['considered']} |",
        f"| trained | {made} |",
        f"| steps | {summary['steps']} of {plan.batch_size * plan.accumulation} rows, rate {plan.learning_rate:g}, "
        f"{plan.schedule} |",
        f"| loss | {_number(summary['first_loss'])} at the first step, {_number(summary['final_loss'])} at the last |",
        "",
        "| class | texts learned |",
        "|---|---|",
        *(f"| {label.replace('|', '/')} | {size} |" for label, size in sizes.items()),
    ]
    if "warning" in summary:
        lines += ["", f"**{summary['warning']['happened']}** {summary['warning']['advice']}"]
    lines += [
        "",
        "Every row's fate is in `ledger.parquet`, the inputs and their hashes in `inputs.json`; how good it is on the "
        "sealed holdout, an evaluation of this run tells. Its probabilities are as good as its calibration there.",
        "",
        "```python",
        _LOADING[plan.weights].format(classes=len(sizes)),
        "```",
        "",
    ]
    (folder / "model_card.md").write_text("\n".join(lines), encoding="utf-8")


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
