"""Job files: a run as a folder that a cluster can carry out: what it needs in one archive, and the script that runs it.

The archive holds the plan, the snapshot and the run that it starts from, under the paths of a workspace, and the plan
names them by these paths. Nothing of the store goes along. When the job is done, its result is an archive of the run
folder, which is unpacked in the workspace and registered. Free of torch.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.hardware.profiles import FIRST_MACHINE, GPUS, MACHINE, MACHINES
from pitchpipe.training.plans.plan_files import plan_to_toml, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.checkpoints import CHECKPOINTS
from pitchpipe.training.runs.run_folders import PLAN, RunStatus, read_manifest, read_plan, read_state, write_atomic

FOR = ("slurm", "skypilot")


def write_job(
    folder: Path, to: Path, scheduler: str, gpus: int = 1, nodes: int = 1, gpu_type: str = "H100", hours: int = 24
) -> dict[str, Any]:
    """Writes the archive and the job file of a waiting run into the folder `to`.

    Args:
        scheduler: `slurm` or `skypilot`.
        gpus: of each machine. nodes: machines. hours: longest time that the job may take.

    Returns:
        `{"archive", "job", "start", "result", "expects"}`: the two files, the command that starts the job, what
        it leaves, and folders that must be on the machine where it runs.
    """
    if scheduler not in FOR:
        raise UsageError(f"There are no job files for {scheduler!r}.", f"Use one of: {', '.join(FOR)}.")
    for name, value in (("gpus", gpus), ("nodes", nodes), ("hours", hours)):
        if not 1 <= value <= 10_000:
            raise UsageError(f"`{name}` is {value}.", "It must lie between 1 and 10,000.")
    plan, run = _check(folder), folder.resolve().name
    moved, inputs, expects = _move(plan, gpus, nodes)
    to.mkdir(parents=True, exist_ok=True)
    _write_archive(to / f"{run}.tar.gz", f"runs/{run}", moved, inputs)
    facts = {"run": run, "gpus": gpus, "nodes": nodes, "gpu_type": gpu_type, "hours": hours, "needs": expects}
    body = _write_body(run, expects)
    job = to / f"{run}.{'sbatch' if scheduler == 'slurm' else 'yaml'}"
    write_atomic(job, _SLURM.format(**facts, body=body) if scheduler == "slurm" else _skypilot(facts, body))
    return {
        "archive": str(to / f"{run}.tar.gz"),
        "job": str(job),
        "start": f"sbatch {job.name}" if scheduler == "slurm" else f"sky launch {job.name}",
        "result": f"{run}.result.tar.gz",
        "expects": expects,
    }


def _check(folder: Path) -> TrainPlan:
    plan, state = read_plan(folder), read_state(folder)
    if not isinstance(plan, TrainPlan):
        raise UsageError(f"The run {state.run_id} is of kind {plan.kind}.", "Job files are for training runs.")
    if state.status in (RunStatus.FINISHED, RunStatus.RUNNING):
        raise RunError(
            f"The run {state.run_id} is {state.status} already.", "Make a run that waits: pitchpipe train … --later."
        )
    return plan


def _move(plan: TrainPlan, gpus: int, nodes: int) -> tuple[TrainPlan, dict[str, Path], list[str]]:
    """The plan with paths inside the archive, what lies there, and folders that cannot come along."""
    inputs: dict[str, Path] = {}
    expects: list[str] = []
    changes: dict[str, Any] = {}
    for dial, shelf in (("snapshot", "snapshots"), ("model", "runs"), ("reward_run", "runs")):
        place = Path(getattr(plan, dial)).expanduser()
        if not getattr(plan, dial) or not place.is_dir():
            continue
        if dial == "model" and not (place / PLAN).is_file():
            expects.append(str(place))  # weights of any size: they are not copied, but looked for where the job runs
            continue
        if dial != "snapshot":
            read_manifest(place)
        inside = f"{shelf}/{place.resolve().name}"
        inputs[inside], changes[dial] = place, inside
    if "snapshot" not in changes:
        raise RunError(f"The snapshot folder {plan.snapshot!r} is not here.", "Make the snapshot again, then the run.")
    if nodes > 1:
        changes["hardware"] = "multi_node"
    elif gpus > 1:
        changes["hardware"] = "fsdp2" if plan.hardware == "fsdp2" else "many_gpus"
    else:
        changes["hardware"] = "one_gpu"
    return with_dials(plan, **changes), inputs, expects


def _write_archive(path: Path, run: str, plan: TrainPlan, inputs: dict[str, Path]) -> None:
    part = path.with_name(f".{path.name}.part")
    with tarfile.open(part, "w:gz") as archive:
        text = plan_to_toml(plan).encode()
        entry = tarfile.TarInfo(f"{run}/{PLAN}")
        entry.size, entry.mode = len(text), 0o644
        archive.addfile(entry, io.BytesIO(text))
        for inside, place in inputs.items():
            archive.add(place, inside, filter=_leave_scratch)
    part.replace(path)


def _leave_scratch(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leaves out checkpoints, and the owner's name and number on this machine."""
    if f"/{CHECKPOINTS}" in entry.name:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _write_body(run: str, expects: list[str]) -> str:
    """What comes before the run itself, in a folder that holds the archive."""
    needed = "".join(
        f"[ -d {_quote(place)} ] || {{ echo {_quote(f'The model {place} is not on this machine.')} >&2; exit 2; }}\n"
        for place in expects
    )
    return (
        f"{needed}"
        f"# Files that are there already belong to a job that was cut off: it goes on where it stopped.\n"
        f"tar xzf {run}.tar.gz --skip-old-files\n"
    )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_SLURM = f"""#!/bin/bash
#SBATCH --job-name={{run}}
#SBATCH --nodes={{nodes}}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={{gpus}}
#SBATCH --time={{hours}}:00:00
#SBATCH --output={{run}}.%j.log
# Put this file and {{run}}.tar.gz into one folder that all machines see, then: sbatch {{run}}.sbatch
set -euo pipefail
cd "${{{{SLURM_SUBMIT_DIR:-$PWD}}}}"

export {GPUS}={{gpus}} {MACHINES}={{nodes}}
{FIRST_MACHINE}=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed -n 1p)
export {FIRST_MACHINE}
{{body}}
srun --kill-on-bad-exit=1 bash -c \\
  'export {MACHINE}="$SLURM_PROCID"; exec python -m pitchpipe.training launch runs/{{run}}'

tar czf {{run}}.result.tar.gz --exclude={CHECKPOINTS} runs/{{run}}
# At home: tar xzf {{run}}.result.tar.gz -C WORKSPACE, and the next look at the rounds registers it.
"""

