"""Where the rows of a plan fell: counts, and the first rows of each reason as examples."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skillmill.data.export.funnel import Funnel
from skillmill.data.reasons import PairReason
from skillmill.data.store import ShardStore
from skillmill.filters.apply import explanation_of

A_REASON = 3
"""Examples of each reason."""
ACCEPTED = 8
"""Examples of accepted rows."""
COUNTED = ["index", "verdict", "reasons", "k", "skills", "grade", "grader"]
"""What the counts need: most of a row is text, which is read of examples alone."""

Row = dict[str, Any]


@dataclass
class Survey:
    """The funnel of a plan's rows, but for its pairs, and the rows with the lowest indices as examples."""

    funnel: Funnel = field(default_factory=Funnel)
    accepted: list[Row] = field(default_factory=list)
    rejected: dict[str, list[Row]] = field(default_factory=dict)
    """By reason; a row with two reasons can stand at both."""

    def fallen(self) -> list[tuple[str, int, float, list[Row]]]:
        """The reasons, most frequent first: how many rows, which share of all, examples."""
        return [
            (reason, count, count / self.funnel.rows, self.rejected[reason])
            for reason, count in sorted(self.funnel.reasons.items(), key=lambda item: (-item[1], item[0]))
        ]


def survey(samples: ShardStore, plan: str) -> Survey:
    """Count the rows of a plan and pick examples. Memory is that of one shard. Raises `StoreError` as `rows` does."""
    found = Survey()
    for shard in samples.of_plan(plan):  # in order of index
        rows = samples.rows(shard, COUNTED).to_pylist()
        found.funnel.count(rows)
        picked = [number for number, row in enumerate(rows) if _pick(found, row)]
        if picked:
            for number, whole in zip(picked, samples.rows(shard).take(picked).to_pylist(), strict=True):
                rows[number].update(whole)
    return found


def _pick(found: Survey, row: Row) -> bool:
    """Put the row where an example is still wanted."""
    if row["verdict"] == "accepted":  # its reasons, if any, did not count: a person accepted it
        wanted = [found.accepted] if len(found.accepted) < ACCEPTED else []
    else:
        lists = [found.rejected.setdefault(reason, []) for reason in dict.fromkeys(row["reasons"])]
        wanted = [examples for examples in lists if len(examples) < A_REASON]
    for examples in wanted:
        examples.append(row)
    return bool(wanted)


def meaning(reason: str) -> str:
    """The sentence for people; "" for what an earlier version stored."""
    return explanation_of(reason)


def why_dropped(reason: str) -> str:
    """The sentence for people of a `PairReason`; "" for what an earlier version stored."""
    return next((each.explanation for each in PairReason if each == reason), "")


def repeated(row: Row) -> str:
    """Which row was kept in place of this one and how near it is; "" where this is no duplicate."""
    signals = dict(row["signals"] or [])
    if "duplicate_of_index" not in signals:
        return ""
    plan = f" of plan {int(signals['duplicate_of_plan']):08x}" if "duplicate_of_plan" in signals else ""
    near = ", ".join(f"{part} {signals[f'duplicate_{part}']:.2f}" for part in ("instruction", "response"))
    return f"kept: index {int(signals['duplicate_of_index'])}{plan} (alike: {near})"


def cut(text: str, characters: int) -> str:
    """The text, or its beginning and how much more there is."""
    more = len(text) - characters
    return text if more <= 0 else f"{text[:characters].rstrip()} … ({more:,} characters more)"


def print_funnel(found: Survey) -> None:
    """The counts on standard output. No teacher text is in them, and a user's own reasons lose control characters."""
    funnel, console = found.funnel, Console(highlight=False)
    console.print(f"{funnel.cells:,} cells, {funnel.accepted_cells:,} with an accepted row{_share(funnel)}")
    console.print(f"{funnel.rows:,} rows, {funnel.accepted_rows:,} accepted, {funnel.rejected_rows:,} rejected")
    if funnel.graded:
        print_grades(funnel, console)
    if not funnel.reasons:
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("reason", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    table.add_column("meaning")
    for reason, count, share, _ in found.fallen():
        table.add_row(Text(printable(reason)), f"{count:,}", f"{share:.1%}", meaning(reason))
    console.print(table)


def print_grades(funnel: Funnel, console: Console) -> None:
    by = ", ".join(f"{count:,} graded by {printable(grader)}" for grader, count in funnel.graded.items())
    in_vain = f", {funnel.ungraded:,} in vain" if funnel.ungraded else ""
    earned = ", ".join(f"{name} {share:.0%}" for name, _, share in funnel.points_earned())
    console.print(f"{by}{in_vain}: {earned}", soft_wrap=True)


def printable(text: str) -> str:
    """Without control characters: a terminal must not take it for commands."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _share(funnel: Funnel) -> str:
    return f" ({funnel.accepted_cells / funnel.cells:.1%})" if funnel.cells else ""
