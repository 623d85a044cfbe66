"""Processes that a test started, by Linux's /proc."""

import time
from pathlib import Path


def children_of(pid: int) -> dict[int, str]:
    """Return the command lines of the children of a process by their ids, without those that have ended."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
        if int(parent) == pid and state != "Z":
            found[int(folder.name)] = command
    return found


def alive(pid: int) -> bool:
    """Return whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ended(pid: int, within_s: float) -> bool:
    """Wait for the end of a process, and return whether it came in time."""
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)
