"""The model card of a tuned model: what it is, what it learned from, and how to load it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.training.models.loading import ResolvedModel
from pitchpipe.training.plans.train_plan import TrainPlan

_METHODS = {"sft": "instruction tuning", "dpo": "preference tuning (DPO)"}
_ENDING = """

Every row's fate is in `ledger.parquet`, the inputs and their hashes in `inputs.json`.
It learned from the rows of one snapshot; what those hold, it may repeat.

```python
from peft import PeftModel
model = PeftModel.from_pretrained(base_model, 'model')
```
"""


def write_model_card(
    folder: Path, plan: TrainPlan, resolved: ResolvedModel, snapshot: dict[str, Any], summary: dict[str, Any]
) -> None:
    """Writes model_card.md into the run folder."""
    rows = summary["rows"]
    lines = [
        f"# {plan.name or folder.name}",
        "",
        f"A LoRA adapter from {_METHODS[plan.method]} of `{resolved.name}`, made by Pitchpipe.",
        "",
        "| | |",
        "|---|---|",
        f"| run | `{folder.name}` |",
        f"| base model | `{resolved.name}` ({resolved.base_hash}) |",
        f"| licence | {resolved.licence} |",
        f"| started from | {f'run `{resolved.run_id}`' if resolved.run_id else 'the base model'} |",
        f"| snapshot | `{snapshot['snapshot_id']}` ({snapshot.get('name', '')}) |",
        f"| rows | {rows['kept']} learned whole, {rows['truncated']} cut, {rows['too_long']} too long, "
        f"{rows['dropped']} left out by rule, {rows.get('held_back', 0)} held back, of {rows['considered']} |",
        f"| steps | {summary['steps']} of {plan.batch_size * plan.accumulation} rows, rate {plan.learning_rate:g}, "
        f"{plan.schedule} |",
        f"| adapter | rank {plan.lora_rank}, alpha {plan.lora_alpha}, all linear layers |",
        f"| loss | {_number(summary['first_loss'])} at the first step, {_number(summary['final_loss'])} at the last |",
    ]
    if plan.method == "dpo":
        lines.append(f"| reference | {summary['reference']}, first margin {_number(summary['step0_margin'])} |")
    if "warning" in summary:
        lines += ["", f"**{summary['warning']['happened']}** {summary['warning']['advice']}"]
    (folder / "model_card.md").write_text("\n".join(lines) + _ENDING, encoding="utf-8")


def _number(value: float | None) -> str:
    """A number of the summary for reading.

    >>> _number(1.23456), _number(None)
    ('1.235', 'n/a')
    """
    return "n/a" if value is None else f"{value:.3f}"