_SKYPILOT = f"""# sky launch {{run}}.yaml, from the folder that holds {{run}}.tar.gz
# At the end: rsync -Pavz CLUSTER:sky_workdir/{{run}}.result.tar.gz . && tar xzf {{run}}.result.tar.gz -C WORKSPACE
name: {{name}}
workdir: .
num_nodes: {{nodes}}
resources:
  accelerators: {{gpu_type}}:{{gpus}}
setup: |
  pip install pitchpipe
run: |
  set -euo pipefail
  export {GPUS}={{gpus}} {MACHINES}={{nodes}} {MACHINE}="$SKYPILOT_NODE_RANK"
  {FIRST_MACHINE}=$(echo "$SKYPILOT_NODE_IPS" | sed -n 1p)
  export {FIRST_MACHINE}
{{body}}
  python -m pitchpipe.training launch runs/{{run}}
  if [ "$SKYPILOT_NODE_RANK" = 0 ]; then
    tar czf {{run}}.result.tar.gz --exclude={CHECKPOINTS} runs/{{run}}
  fi
"""


def _skypilot(facts: dict[str, Any], body: str) -> str:
    indented = "".join(f"  {line}\n" for line in body.splitlines()).rstrip("\n")
    return _SKYPILOT.format(**facts, name=facts["run"].replace("_", "-"), body=indented)
