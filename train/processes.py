"""The processes of a training that `accelerate launch` or `torchrun` started. The first one alone writes results."""

import os
from pathlib import Path


def process_rank() -> int:
    """Return the number of this process among those of the training; 0 without a launcher."""
    return int(os.environ.get("RANK", "0"))


def is_main_process() -> bool:
    """Return whether this process writes the results: the first of a training, or the only one."""
    return process_rank() == 0


def wait_for_all() -> None:
    """Wait until all processes of the training are here; without a launcher, do nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def own_folder(folder: Path) -> Path:
    """Return the folder itself in the first process, and one beside it in each other."""
    rank = process_rank()
    return folder.with_name(f"{folder.name}.{rank}") if rank else folder
