"""The split of an exported row: train, validation (a share of the cells), or test (held-out cells)."""

from skillmill.data.records import SampleRow

SPLITS = ("train", "validation", "test")
_STEPS = 1_000_000


def split_of(row: SampleRow, validation: float) -> str:
    """Return the split of a row; the hash `cell` decides whether a row for training is in `validation`.

    Equal cells of any two plans are in the same split, and a larger share keeps the cells of a smaller one.
    """
    if row["split"] != "train":
        return row["split"]
    return "validation" if int(row["cell"], 16) % _STEPS < validation * _STEPS else "train"
