"""Trackers: TensorBoard, trackio and MLflow hear a run's metrics through the integrations of transformers.

They write to a folder beside the runs and send nothing anywhere: a tracker's server or Space is not ours to feed.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from pitchpipe.store.errors import UsageError

_PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "mlflow": ("mlflow",)}
"""The packages of which one must be installed, by tracker."""


def check_trackers(names: Sequence[str]) -> None:
    """Raises a UsageError for a tracker that is unknown or not installed, before anything is loaded."""
    for name in names:
        if name not in _PACKAGES:
            raise UsageError(
                f"There is no tracker {name!r}.",
                f"`report_to` may name: {', '.join(_PACKAGES)}. Leave it empty for none.",
            )
        if not any(importlib.util.find_spec(package) for package in _PACKAGES[name]):
            raise UsageError(
                f"The tracker {name!r} is not installed.",
                f"Run `pip install {_PACKAGES[name][-1]}`, or take it out of `report_to`. The Rounds page needs none.",
            )


def prepare_trackers(names: Sequence[str], folder: Path) -> Path | None:
    """Points the trackers to the folder `trackers` beside a run's folder, and keeps them off the network.

    Returns that folder, or None where no tracker is asked for. The integrations read the environment only.
    """
    if not names:
        return None
    target = folder.resolve().parent / "trackers"
    target.mkdir(exist_ok=True)
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(target / "tensorboard" / folder.resolve().name)
    os.environ["TRACKIO_DIR"] = str(target / "trackio")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{target / 'mlflow.db'}"
    os.environ["MLFLOW_EXPERIMENT_NAME"] = "pitchpipe"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "1"
    for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "MLFLOW_RUN_ID", "HF_MLFLOW_LOG_ARTIFACTS"):
        os.environ.pop(name, None)
    return target
