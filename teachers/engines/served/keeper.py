"""Runs one command and ends it, with all its children, when standard input closes.

`serve.py` starts this file as a process group of its own and holds the other end of the pipe: however that process
ends, `kill -9` included, the pipe closes and nothing of the command is left. Exits as the command does.
"""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 15.0


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it goes to the whole group below, this process included
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=_as_usual)  # noqa: S603
    except OSError as error:
        sys.exit(f"cannot start {sys.argv[1]}: {error.strerror}")
    threading.Thread(target=_end_with_input, args=[command], daemon=True).start()
    code = command.wait()
    os.write(1, f"the command ended with {f'signal {-code}' if code < 0 else f'code {code}'}\n".encode())
    _kill_children_left(code)


def _as_usual() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _end_with_input(command: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while command.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


def _kill_children_left(code: int) -> None:
    """Workers of a server that died hold its memory; this process is one of the group and goes last."""
    os.killpg(0, signal.SIGTERM)
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
