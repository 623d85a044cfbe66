"""`skillmill filters score` and `skillmill filters calibrate`: the shirker filter on any file of answers."""

import hashlib
from dataclasses import asdict, replace
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.local_files import require_local
from skillmill.data.inputs.pair_columns import read_pairs
from skillmill.data.inputs.row_files import open_rows, read_column
from skillmill.filters.shirker.cross_validation import Calibration, cross_validate
from skillmill.filters.shirker.model import load_model
from skillmill.filters.shirker.scoring import score_file
from skillmill.filters.shirker.training import fit, labelled_rows


def score_rows(
    path: Path,
    instruction: str | None,
    response: str | None,
    out: Path,
    model: Path | None,
    threshold: float | None,
    encoding: str | None,
) -> None:
    """Write the rows of `path` with their scores to `out`, and print how many reach the threshold.

    `instruction` and `response` name columns, None for a known chat or instruction format; `encoding` is that of a text
    file, None for UTF-8; `model` and `threshold` default to the shipped model and to the model's
    own threshold. Raises `ConfigError` if the file or a column is missing.
    """
    loaded = load_model(model)
    limit = loaded.threshold if threshold is None else threshold
    _require_file(path)
    rows, rejected = score_file(path, instruction, response, out, loaded, limit, encoding)
    print(f"{out}: {rows:,} rows, {rejected:,} ({rejected / max(rows, 1):.1%}) at or above {limit:.3f}")


def calibrate_model(
    path: Path,
    instruction: str | None,
    response: str | None,
    label: str,
    good: str,
    group: str,
    precision: float,
    out: Path,
    encoding: str | None,
) -> None:
    """Cross-validate on the rows of `path`, print the figures, train on all rows and write the model to `out`.

    `instruction`, `response`, `label` and `group` name columns, the first two as in `score_rows`; `good` is the label
    of good answers. The threshold of the model is the lowest with at least `precision`. Raises `ConfigError` if the
    file, a column or one of the two kinds of rows is missing, `SkillmillError` if no threshold reaches `precision`.
    """
    _require_file(path)
    file = open_rows(path, encoding)
    instructions, responses = read_pairs(file, instruction, response)
    labels, groups = (read_column(file, name, option) for option, name in (("--label", label), ("--group", group)))
    rows = labelled_rows(instructions, responses, labels, groups, good)
    calibration = cross_validate(rows, precision)
    _print_calibration(calibration)
    card = {
        "trained_on": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "rows": len(responses),
        "instructions": len(set(instructions)),
        "labels": {one: labels.count(one) for one in sorted(set(labels))},
        "groups": sorted(set(groups)),
        "gamed_answers_added": int(rows.adversarial.sum()),
        "wanted_precision": precision,
        "unseen_groups_and_instructions": {key: _rounded(figure) for key, figure in asdict(calibration).items()},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(fit(rows), card=card, threshold=round(calibration.threshold, 4)).save(out)
    print(f"{out} is written; use it with filters.shirker.model or --model")


def _rounded(figure: float | dict[str, float]) -> float | dict[str, float]:
    return {name: round(value, 4) for name, value in figure.items()} if isinstance(figure, dict) else round(figure, 4)


def _require_file(path: Path) -> None:
    require_local(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")


def _print_calibration(calibration: Calibration) -> None:
    print("On writers and instructions left out of training (ROC AUC against good answers, all and of like length):")
    for label, value in calibration.auc.items():
        print(f"  {label:28} {value:.3f}  {calibration.auc_like_length.get(label, float('nan')):.3f}")
    print("By the writer left out:")
    for group, value in calibration.auc_by_group.items():
        print(f"  {group:48} {value:.3f}")
    print(f"Threshold {calibration.threshold:.4f}: precision {calibration.precision:.3f}; at or above it are")
    for label, share in calibration.flagged.items():
        print(f"  {share:6.1%} of {label}")
