"""The tables of an instruct evaluation: in Markdown with a line for each student and split, on the terminal smaller."""

from collections.abc import Iterator
from typing import Any

from skillmill.train.evaluation.instruct.answers import REFERENCE
from skillmill.train.evaluation.instruct.metrics import ALL, CONTROLLED, WIN_RATE

COLUMNS = {
    WIN_RATE: "win rate",
    CONTROLLED: "at equal lengths",
    "first_place": "first place",
    "shirker_score": "shirker score",
    "grade": "grade",
    "characters": "characters",
}
"""The metrics of the table and their headings."""
EXPLANATION = (
    "Win rate: against the reference answers, in both orders; at equal lengths: length-controlled (arXiv 2404.04475). "
    "First place: verdicts for the answer that stands first, 0.50 without order bias. Grade: share of the points."
)
LOST = {
    "failed_answers": "failed answers",
    "unreadable": "unreadable verdicts",
    "refused": "refusals of the grader",
    "failed": "failed comparisons",
}
"""The counts of what has no part in the win rate, and how they are named."""


def instruct_lines(metrics: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the texts of each line: role, split, number of answers, and the columns. `metrics` has roles and splits."""
    for role, splits in metrics.items():
        shown = [split for split in splits if split != ALL] if len(splits) > 2 else []
        for split in (ALL, *shown):
            found = splits[split]
            yield [role, split, str(found["counts"]["items"]), *(_cell(found.get(name)) for name in COLUMNS)]


def instruct_columns(metrics: dict[str, Any]) -> list[list[str]]:
    """Return the same for all splits together with a column for each role, which fits on a terminal: rows of texts."""
    found = {role: splits[ALL] for role, splits in metrics.items()}
    rows = [["held-out instructions", *found], ["n", *(str(each["counts"]["items"]) for each in found.values())]]
    return rows + [[words, *(_cell(each.get(name)) for each in found.values())] for name, words in COLUMNS.items()]


def instruct_notes(metrics: dict[str, Any]) -> list[str]:
    """Return a line for each student: how its comparisons ended, and what is missing."""
    notes = []
    for role, splits in metrics.items():
        counts = splits[ALL]["counts"]
        if role == REFERENCE:
            continue
        wins, losses = counts["wins"] + counts["half_wins"], counts["losses"] + counts["half_losses"]
        lost = [f"{counts[name]} {words}" for name, words in LOST.items() if counts[name]]
        ties = f"{counts['ties']} ties ({counts['contradictory']} as the orders contradict each other)"
        notes.append(f"{role}: {wins} wins, {ties}, {losses} losses{''.join(f'; {each}' for each in lost)}")
    return notes


def instruct_markdown(metrics: dict[str, Any]) -> str:
    """Return the section of `evaluate/table.md`."""
    headings = ["answers of", "rows", "n", *COLUMNS.values()]
    table = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    table += [f"| {' | '.join(line)} |" for line in instruct_lines(metrics)]
    notes = [f"- {note}" for note in instruct_notes(metrics)]
    return "\n\n".join(["## Held-out instructions", "\n".join(table), EXPLANATION, "\n".join(notes)]) + "\n"


def _cell(estimate: dict[str, Any] | None) -> str:
    if estimate is None:
        return ""
    digits = 0 if estimate["value"] > 1 else 2
    value = f"{estimate['value']:.{digits}f}"
    return value if estimate["se"] is None else f"{value} ± {estimate['se']:.{digits}f}"
