"""Profiles: how the processes of a run are started, by the plan's dial `hardware`. Free of torch.

`auto` and `one_gpu` are one process. The others start `accelerate launch` with a configuration of this folder, and
accelerate starts one process a GPU.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from pitchpipe.store.errors import RunError

_HERE = Path(__file__).parent
SHARED = ("many_gpus", "fsdp2", "multi_node")
"""Profiles of several processes."""
GPUS, MACHINES, MACHINE = "PITCHPIPE_GPUS", "PITCHPIPE_MACHINES", "PITCHPIPE_MACHINE"
FIRST_MACHINE, PORT = "PITCHPIPE_FIRST_MACHINE", "PITCHPIPE_PORT"
"""Environment variables: GPUs of each machine, machines, which one this is (from 0), and where the first listens."""


def training_command(folder: Path, hardware: str = "auto") -> list[str]:
    """The command that carries out a run folder on the hardware that its plan names.

    Raises:
        RunError: the hardware is not here, or several machines were asked for and nothing says which one this is.

    >>> training_command(Path("/r"))[1:]
    ['-m', 'pitchpipe.training', 'run', '/r']
    """
    run = ["-m", "pitchpipe.training", "run", str(folder.resolve())]
    if hardware not in SHARED:
        return [sys.executable, *run]
    gpus = count_gpus()
    machines = _read_number(MACHINES, 1) if hardware == "multi_node" else 1
    if gpus * machines < 2:
        raise RunError(
            f"The plan asks for the hardware {hardware!r}, and {gpus * machines} GPU is here.",
            f"Set `hardware` to one_gpu, or say how many GPUs a machine has with {GPUS}.",
        )
    options = ["--config_file", str(_HERE / f"{hardware}.yaml"), "--num_processes", str(gpus * machines)]
    if hardware == "multi_node":
        options += _describe_machines(machines)
    return [sys.executable, "-m", "accelerate.commands.launch", *options, *run]


def _describe_machines(machines: int) -> list[str]:
    first = os.environ.get(FIRST_MACHINE)
    if machines > 1 and (first is None or MACHINE not in os.environ):
        raise RunError(
            f"The plan asks for {machines} machines; nothing says which one this is, or where the first one listens.",
            f"Set {MACHINE} (from 0) and {FIRST_MACHINE} on each machine, or use a job: pitchpipe job RUN --for slurm.",
        )
    return [
        *("--num_machines", str(machines), "--machine_rank", str(_read_number(MACHINE, 0))),
        *("--main_process_ip", first or "127.0.0.1", "--main_process_port", str(_read_number(PORT, 29_500))),
    ]


def count_gpus() -> int:
    """GPUs of this machine: what PITCHPIPE_GPUS or CUDA_VISIBLE_DEVICES says, else what the driver's tool lists."""
    if GPUS in os.environ:
        return _read_number(GPUS, 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() and name.strip() != "-1"])
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return 0
    return len(re.findall(r"^GPU \d+:", listed.stdout, re.MULTILINE))


def _read_number(name: str, default: int) -> int:
    told = os.environ.get(name, "")
    if told and not told.isdigit():
        raise RunError(f"The environment variable {name} is {told!r}.", "Set it to a whole number.")
    return int(told) if told else default
