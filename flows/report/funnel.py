"""The funnel as text: a table on the terminal, and Markdown for Prefect. Neither contains text of a teacher."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skillmill.data.export.card.escaping import table_cell
from skillmill.data.export.funnel import Funnel
from skillmill.filters.apply import explanation_of
from skillmill.flows.report.survey import Survey


def print_funnel(survey: Survey) -> None:
    """Print the counts on standard output."""
    funnel, console = survey.funnel, Console(highlight=False)
    console.print(f"{funnel.cells:,} cells, {funnel.accepted_cells:,} with an accepted row{_accepted_share(funnel)}")
    console.print(f"{funnel.rows:,} rows, {funnel.accepted_rows:,} accepted, {funnel.rejected_rows:,} rejected")
    if counts := str(funnel.grading_counts):
        earned = ", ".join(f"{name} {share:.0%}" for name, _, share in funnel.points_earned())
        console.print(Text(printable(counts) + (f": {earned}" if earned else "")), soft_wrap=True)
    if not funnel.reasons:
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("reason", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    table.add_column("meaning")
    for reason, count, share, _ in survey.by_reason():
        table.add_row(Text(printable(reason)), f"{count:,}", f"{share:.1%}", explanation_of(reason))
    console.print(table)


def funnel_markdown(funnel: dict[str, Any]) -> str:
    """Return the counts of `Funnel.as_dict` as Markdown tables."""
    lines = [
        "| | |",
        "|---|---|",
        f"| cells | {funnel['cells']} |",
        f"| rows | {funnel['rows']} |",
        f"| accepted rows | {funnel['accepted_rows']} |",
        f"| accepted cells (sft rows) | {funnel['accepted_cells']} |",
        f"| preference pairs | {funnel['pairs']} |",
    ]
    if funnel["graded"] or funnel["ungraded"]:
        lines += [
            f"| rows with a grade | {sum(funnel['graded'].values())} |",
            f"| rows graded in vain | {funnel['ungraded']} |",
            f"| gradings without points | {funnel['unusable_gradings']} of {funnel['gradings']} |",
            *(f"| points taken off: {reason} | {n} |" for reason, n in funnel["points_taken_off"].items()),
        ]
    lines += [
        "",
        "| reason | rows | |",
        "|---|---|---|",
    ]
    # The reasons of user-defined filters may contain any characters.
    lines += [f"| {table_cell(reason)} | {n} | {explanation_of(reason)} |" for reason, n in funnel["reasons"].items()]
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return the text with control characters replaced, so that a terminal does not execute them."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _accepted_share(funnel: Funnel) -> str:
    return f" ({funnel.accepted_cells / funnel.cells:.1%})" if funnel.cells else ""
