"""`skillmill filters score` and `calibrate`: files in, files and a report out."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.filters.shirker.cross_validation import Calibration, cross_validate
from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.scoring import score_file, whole_column
from skillmill.filters.shirker.training import fit, rows_of


def score(path: Path, instruction: str, response: str, out: Path, model: Path | None, threshold: float | None) -> None:
    """Scores a file and says how many rows have a reason."""
    loaded = load_model(model)
    limit = loaded.threshold if threshold is None else threshold
    _must_be_file(path)
    rows, rejected = score_file(path, instruction, response, out, loaded, limit)
    print(f"{out}: {rows:,} rows, {rejected:,} ({rejected / max(rows, 1):.1%}) at or above {limit:.3f}")


def calibrate(
    path: Path, instruction: str, response: str, label: str, good: str, group: str, precision: float, out: Path
) -> None:
    """Cross-validates, prints what was found, trains on all rows and writes the model."""
    _must_be_file(path)
    columns = {"--instruction": instruction, "--response": response, "--label": label, "--group": group}
    asked, said, labels, groups = (whole_column(path, column, option) for option, column in columns.items())
    rows = rows_of(asked, said, labels, groups, good)
    found = cross_validate(rows, precision)
    _print(found)
    card = {
        "trained_on": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows": len(said),
        "instructions": len(set(asked)),
        "labels": {one: labels.count(one) for one in sorted(set(labels))},
        "groups": sorted(set(groups)),
        "gamed_answers_added": int(rows.gamed.sum()),
        "wanted_precision": precision,
        "unseen_groups_and_instructions": {key: _rounded(figure) for key, figure in asdict(found).items()},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(fit(rows), card=card, threshold=round(found.threshold, 4)).save(out)
    print(f"{out} is written; use it with filters.shirker.model or --model")


def _rounded(figure: Any) -> Any:
    return {name: round(value, 4) for name, value in figure.items()} if isinstance(figure, dict) else round(figure, 4)


def _must_be_file(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")


def _print(found: Calibration) -> None:
    print("On writers and instructions left out of training (ROC AUC against good answers, all and of like length):")
    for label, value in found.auc.items():
        print(f"  {label:28} {value:.3f}  {found.auc_like_length.get(label, float('nan')):.3f}")
    print("By the writer left out:")
    for group, value in found.auc_by_group.items():
        print(f"  {group:48} {value:.3f}")
    print(f"Threshold {found.threshold:.4f}: precision {found.precision:.3f}; at or above it are")
    for label, share in found.flagged.items():
        print(f"  {share:6.1%} of {label}")
