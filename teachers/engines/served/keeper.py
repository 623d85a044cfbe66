"""Run one command, and end it with all its child processes when standard input closes.

`server.py` starts this file in a process group of its own and holds the other end of the pipe. When that process ends,
even by `kill -9`, the pipe closes and the whole group is ended. The exit status is that of the command.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 15.0
"""Seconds between the request to end (SIGTERM) and SIGKILL."""


def main() -> None:
    """Run the command in `sys.argv[1:]` and exit with its status."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # sent to the whole group below, which includes this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_restore_signals)  # noqa: S603
    except OSError as error:
        sys.exit(f"cannot start {sys.argv[1]}: {error.strerror}")
    threading.Thread(target=_end_with_input, args=[command], daemon=True).start()
    code = command.wait()
    os.write(1, f"the command ended with {f'signal {-code}' if code < 0 else f'code {code}'}\n".encode())
    _end_group(code)


def _restore_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_with_input(command: "subprocess.Popen[bytes]") -> None:
    """Wait for the end of standard input, then end the process group."""
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while command.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def _end_group(code: int) -> None:
    """End the rest of the group: workers of a dead server hold its memory. This process ends last."""
    os.killpg(0, signal.SIGTERM)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
