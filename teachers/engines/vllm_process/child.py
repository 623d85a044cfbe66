"""What vLLM loads in each process that it starts (entry point `vllm.general_plugins`): it ends when we end.

vLLM stops its engine's process when ours stops in order. After `kill -9` the engine would stay, with all its memory.
"""

import ctypes
import os
import signal

PARENT = "SKILLMILL_VLLM_PARENT"
"""The variable that tells our engines' processes from others that run in the same environment."""

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End where the process that starts engines is gone; on Linux, have the kernel see to that from now on."""
    parent = int(os.environ.get(PARENT, "0"))
    if not parent:
        return
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None and parent == os.getppid():
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        os._exit(1)
