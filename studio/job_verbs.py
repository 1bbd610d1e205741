"""What one can do with a run that another machine is to carry out: one verb, as its command and its API route."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchpipe.store.database import Store
from pitchpipe.store.errors import NotFoundError
from pitchpipe.studio.running import list_run_folders
from pitchpipe.training.hardware.job_files import write_job


def job(
    store: Store,
    run: str,
    scheduler: str,
    gpus: int = 1,
    nodes: int = 1,
    gpu_type: str = "H100",
    hours: int = 24,
    to: str | None = None,
) -> dict[str, Any]:
    """Writes the archive and the job file with which a cluster carries out a waiting run.

    Args:
        run: the id of a run that waits (a unique beginning is enough).
        scheduler: `slurm` or `skypilot`.
        to: the folder for both files; None: in the workspace, under `jobs/`.
    """
    found = [folder for folder in list_run_folders(store.workspace.resolve()) if folder.name.startswith(run)]
    if len(found) != 1:
        raise NotFoundError(
            f"{len(found)} run folders begin with '{run}'.", "Make one that waits: pitchpipe train … --later."
        )
    place = Path(to).resolve() if to else store.workspace.resolve() / "jobs" / found[0].name
    return {"run": found[0].name, **write_job(found[0], place, scheduler, gpus, nodes, gpu_type, hours)}
