"""Hardware look: what this machine has to train with, and what of it is free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")


def look_at_hardware(threads: int = 0) -> dict[str, Any]:
    """`{"device", "devices", "cores", "threads", "memory", "memory_free"}`; memory in bytes, of one device.

    On a CPU the memory is that of the machine, or of the container where that has less.
    """
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found: dict[str, Any] = {"cores": cores, "threads": threads or torch.get_num_threads()}
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        device = {"device": torch.cuda.get_device_name(), "devices": torch.cuda.device_count()}
        return {**device, **found, "memory": total, "memory_free": free}
    total, free = read_memory()
    return {"device": "cpu", "devices": 1, **found, "memory": total, "memory_free": free}


def read_memory() -> tuple[int, int]:
    """Bytes of memory in all and free, of the machine or of a narrower container; (0, 0) where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _ask_system()
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    total, free = values.get("MemTotal", 0), values.get("MemAvailable", 0)
    try:
        limit = _LIMIT.read_text(encoding="ascii").strip()
        if limit != "max" and int(limit) < total:
            total, free = int(limit), min(free, int(limit) - int(_USED.read_text(encoding="ascii")))
    except (OSError, ValueError):
        pass  # no container of that kind
    return total, free


def _ask_system() -> tuple[int, int]:
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0, 0
    return total, total // 2


def is_enough(needed: int, hardware: dict[str, Any]) -> bool | None:
    """Whether the device has so many bytes free; None where nobody tells.

    >>> is_enough(5, {"memory_free": 10}), is_enough(5, {"memory_free": 0})
    (True, None)
    """
    free = hardware["memory_free"]
    return None if not free else needed <= free
