"""Processes that a test started, by Linux's /proc."""

import time
from pathlib import Path


def children_of(pid: int) -> dict[int, str]:
    """Return the command lines of the children of a process by their ids, without those that have ended."""
    return {each: command for each, (parent, command) in _running().items() if parent == pid}


def descendants_of(pid: int) -> dict[int, str]:
    """Return the command lines of the children of a process, of their children and so on, by their ids."""
    running, found = _running(), dict[int, str]()
    parents = [pid]
    for parent in parents:
        children = {each: command for each, (of, command) in running.items() if of == parent}
        found |= children
        parents += children
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


def _running() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of each process that has not ended."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            command = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
        if state != "Z":
            found[int(folder.name)] = int(parent), command
    return found
