"""Watching: what a run needs so that it is measured on the way, and what the measurements decide at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.checkpoints import CHECKPOINTS
from pitchpipe.training.runs.run_folders import read_metrics
from pitchpipe.training.tuning.advice import advise, lower_rate, series
from pitchpipe.training.tuning.best_weights import load_best
from pitchpipe.training.tuning.dev_rows import DevRows, check_watching, tokenise_dev
from pitchpipe.training.tuning.job import Job
from pitchpipe.training.tuning.measuring_callback import Measuring
from pitchpipe.training.tuning.methods import find_method
from pitchpipe.training.tuning.monitor import LossLostError, Monitor
from pitchpipe.training.tuning.standing import find_standing
from pitchpipe.training.tuning.trackers import check_trackers, prepare_trackers


def check_watch(plan: TrainPlan) -> None:
    """Refuses what cannot be watched as the plan asks, before anything is loaded."""
    check_watching(plan)
    check_trackers(plan.report_to)


@dataclass
class Watch:
    """The monitor of a run and, where the plan asks for measurements, what takes them."""

    folder: Path
    scratch: Path
    plan: TrainPlan
    monitor: Monitor
    measuring: Measuring | None
    dev: DevRows
    best_step: int | None = None
    """The step whose weights were taken instead of the last ones."""

    def attach(self, trainer: Any) -> None:
        """Lets the watch hear the trainer; what measures stands first, so that trackers hear its numbers too."""
        if self.measuring is not None:
            trainer.callback_handler.callbacks.insert(0, self.measuring)

    def is_done(self, step: int, total_steps: int) -> bool:
        """True when a run that is continued at this step has nothing left to train."""
        return step >= total_steps or (self.measuring is not None and self.measuring.is_done(step))

    def choose_weights(self, model: Any) -> None:
        """Puts the weights of the best measurement into the model where the plan asks for them.

        Raises:
            LossLostError: the weights are no finite numbers; the last step may ruin them without a loss that tells.
        """
        if self.plan.keep_best:
            self.best_step = load_best(model, self.scratch)
        for name, weight in model.named_parameters():
            if weight.requires_grad and not weight.isfinite().all():
                raise LossLostError(f"The trained weight {name} is no finite number.", lower_rate(self.plan, 10))

    def summarise(self, steps: int, total_steps: int) -> dict[str, Any]:
        """What the watch adds to summary.json."""
        metrics = read_metrics(self.folder)
        summary: dict[str, Any] = {"advice": [finding.as_dict() for finding in advise(metrics, self.plan)]}
        measured = series(metrics, "dev_loss")
        if measured:
            standing = find_standing(metrics)
            summary["dev"] = {
                "rows": len(self.dev),
                "too_long": self.dev.too_long,
                "measurements": len(measured),
                "best_step": standing.best_step,
                "best_loss": standing.best,
                "last_loss": measured[-1][1],
                "weights_of_step": steps if self.best_step is None else self.best_step,
                "stopped_early": steps < total_steps and standing.is_exhausted(self.plan.patience),
            }
        return summary


def build_watch(job: Job) -> Watch:
    """The watch of a run; sample prompts are those of held back rows where there are some, else of learned ones."""
    plan, folder = job.plan, job.folder
    prepare_trackers(plan.report_to, folder)
    monitor, scratch = Monitor(folder, plan), folder / CHECKPOINTS
    dev = tokenise_dev(plan, job.held_back, job.encoder)
    if not plan.measure_every:
        return Watch(folder, scratch, plan, monitor, None, dev)
    is_writer = find_method(plan.method).head == "words"
    prompts = _prompts(job.held_back or job.result.kept)[: plan.sample_prompts] if is_writer else []
    scratch.mkdir(exist_ok=True)
    return Watch(
        folder, scratch, plan, monitor, Measuring(folder, scratch, plan, monitor, job.encoder, dev, prompts), dev
    )


def _prompts(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each prompt once, in order of row id; rows without one (a classifier's) have none."""
    by_example = {row["example_id"]: row for row in reversed(rows) if "prompt" in row}
    return sorted(by_example.values(), key=lambda row: str(row["row_id"]))
