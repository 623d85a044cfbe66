"""Checkpoints of a training, from which the same training continues after it was stopped.

TRL writes them into a hidden folder beside the result. A checkpoint counts if it has the file `COMPLETE`, which is
written last, and its files still have the sizes in it.
"""

import shutil
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.files import sync, write_atomic
from skillmill.train.processes import is_main_process, wait_for_all

COMPLETE = "complete.json"
PREFIX = "checkpoint-"


def checkpoint_folder(output_dir: Path) -> Path:
    """Return the folder for the checkpoints of the training whose result is written to `output_dir`."""
    return output_dir.with_name(f".{output_dir.name}.checkpoints")


def keep_newest_checkpoint(folder: Path, fingerprint: str) -> Path | None:
    """Delete everything in the folder except the complete checkpoints of the fingerprint; return the newest of them.

    The folder is deleted if there is none. Raises `OSError`.
    """
    complete: dict[int, Path] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if _is_complete(path, fingerprint):
            complete[int(path.name.removeprefix(PREFIX))] = path
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not complete:
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return complete[max(complete)]


def move_checkpoints(output_dir: Path, keep: bool) -> None:
    """Move the checkpoints into the result `output_dir` if `keep`, and delete their folder. Raises `OSError`."""
    folder = checkpoint_folder(output_dir)
    for path in sorted(folder.glob(f"{PREFIX}*")) if keep else ():
        (path / COMPLETE).unlink(missing_ok=True)
        path.rename(output_dir / path.name)
    shutil.rmtree(folder, ignore_errors=True)


def checkpoint_callback(fingerprint: str) -> Any:
    """Return a `TrainerCallback` that marks each checkpoint as complete once it is on the disk."""
    from transformers import TrainerCallback

    class MarkComplete(TrainerCallback):  # type: ignore[misc,unused-ignore]
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            wait_for_all()  # each process may write a part of the checkpoint
            # Without the optimizer's state the losses after a stop would not be those of an undisturbed training. From
            # the last step inside an epoch, transformers would train one step more than `max_steps`.
            is_end_inside_epoch = state.global_step >= state.max_steps and state.epoch % 1
            if is_main_process() and not args.save_only_model and not is_end_inside_epoch:
                _mark_complete(Path(args.output_dir) / f"{PREFIX}{state.global_step}", fingerprint)

    return MarkComplete()


def _mark_complete(checkpoint: Path, fingerprint: str) -> None:
    sizes = _sizes(checkpoint)
    for name in sizes:
        sync(checkpoint / name)
    write_atomic(checkpoint / COMPLETE, orjson.dumps({"fingerprint": fingerprint, "sizes": sizes}))
    sync(checkpoint.parent)


def _is_complete(checkpoint: Path, fingerprint: str) -> bool:
    if not checkpoint.name.removeprefix(PREFIX).isdecimal():
        return False
    try:
        marker = orjson.loads((checkpoint / COMPLETE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(marker == {"fingerprint": fingerprint, "sizes": _sizes(checkpoint)})


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (file for file in checkpoint.rglob("*") if file.is_file() and file.name != COMPLETE)
    return {str(file.relative_to(checkpoint)): file.stat().st_size for file in files}
