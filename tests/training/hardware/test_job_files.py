"""A job takes a run to another machine and brings it back: the script really runs, with stand-ins for the cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pitchpipe.store.errors import RunError, UsageError
from pitchpipe.training.hardware.job_files import write_job
from pitchpipe.training.plans.plan_files import load_plan, with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_json, verify_run

CarryOut = Callable[..., Path]


@pytest.fixture
def waiting(sft_plan: TrainPlan, tmp_path: Path) -> Path:
    return create_run_folder(tmp_path / "runs", with_dials(sft_plan, max_steps=2, samples=0))


def test_the_slurm_script_carries_out_the_run_elsewhere_and_packs_it_up(waiting: Path, tmp_path: Path) -> None:
    told = write_job(waiting, tmp_path / "job", "slurm", gpus=1, nodes=1)
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    for name in ("archive", "job"):
        shutil.copy(told[name], cluster)
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, body in {
        "srun": 'shift; SLURM_PROCID=0 exec "$@"',
        "scontrol": "echo node-a; echo node-b",
        "python": f'exec {sys.executable} "$@"',
    }.items():
        (stubs / name).write_text(f"#!/bin/bash\n{body}\n")
        (stubs / name).chmod(0o755)
    script = cluster / f"{waiting.name}.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    done = subprocess.run(
        ["bash", str(script)],
        cwd=cluster,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node-[a-b]"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    home = tmp_path / "home"
    with tarfile.open(cluster / told["result"]) as archive:
        archive.extractall(home, filter="data")
    back = home / "runs" / waiting.name
    assert verify_run(back) == [] and read_json(back / "manifest.json")["snapshot_id"] == "snap_test"
    assert load_plan(back / "plan.toml").snapshot == "snapshots/snap_test"


def test_several_machines_and_gpus_change_the_hardware_of_the_plan_alone(waiting: Path, tmp_path: Path) -> None:
    for gpus, nodes, hardware in ((1, 1, "one_gpu"), (8, 1, "many_gpus"), (8, 2, "multi_node")):
        place = tmp_path / f"job{gpus}{nodes}"
        told = write_job(waiting, place, "slurm", gpus=gpus, nodes=nodes)
        with tarfile.open(told["archive"]) as archive:
            archive.extractall(place, filter="data")
            assert not [entry for entry in archive.getmembers() if entry.uname or entry.name.startswith("/")]
        plan = load_plan(place / "runs" / waiting.name / "plan.toml")
        before = load_plan(waiting / "plan.toml")
        assert plan == with_dials(before, snapshot="snapshots/snap_test", hardware=hardware)
        script = Path(told["job"]).read_text()
        assert f"--nodes={nodes}\n" in script and f"PITCHPIPE_GPUS={gpus} PITCHPIPE_MACHINES={nodes}" in script
        assert told["expects"] == [before.model] and before.model in script


def test_the_skypilot_file_is_yaml_whose_script_is_bash(waiting: Path, tmp_path: Path) -> None:
    told = write_job(waiting, tmp_path / "job", "skypilot", gpus=4, nodes=2, gpu_type="A100-80GB")
    task = yaml.safe_load(Path(told["job"]).read_text())
    assert (task["num_nodes"], task["resources"]) == (2, {"accelerators": "A100-80GB:4"})
    assert "python -m pitchpipe.training launch" in task["run"]
    subprocess.run(["bash", "-n"], input=task["run"], text=True, check=True)


def test_the_run_that_a_plan_starts_from_comes_along(sft_plan: TrainPlan, carry_out: CarryOut, tmp_path: Path) -> None:
    parent = carry_out(with_dials(sft_plan, max_steps=1, samples=0))
    run = create_run_folder(tmp_path / "more", with_dials(sft_plan, model=str(parent)))
    told = write_job(run, tmp_path / "job", "slurm")
    with tarfile.open(told["archive"]) as archive:
        archive.extractall(tmp_path / "there", filter="data")
    plan = load_plan(tmp_path / "there" / "runs" / run.name / "plan.toml")
    assert isinstance(plan, TrainPlan) and plan.model == f"runs/{parent.name}"
    assert verify_run(tmp_path / "there" / plan.model) == []
    with pytest.raises(RunError, match="finished already"):
        write_job(parent, tmp_path / "no", "slurm")


def test_what_no_scheduler_knows_is_refused(waiting: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no job files for 'lsf'"):
        write_job(waiting, tmp_path, "lsf")
    with pytest.raises(UsageError, match="`nodes` is 0"):
        write_job(waiting, tmp_path, "slurm", nodes=0)
