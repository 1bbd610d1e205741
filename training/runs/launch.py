"""Launch: runs as subprocesses that outlive whoever started them. Free of torch."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pitchpipe.store.errors import RunError
from pitchpipe.training.hardware.profiles import training_command
from pitchpipe.training.runs.processes import process_started
from pitchpipe.training.runs.run_folders import (
    FAILURE,
    LOG,
    PROCESS,
    RunState,
    RunStatus,
    derive_status,
    read_json,
    read_plan,
    read_state,
    write_json,
)

_POLL_SECONDS = 0.2


def start_run(folder: Path) -> int:
    """Starts the run of a folder, or continues it, in a process of its own, and returns its number at once.

    Its output goes to `log.txt` in the folder. The process is detached: closing the page, the command line or the
    studio leaves it running.
    """
    state = read_state(folder)
    if state.status is RunStatus.FINISHED:
        raise RunError(f"The run {state.run_id} is finished already.", "Make a new run folder to run its plan again.")
    if state.status is RunStatus.RUNNING:
        raise RunError(
            f"The run {state.run_id} is running already, as process {state.pid}.", "Wait for it, or stop it first."
        )
    return start_process(folder, training_command(folder, getattr(read_plan(folder), "hardware", "auto")))


def start_process(folder: Path, command: list[str]) -> int:
    """Starts the command that works in a folder, detached, and returns its number at once; it logs to `log.txt`."""
    (folder / FAILURE).unlink(missing_ok=True)
    with (folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    started = process_started(child.pid)
    if started is not None:
        write_json(folder / PROCESS, {"pid": child.pid, "started": started})
    # Someone must ask for the exit code, or the ended child stays in the process table as long as we live.
    threading.Thread(target=child.wait, daemon=True, name=f"wait-{child.pid}").start()
    return child.pid


def run_and_wait(
    folder: Path, on_progress: Callable[[RunState], None] | None = None, poll_seconds: float = _POLL_SECONDS
) -> RunState:
    """Starts the run and returns when it has ended, however it ended; tells of every change on the way.

    Ctrl-C stops the run too.
    """
    start_run(folder)
    told: tuple[object, ...] = ()
    try:
        while True:
            state = read_state(folder)
            if on_progress and told != (told := (state.status, state.stage, state.step)):
                on_progress(state)
            if state.status is not RunStatus.RUNNING:
                return state
            time.sleep(poll_seconds)
    except KeyboardInterrupt:
        stop_run(folder)
        raise


def stop_run(folder: Path, patience_seconds: float = 30.0) -> RunState:
    """Asks the run to stop at the next step and keep a checkpoint; ends it when it does not within the patience."""
    end_process(folder, patience_seconds)
    return read_state(folder)


def end_process(folder: Path, patience_seconds: float = 30.0) -> None:
    """Asks the process that works in a folder to end, and ends it when it does not within the patience."""
    process = read_json(folder / PROCESS)
    status, pid = derive_status(folder)
    if status is not RunStatus.RUNNING or pid is None:
        return
    _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    while process_started(pid) == process.get("started"):
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.05)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def log_tail(folder: Path, lines: int = 40) -> str:
    """The last lines of what the run printed."""
    path = folder / LOG
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
