"""Best weights: the trained weights of the best measurement, kept beside the checkpoints until the run ends.

Only what is trained is kept (an adapter, or all weights), as safetensors. The folder takes its name when it is whole,
so a kill inside a save leaves the one before; what the folder says it holds is what it holds.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from pitchpipe.training.runs.run_folders import read_json, write_json

_FILE, _FACTS = "trained.safetensors", "best.json"


def find_best(scratch: Path) -> tuple[int, float] | None:
    """The step and dev loss of the weights that are kept in the scratch folder, if any are."""
    found = [read_json(path / _FACTS) for path in scratch.glob("best-*")]
    kept = [(facts["dev_loss"], facts["step"]) for facts in found if facts]
    if not kept:
        return None
    loss, step = min(kept)
    return step, loss


def keep_best(model: Any, scratch: Path, step: int, loss: float) -> None:
    """Keeps the weights as those of the best measurement; older ones go once these are whole on the disk."""
    from safetensors.torch import save_file

    target, part = scratch / f"best-{step}", scratch / f".best-{step}.part"
    for stale in (target, part):
        shutil.rmtree(stale, ignore_errors=True)
    part.mkdir(parents=True)
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    save_file({name: weight.detach().cpu().contiguous() for name, weight in trained.items()}, part / _FILE)
    with (part / _FILE).open("rb") as file:
        os.fsync(file.fileno())
    write_json(part / _FACTS, {"step": step, "dev_loss": loss})
    part.rename(target)
    for path in scratch.glob("best-*"):
        if path != target:
            shutil.rmtree(path, ignore_errors=True)


def load_best(model: Any, scratch: Path) -> int | None:
    """Puts the kept weights into the model and returns their step; None, and nothing is changed, where none are."""
    import torch
    from safetensors.torch import load_file

    best = find_best(scratch)
    if best is None:
        return None
    weights = load_file(scratch / f"best-{best[0]}" / _FILE)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)
    return best[0]


def clear_best(scratch: Path) -> None:
    """Forgets what an earlier start of the run kept."""
    for path in [*scratch.glob("best-*"), *scratch.glob(".best-*")]:
        shutil.rmtree(path, ignore_errors=True)
