"""`python -m pitchpipe.training run FOLDER` carries out the plan in a run folder; `prepare-model` makes the cache;
`encode TEXTS VECTORS` turns texts into vectors; `preflight FOLDER` looks ahead at a plan.

Exit codes: 0 done, 1 failed or stopped (the run folder tells why), 2 the request or the plan itself is off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from types import TracebackType

from pitchpipe.store.errors import PitchpipeError, RunError
from pitchpipe.training.exports.export_check import CheckRequest, write_request
from pitchpipe.training.exports.export_commands import add_export_commands, carry_out
from pitchpipe.training.exports.fetching import write_dataset
from pitchpipe.training.hardware.profiles import training_command
from pitchpipe.training.hardware.ranks import rank, shadow_folder
from pitchpipe.training.plans.measure_plans import EvaluatePlan
from pitchpipe.training.plans.plan_files import Plan
from pitchpipe.training.plans.train_plan import TrainPlan
from pitchpipe.training.preflight.preflight_folders import read_train_plan
from pitchpipe.training.runs.checkpoints import clear_checkpoints
from pitchpipe.training.runs.disk import DiskFullError, full_disk_error
from pitchpipe.training.runs.processes import process_started
from pitchpipe.training.runs.run_folders import (
    FAILURE,
    MANIFEST,
    PROCESS,
    RunStatus,
    derive_status,
    read_plan,
    write_json,
)
from pitchpipe.training.shipping.ship_request import read_ship

_HELD_BYTES = 16_384


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m pitchpipe.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="carry out (or continue) the plan in a run folder")
    run.add_argument("folder", type=Path)
    launch = commands.add_parser("launch", help="the same, on the hardware that the plan names")
    launch.add_argument("folder", type=Path)
    commands.add_parser("prepare-model", help="convert the embedded model into the model cache")
    encode = commands.add_parser("encode", help="encode the column text of a Parquet file with the sentence model")
    encode.add_argument("source", type=Path)
    encode.add_argument("target", type=Path)
    fetch = commands.add_parser("fetch-dataset", help="fetch a dataset of the Hub as Parquet shards")
    fetch.add_argument("name")
    fetch.add_argument("--to", type=Path, required=True)
    preflight = commands.add_parser("preflight", help="look ahead at the plan in a folder: what its run would do")
    preflight.add_argument("folder", type=Path)
    preflight.add_argument("--runs", type=Path, help="where earlier runs lie; their speed tells how fast this one is")
    ship = commands.add_parser("ship", help="carry out (or continue) the request in a ship folder")
    ship.add_argument("folder", type=Path)
    add_export_commands(commands)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            run_folder(chosen.folder)
        elif chosen.command == "launch":
            command = training_command(chosen.folder, getattr(read_plan(chosen.folder), "hardware", "auto"))
            os.execv(command[0], command)
        elif chosen.command == "preflight":
            _look_ahead(chosen.folder, chosen.runs)
        elif chosen.command == "encode":
            _encode(chosen.source, chosen.target)
        elif chosen.command == "fetch-dataset":
            _prepare_surroundings()
            write_dataset(chosen.name, chosen.to)
        elif chosen.command == "ship":
            ship_folder(chosen.folder)
        elif chosen.command == "check-export":
            _check_export(chosen)
        elif chosen.command in ("save-export", "push-export"):
            _prepare_surroundings()
            carry_out(chosen)
        else:
            _prepare_model()
    except PitchpipeError as error:
        _tell(f"{error.happened}\n{error.advice}")
        return error.exit_code
    return 0


def run_folder(folder: Path) -> None:
    """Carries out the plan of a run folder; a finished run is left as it is."""
    plan = read_plan(folder)
    if (folder / MANIFEST).is_file():
        clear_checkpoints(folder)
        _tell(f"The run {folder.name} is finished already.")
        return
    if rank():
        with shadow_folder(folder) as shadow:
            _carry_out(shadow, plan)
        return
    _claim(folder)
    _carry_out(folder, plan)


def _carry_out(folder: Path, plan: Plan) -> None:
    with _Failure(folder):
        _prepare_surroundings()
        from pitchpipe.training.models.classifiers import is_classifier
        from pitchpipe.training.tuning.monitor import listen_for_stop

        listen_for_stop()
        _set_threads(plan.threads)
        if isinstance(plan, TrainPlan) and plan.method == "classify":
            from pitchpipe.training.tuning.classify import tune_classifier

            tune_classifier(folder, plan)
        elif isinstance(plan, TrainPlan):
            from pitchpipe.training.tuning.tune import tune

            tune(folder, plan)
        elif isinstance(plan, EvaluatePlan) and is_classifier(Path(plan.run)):
            from pitchpipe.training.measuring.classifying import evaluate_classifier

            evaluate_classifier(folder, plan)
        elif isinstance(plan, EvaluatePlan):
            from pitchpipe.training.measuring.evaluation import evaluate

            evaluate(folder, plan)
        else:
            from pitchpipe.training.measuring.generating import generate

            generate(folder, plan)


def _look_ahead(folder: Path, runs: Path | None) -> None:
    read_train_plan(folder)
    if (folder / MANIFEST).is_file():
        _tell(f"The preflight {folder.name} is finished already.")
        return
    _claim(folder)
    with _Failure(folder):
        _prepare_surroundings()
        from pitchpipe.training.preflight.preflight import look_ahead

        look_ahead(folder, runs or folder.resolve().parents[1] / "runs")


def ship_folder(folder: Path) -> None:
    """Carries out the request of a ship folder; a finished one is left as it is."""
    request = read_ship(folder).request
    if (folder / MANIFEST).is_file():
        _tell(f"The shipping {folder.name} is finished already.")
        return
    _claim(folder)
    with _Failure(folder):
        _prepare_surroundings()
        from pitchpipe.training.shipping.shipping import ship
        from pitchpipe.training.tuning.monitor import listen_for_stop

        listen_for_stop()
        ship(folder, request)


def _check_export(chosen: argparse.Namespace) -> None:
    request = CheckRequest(str(chosen.snapshot), chosen.form, chosen.model, chosen.max_length, chosen.samples)
    folder: Path = chosen.out
    write_request(folder, request)
    if (folder / MANIFEST).is_file():
        _tell(f"The check {folder.name} is finished already.")
        return
    _claim(folder)
    with _Failure(folder):
        _prepare_surroundings()
        from pitchpipe.training.exports.checking import check_export

        check_export(folder, request)


def _prepare_model() -> None:
    from pitchpipe.training.models.embedded_model import prepare_embedded_model

    _prepare_surroundings()
    folder = prepare_embedded_model(_tell)
    sys.stdout.write(f"{folder}\n")


def _encode(source: Path, target: Path) -> None:
    _prepare_surroundings()
    from pitchpipe.training.models.encoding import encode_file

    def tell(done: int, total: int) -> None:
        sys.stdout.write(json.dumps({"encoded": done, "of": total}) + "\n")
        sys.stdout.flush()

    encode_file(source, target, tell)


def _tell(line: str) -> None:
    # The log may stand on the very disk that is full; failure.json tells the same.
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{line}\n")


def _claim(folder: Path) -> None:
    """Writes process.json, unless another live process has the run already."""
    status, pid = derive_status(folder)
    # Where several processes share a run, the one that was started launches them and stands in process.json.
    if status is RunStatus.RUNNING and pid not in (os.getpid(), os.getppid()):
        raise RunError(
            f"The run {folder.resolve().name} is running already, as process {pid}.", "Wait for it, or stop it first."
        )
    (folder / FAILURE).unlink(missing_ok=True)
    write_json(folder / PROCESS, {"pid": os.getpid(), "started": process_started(os.getpid())})


def _prepare_surroundings() -> None:
    """Sets what the libraries read when they are loaded, so it comes before any of them."""
    # Threads that wait by spinning starve each other when the machine is shared: the same work took 29 s instead of 5.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning)


def _set_threads(count: int) -> None:
    if count:
        import torch

        torch.set_num_threads(count)


class _Failure:
    """Leaves failure.json behind when the run fails, so that watchers read why; a stop is no failure.

    It holds a little of the disk all along and gives it up in the end, so that a full disk can be told of too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = folder / ".held.part"

    def __enter__(self) -> None:
        with contextlib.suppress(OSError):
            self._held.write_bytes(bytes(_HELD_BYTES))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from pitchpipe.training.tuning.monitor import StoppedError

        self._held.unlink(missing_ok=True)
        if error is None or isinstance(error, StoppedError | KeyboardInterrupt | SystemExit):
            return
        full = full_disk_error(error, self.folder)
        told = full or error
        if isinstance(told, PitchpipeError):
            document = {"happened": told.happened, "advice": told.advice}
        else:
            document = {
                "happened": f"An error of the program itself ended the run: {type(error).__name__}: {error}",
                "advice": "log.txt in the run folder has the details; starting it again continues where it stopped.",
            }
        try:
            write_json(self.folder / FAILURE, document)
        except DiskFullError:
            _tell("There is not even room for failure.json.")
        if full is not None:
            raise full from error


if __name__ == "__main__":
    sys.exit(main())
