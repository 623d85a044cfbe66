"""How many processors this process may use."""

import os
from contextlib import suppress
from pathlib import Path


def usable_cpus() -> int:
    """Return how many cores this process may use: the cores of its affinity, at most its cgroup v2 quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))  # without a quota the file says "max", a ValueError
    return count
