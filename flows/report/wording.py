"""Texts about one row or one reason in `report.html`."""

from skillmill.data.reasons import PairReason
from skillmill.data.records import SampleRow


def pair_explanation(reason: str) -> str:
    """Return the explanation of a stored `PairReason`, "" for one that this version does not know."""
    return next((each.explanation for each in PairReason if each == reason), "")


def kept_row(row: SampleRow) -> str:
    """Return which row was kept in place of a duplicate and how similar it is, "" for a row that is no duplicate."""
    signals = dict(row["signals"] or [])
    if "duplicate_of_index" not in signals:
        return ""
    plan = f" of plan {int(signals['duplicate_of_plan']):08x}" if "duplicate_of_plan" in signals else ""
    similarities = ", ".join(f"{part} {signals[f'duplicate_{part}']:.2f}" for part in ("instruction", "response"))
    return f"kept: index {int(signals['duplicate_of_index'])}{plan} (alike: {similarities})"


def cut(text: str, characters: int) -> str:
    """Return the text, or its first `characters` characters and how many more there are."""
    more = len(text) - characters
    return text if more <= 0 else f"{text[:characters].rstrip()} … ({more:,} characters more)"
