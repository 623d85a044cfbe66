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
    source: str | None,
    precision: float,
    out: Path,
    encoding: str | None,
) -> None:
    """Cross-validate on the rows of `path`, print the figures, train on all rows and write the model to `out`.

    `instruction`, `response`, `label`, `group` and `source` name columns, the first two as in `score_rows`, the last
    one is optional; `good` is the label of good answers. The threshold of the model is the lowest with at least
    `precision` and few good answers above it, see `cross_validate`. Raises `ConfigError` if the
    file, a column or one of the two kinds of rows is missing, `SkillmillError` if no threshold reaches `precision`.
    """
    _require_file(path)
    file = open_rows(path, encoding)
    instructions, responses = read_pairs(file, instruction, response)
    labels, groups = (read_column(file, name, option) for option, name in (("--label", label), ("--group", group)))
    sources = read_column(file, source, "--source") if source else None
    rows = labelled_rows(instructions, responses, labels, groups, good, sources)
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
        "sources": {one: sources.count(one) for one in sorted(set(sources))} if sources else {},
        "threshold_chosen_for": calibration.chosen_for,
        "precision": round(calibration.precision, 4),
        "left_out": [
            {key: _rounded(figure) for key, figure in asdict(figures).items()} for figures in calibration.figures
        ],
        "auc_by_group": _rounded(calibration.auc_by_group),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(fit(rows), card=card, threshold=round(calibration.threshold, 4)).save(out)
    print(f"{out} is written; use it with filters.shirker.model or --model")


def _rounded(figure: str | dict[str, float]) -> str | dict[str, float]:
    return {name: round(value, 4) for name, value in figure.items()} if isinstance(figure, dict) else figure


def _require_file(path: Path) -> None:
    require_local(path)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")


def _print_calibration(calibration: Calibration) -> None:
    for figures in calibration.figures:
        print(f"Left out of training: {figures.left_out}")
        print("  label        AUC against good  of like length  of length alone  at or above the threshold")
        for label, share in figures.flagged.items():
            of_label = (by.get(label) for by in (figures.auc, figures.auc_like_length, figures.auc_of_length))
            columns = "".join(f"{'' if value is None else f'{value:.3f}':>17}" for value in of_label)
            print(f"  {label:12}{columns}{share:>17.1%}")
    print("By the writer left out:")
    for group, value in calibration.auc_by_group.items():
        print(f"  {group:48} {value:.3f}")
    print(f"Threshold {calibration.threshold:.4f} (precision {calibration.precision:.3f}), chosen for:")
    print(f"  {calibration.chosen_for}")
