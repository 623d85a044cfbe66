"""A temporary folder of this process, and deleting those of processes that were killed."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

PREFIX = "skillmill-prompts-"


def own_folder() -> TemporaryDirectory[str]:
    """Return a new folder, whose name holds the number of this process; those of ended processes are deleted first."""
    for folder in Path(gettempdir()).glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        if number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(folder, ignore_errors=True)  # that of another user stays
    return TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True
