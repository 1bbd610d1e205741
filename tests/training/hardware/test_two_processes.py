"""Two processes give the losses of one, and between them every row is learned exactly once an epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pitchpipe.store.errors import RunError
from pitchpipe.training.hardware.profiles import SHARED, training_command
from pitchpipe.training.plans.plan_files import with_dials
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.runs.run_folders import create_run_folder, read_metrics, verify_run

_WATCHED = """
import json, os, sys
from pathlib import Path
import transformers
seen = []
plain = transformers.Trainer.training_step
def training_step(self, model, inputs, *more, **named):
    labels = inputs["labels"]
    seen.append([self.state.global_step, [row[row >= 0].tolist() for row in labels if (row >= 0).any()]])
    return plain(self, model, inputs, *more, **named)
transformers.Trainer.training_step = training_step
from pitchpipe.training.__main__ import run_folder
run_folder(Path(sys.argv[1]))
Path(sys.argv[2], f"seen{os.environ.get('RANK', 0)}.json").write_text(json.dumps(seen))
"""


def train(plan: TrainPlan, place: Path, processes: int) -> tuple[Path, list[list[Any]]]:
    """The run folder, and what each process learned at each step."""
    place.mkdir()
    folder = create_run_folder(place / "runs", plan)
    script = place / "watched.py"
    script.write_text(_WATCHED)
    command = [sys.executable, str(script)]
    if processes > 1:
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        command.append(str(script))
    done = subprocess.run(
        [*command, str(folder), str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [json.loads(path.read_text()) for path in sorted(place.glob("seen*.json"))]


def test_two_processes_learn_every_row_once_and_lose_what_one_loses(sft_plan: TrainPlan, tmp_path: Path) -> None:
    # 18 rows do not fill batches of 8, whoever shares them: the last two meet six that are blank.
    dials = {"max_steps": 0, "epochs": 2.0, "layout": "shuffled", "samples": 0, "learning_rate": 0.01}
    one, alone = train(with_dials(sft_plan, batch_size=8, **dials), tmp_path / "one", 1)
    two, shared = train(with_dials(sft_plan, batch_size=4, **dials), tmp_path / "two", 2)
    assert len(shared) == 2 and all(len(steps) == 6 for steps in (*alone, *shared))
    for step in range(6):
        together = [row for process in shared for row in process[step][1]]
        assert sorted(together) == sorted(alone[0][step][1])
    for epoch in (range(3), range(3, 6)):
        assert sum(len(alone[0][step][1]) for step in epoch) == 18
    losses = [[line["loss"] for line in read_metrics(folder)] for folder in (one, two)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    norms = [[line["grad_norm"] for line in read_metrics(folder)] for folder in (one, two)]
    assert norms[1] == pytest.approx(norms[0], rel=1e-3)
    assert verify_run(two) == [] and len(read_metrics(two)) == 6


def test_one_process_is_started_plainly_and_several_by_accelerate(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    monkeypatch.setenv("PITCHPIPE_GPUS", "8")
    assert training_command(Path("/r"), "one_gpu") == [sys.executable, "-m", "pitchpipe.training", "run", "/r"]
    kinds = {}
    for name in SHARED:
        command = training_command(Path("/r"), name)
        assert command[1:3] == ["-m", "accelerate.commands.launch"] and command[-4:] == [
            "-m",
            "pitchpipe.training",
            "run",
            "/r",
        ]
        assert command[command.index("--num_processes") + 1] == "8"
        kinds[name] = load_config_from_file(command[command.index("--config_file") + 1]).distributed_type
    assert [str(kind).rpartition(".")[2] for kind in kinds.values()] == ["MULTI_GPU", "FSDP", "MULTI_GPU"]


def test_hardware_that_is_not_here_is_missed_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(RunError, match="0 GPU is here"):
        training_command(Path("/r"), "many_gpus")
    monkeypatch.setenv("PITCHPIPE_GPUS", "4")
    monkeypatch.setenv("PITCHPIPE_MACHINES", "2")
    with pytest.raises(RunError, match="which one this is"):
        training_command(Path("/r"), "multi_node")
    monkeypatch.setenv("PITCHPIPE_MACHINE", "1")
    monkeypatch.setenv("PITCHPIPE_FIRST_MACHINE", "node-a")
    command = " ".join(training_command(Path("/r"), "multi_node"))
    assert "--num_processes 8 --num_machines 2 --machine_rank 1 --main_process_ip node-a" in command
    monkeypatch.setenv("PITCHPIPE_GPUS", "four")
    with pytest.raises(RunError, match="'four'"):
        training_command(Path("/r"), "many_gpus")
