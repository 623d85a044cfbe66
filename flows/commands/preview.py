"""`skillmill preview`: a few rows made for the eye, every turn and verdict. Nothing of it is kept."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from skillmill.data.reasons import explanation_of
from skillmill.data.records import Message, Sample, sample_of
from skillmill.filters.grading.points import OTHERS
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.decide import Rules, load_rules
from skillmill.flows.rows.generate import make_rows
from skillmill.flows.rows.grading import open_grading, warn_of_own_work
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.progress import money
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal

_POINTS = ("bold red", "bold green")
_COLOURS = {"system": "magenta", "user": "cyan", "assistant": "blue"}


def preview_rows(config: Config, count: int) -> None:
    """Make the first `count` cells of the plan and print them. Leaves nothing behind, in `output_dir` or elsewhere.

    Raises `ConfigError` and `TeacherError` as a run would.
    """
    plan = make_plan(config, configured_taxonomy(config))
    warn_of_own_work(config, plan)
    usage = Usage(config.prices)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            rules = load_rules(config, Path(folder))
            asyncio.run(_preview(config, plan, rules, journal, usage, count))
        finally:
            journal.close()


async def _preview(config: Config, plan: Plan, rules: Rules, journal: Journal, usage: Usage, count: int) -> None:
    console = Console(highlight=False)
    shown: set[tuple[str, str]] = set()
    cells = list(islice(plan.combinations.cells(), count))
    accepted = samples = 0
    async with (
        open_teacher(config.teacher, journal, usage) as teacher,
        open_grading(config, plan, journal, usage, teacher) as grading,
    ):

        async def make(cell: Cell) -> _Row:
            row, listening = _Row(cell), _Listening(teacher)
            heard = grading
            if grading and grading.grader:
                asked = _Listening(grading.grader.teacher, listening.turns)
                heard = replace(grading, grader=replace(grading.grader, teacher=asked))
            row.samples = [sample_of(made) for made in (await make_rows(cell, plan, listening, rules, heard)).rows]
            row.turns = listening.turns
            return row

        in_flight = config.teacher.max_in_flight
        async for row in in_order(cells, make, in_flight, lead=in_flight):
            console.print(_title(row.cell))
            console.print(*(_turn(request, reply, shown) for request, reply in row.turns), sep="\n")
            for sample in row.samples:
                console.print(_verdict(sample))
            samples += len(row.samples)
            accepted += sum(sample.accepted for sample in row.samples)
    total = usage.total()
    spent = f", {money(usage.money)} spent" if usage.money is not None else ""
    console.print(
        f"{accepted} of {samples} rows accepted; {total.calls} calls, {total.prompt_tokens:,} prompt tokens "
        f"({total.cached_tokens:,} cached), {total.completion_tokens:,} completion tokens{spent}; nothing was written",
        soft_wrap=True,
    )


@dataclass
class _Row:
    cell: Cell
    turns: list[tuple[Request, Reply]] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)


class _Listening:
    """A teacher that remembers what it was asked and what it said."""

    def __init__(self, teacher: Teacher, turns: list[tuple[Request, Reply]] | None = None) -> None:
        self.name = teacher.name
        self.turns = [] if turns is None else turns
        self._teacher = teacher

    async def chat(self, request: Request) -> Reply:
        reply = await self._teacher.chat(request)
        self.turns.append((request, reply))
        return reply


def _title(cell: Cell) -> RenderableType:
    about = cell.topic or cell.query_type
    skills = " + ".join(skill.name for skill in cell.skills)
    said = (about and about.name, cell.parent and cell.parent.operator, cell.difficulty, cell.length, cell.language)
    title = Text.assemble((f"cell {cell.index}  ", "dim"), (skills, "bold"), *(f"  ·  {text}" for text in said if text))
    return Padding(title, (1, 0, 0, 0))


def _turn(request: Request, reply: Reply, shown: set[tuple[str, str]]) -> Panel:
    """What was asked and answered. Messages that stood in an earlier turn are left out."""
    lines: list[Text] = []
    known = 0
    for message in request.messages:
        key = (message["role"], message["content"])
        if key in shown:
            known += 1
            continue
        lines += [*_known(known), _said(message)]
        known = 0
        shown.add(key)
    lines += _known(known)
    answer = Group(
        *([Text(_plain(reply.thinking), style="dim italic")] if reply.thinking else []), Text(_plain(reply.text))
    )
    shown.add(("assistant", reply.text))
    subtitle = (
        f"{reply.prompt_tokens} prompt tokens ({reply.cached_tokens} cached), {reply.completion_tokens} completion "
        f"tokens, {reply.finish_reason}"
    )
    return Panel(
        Group(*lines, Text("answer", style="bold green"), Padding(answer, (0, 0, 0, 2))),
        title=Text(request.stage, style="bold"),
        title_align="left",
        subtitle=Text(subtitle, style="dim"),
        subtitle_align="right",
        border_style="dim",
    )


def _said(message: Message) -> Text:
    return Text.assemble((f"{message['role']}  ", _COLOURS.get(message["role"], "")), _plain(message["content"]))


def _known(number: int) -> list[Text]:
    return [Text(f"… {number} message{'s' * (number > 1)} shown above", style="dim")] if number else []


def _verdict(sample: Sample) -> Panel:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    if sample.accepted:
        table.add_row("verdict", Text("accepted", style="bold green"))
    else:
        table.add_row("verdict", Text("rejected", style="bold red"))
        for reason in sample.reasons:
            table.add_row("", Text.assemble((str(reason), "red"), f"  {explanation_of(reason)}"))
    if sample.instruction:
        table.add_row("prompt", Text(_plain(sample.instruction)))
    if sample.response:
        table.add_row("completion", Text(_plain(sample.response)))
    if sample.explanation:
        table.add_row("explanation", Text(_plain(sample.explanation)))
    table.add_row("signals", Text(", ".join(f"{name} {value:.3g}" for name, value in sorted(sample.signals.items()))))
    for part, line in _grade(sample):
        table.add_row(part, line)
    table.add_row("tokens", Text(f"{sample.prompt_tokens} prompt, {sample.completion_tokens} completion"))
    colour = "green" if sample.accepted else "red"
    return Panel(table, title=Text(f"row, generation {sample.generation}"), title_align="left", border_style=colour)


def _grade(sample: Sample) -> Iterator[tuple[str, Text]]:
    """A line for the total, one for each skill with its evidence, one for the other points."""
    if sample.grade is None:
        said = f"{sample.grader} gave none that can be read" if sample.grader else "not graded"
        yield "grade", Text(said, style="dim")
        return
    skills, others = sample.grade["skills"], {name: sample.grade[name] for name in OTHERS}
    yield "grade", Text(f"{sample.grade['total']:g} of {len(skills) + len(others)} points by {sample.grader}")
    for skill in skills:
        seen = f"  “{_plain(skill['evidence'])}”" if skill["evidence"] else ""
        yield "", Text.assemble((f"{skill['point']:g}  ", _POINTS[skill["point"] > 0]), f"{skill['skill']}{seen}")
    for name, point in others.items():
        yield "", Text.assemble((f"{point:g}  ", _POINTS[point > 0]), name.replace("_", " "))


def _plain(text: str) -> str:
    """Teacher text without control characters: a terminal must not take it for commands."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
