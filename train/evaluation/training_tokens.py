"""The number of tokens that a student was trained on, from the logs of its trainings."""

from pathlib import Path

import orjson

from skillmill.train.result import LOG


def training_tokens(folder: Path) -> int | None:
    """Return the tokens of the training in a folder, and of the SFT beside it that it continued; None if unknown.

    TRL logs the tokens so far as `num_tokens`.
    """
    stage, dash, rest = folder.name.partition("-")
    continued = [] if stage == "sft" else [folder.parent / f"sft{dash}{rest}"]
    folders = [folder, *(each for each in continued if each.is_dir())]
    tokens = [_logged(each / LOG) for each in folders]
    return sum(filter(None, tokens)) or None


def _logged(path: Path) -> int | None:
    try:
        entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    except (OSError, orjson.JSONDecodeError):
        return None
    counts = [entry["num_tokens"] for entry in entries if entry.get("num_tokens")]
    return int(max(counts)) if counts else None
