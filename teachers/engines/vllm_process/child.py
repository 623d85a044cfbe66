"""A plugin that vLLM loads in each of its processes (entry point `vllm.general_plugins`): they end with their parent.

vLLM ends its engine's process when the parent ends normally. After `kill -9` of the parent the engine would keep
running, with all its memory.
"""

import ctypes
import os
import signal

PARENT = "SKILLMILL_VLLM_PARENT"
"""The environment variable with the parent's process id; other users of vLLM do not set it."""

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End this process if the parent has ended; on Linux, let the kernel kill this process when the parent ends."""
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
