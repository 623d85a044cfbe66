"""`skillmill preview`: make a few rows, show every turn and verdict, and keep nothing."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from skillmill.data.records import Message, Sample, sample_of
from skillmill.filters.apply import explanation_of
from skillmill.filters.grading.points import OTHER_CRITERIA
from skillmill.flows.checks import check_settings
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.cell_rows import generate_cell
from skillmill.flows.rows.decide import Rules, load_rules
from skillmill.flows.rows.grading import open_grading, warn_of_self_grading
from skillmill.flows.runtime.batch_settings import without_batches
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.progress import money
from skillmill.flows.runtime.remote_output import reads_output
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import Usage
from skillmill.teachers.middleware.journal import Journal

Turn = tuple[Request, Reply]

_ROLE_COLOURS = {"system": "magenta", "user": "cyan", "assistant": "blue"}


@reads_output
def preview_rows(config: Config, count: int) -> None:
    """Make the rows of the plan's first `count` cells and print them. No file remains, in `output_dir` or elsewhere.

    Raises `ConfigError` and `TeacherError` as a run does.
    """
    config = without_batches(config)
    check_settings(config)
    plan = make_plan(config, configured_taxonomy(config))
    warn_of_self_grading(config, plan)
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

        async def make(cell: Cell) -> _PreviewedCell:
            turns: list[Turn] = []
            recorded = grading
            if grading and grading.grader:
                grader = replace(grading.grader, teacher=_RecordingTeacher(grading.grader.teacher, turns))
                recorded = replace(grading, grader=grader)
            made = await generate_cell(cell, plan, _RecordingTeacher(teacher, turns), rules, recorded)
            return _PreviewedCell(cell, turns, [sample_of(row) for row in made.rows])

        in_flight = config.teacher.max_in_flight
        async for previewed in in_order(cells, make, in_flight, lead=in_flight):
            console.print(_title(previewed.cell))
            console.print(*(_turn(request, reply, shown) for request, reply in previewed.turns), sep="\n")
            for sample in previewed.samples:
                console.print(_verdict(sample))
            samples += len(previewed.samples)
            accepted += sum(sample.accepted for sample in previewed.samples)
    total = usage.total()
    spent = f", {money(usage.money)} spent" if usage.money is not None else ""
    console.print(
        f"{accepted} of {samples} rows accepted; {total.calls} calls, {total.prompt_tokens:,} prompt tokens "
        f"({total.cached_tokens:,} cached), {total.completion_tokens:,} completion tokens{spent}; nothing was written",
        soft_wrap=True,
    )


@dataclass(frozen=True)
class _PreviewedCell:
    cell: Cell
    turns: list[Turn]
    samples: list[Sample]


class _RecordingTeacher:
    """A teacher that appends each request and its reply to `turns`."""

    def __init__(self, teacher: Teacher, turns: list[Turn]) -> None:
        self.name = teacher.name
        self._teacher, self._turns = teacher, turns

    async def chat(self, request: Request) -> Reply:
        reply = await self._teacher.chat(request)
        self._turns.append((request, reply))
        return reply


def _title(cell: Cell) -> RenderableType:
    subject = cell.topic or cell.query_type
    skills = " + ".join(skill.name for skill in cell.skills)
    facts = (
        subject and subject.name,
        cell.parent and cell.parent.operator,
        cell.difficulty,
        cell.length,
        cell.language,
    )
    title = Text.assemble(
        (f"cell {cell.index}  ", "dim"), (skills, "bold"), *(f"  ·  {fact}" for fact in facts if fact)
    )
    return Padding(title, (1, 0, 0, 0))


def _turn(request: Request, reply: Reply, shown: set[tuple[str, str]]) -> Panel:
    """Return a panel with a request and its reply. Messages in `shown` are left out, new ones are added to it."""
    lines: list[Text] = []
    left_out = 0
    for message in request.messages:
        key = (message["role"], message["content"])
        if key in shown:
            left_out += 1
            continue
        lines += [*_left_out_line(left_out), _message_line(message)]
        left_out = 0
        shown.add(key)
    lines += _left_out_line(left_out)
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


def _message_line(message: Message) -> Text:
    return Text.assemble((f"{message['role']}  ", _ROLE_COLOURS.get(message["role"], "")), _plain(message["content"]))


def _left_out_line(number: int) -> list[Text]:
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
    if sample.kept:
        table.add_row("kept", Text("the draft: filters reject the refined answer"))
    if sample.explanation:
        table.add_row("explanation", Text(_plain(sample.explanation)))
    table.add_row("signals", Text(", ".join(f"{name} {value:.3g}" for name, value in sorted(sample.signals.items()))))
    for part, line in _grade(sample):
        table.add_row(part, line)
    table.add_row("tokens", Text(f"{sample.prompt_tokens} prompt, {sample.completion_tokens} completion"))
    colour = "green" if sample.accepted else "red"
    return Panel(table, title=Text(f"row, generation {sample.generation}"), title_align="left", border_style=colour)


def _grade(sample: Sample) -> Iterator[tuple[str, Text]]:
    """Yield labelled lines: the total, each skill with its evidence, and each of the other points."""
    if sample.grade is None:
        explanation = f"{sample.grader} gave none that can be read" if sample.grader else "not graded"
        yield "grade", Text(explanation, style="dim")
        return
    skills, others = sample.grade["skills"], {name: sample.grade[name] for name in OTHER_CRITERIA}
    yield "grade", Text(f"{sample.grade['total']:g} of {len(skills) + len(others)} points by {sample.grader}")
    for skill in skills:
        evidence = f"  “{_plain(skill['evidence'])}”" if skill["evidence"] else ""
        yield "", Text.assemble(_point(skill["point"]), f"{skill['skill']}{evidence}")
    for name, point in others.items():
        yield "", Text.assemble(_point(point), name.replace("_", " "))


def _point(point: float) -> tuple[str, str]:
    """Return a point with its style."""
    return f"{point:g}  ", "bold green" if point > 0 else "bold red"


def _plain(text: str) -> str:
    """Return teacher text without control characters, which a terminal would take for commands."""
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
