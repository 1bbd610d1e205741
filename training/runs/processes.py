"""Processes: whether the one that a file names is still the same and alive. Free of torch.

A process number alone says little, since numbers are used again; the time at which the process began tells two apart.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def process_started(pid: int) -> str | None:
    """When the process began, as the system writes it; None when there is no such process or it is only a corpse."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").is_file():
        try:
            # The name of the program is in brackets and may hold anything, spaces and brackets included.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in ("Z", "X") else fields[19]
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def is_alive(pid: int, started: str | None) -> bool:
    """True when this very process still runs."""
    now = process_started(pid)
    return now is not None and (started is None or now == started)
