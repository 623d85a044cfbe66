"""What the commands that only look print on standard output."""

import asyncio
import tempfile
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.data.store import pair_store, sample_store
from skillmill.filters.judge import apply_filters
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.progress import say
from skillmill.flows.steps import configured_taxonomy
from skillmill.flows.workspace import read_state
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.check import check
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import Taxonomy, load_taxonomy
from skillmill.teachers.accounting import Usage
from skillmill.teachers.base import Reply, Request, Teacher, TurnFailed
from skillmill.teachers.build import open_teacher
from skillmill.teachers.journal import Journal


def describe_plan(config: Config) -> None:
    """Print the space, the cells and the calls of the run that `config` describes."""
    plan = make_plan(config, configured_taxonomy(config))
    generation, space = config.generation, plan.combinations.space
    calls = plan.generator.calls_per_cell
    table = Table(show_header=False, box=None)
    table.add_row("plan", plan.fingerprint)
    for k, size in space.items():
        table.add_row(f"cells with k = {k}", f"{size:,}")
    table.add_row("accepted wanted", f"{generation.accepted:,}" if generation.accepted else "–")
    table.add_row("cells at most", f"{generation.samples or plan.combinations.size:,}")
    table.add_row("calls per cell", f"at most {calls}")
    if generation.samples:
        table.add_row("calls", f"at most {generation.samples * calls:,}")
        most = generation.samples * calls * config.teacher.sampling.max_tokens
        table.add_row("completion tokens", f"at most {most:,}")
    Console().print(table)


def preview_rows(config: Config, count: int) -> None:
    """Make `count` cells and print every turn, the sample and its verdict. Writes nothing that stays."""
    plan = make_plan(config, configured_taxonomy(config))
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            asyncio.run(_preview(config, plan, journal, count))
        finally:
            journal.close()


async def _preview(config: Config, plan: Plan, journal: Journal, count: int) -> None:
    console = Console(highlight=False)
    async with open_teacher(config.teacher, journal, Usage()) as teacher:
        indices = range(min(count, plan.combinations.size))
        for cell in islice((plan.combinations[i] for i in indices), count):
            about = cell.topic or cell.query_type
            names = " + ".join(skill.name for skill in cell.skills)
            console.rule(Text(f"{names} · {about.name if about else ''}"))
            try:
                samples = await plan.generator.make(cell, _Shown(teacher, console))
            except TurnFailed as failure:
                console.print(Text(f"rejected: {failure}", style="red"))
                continue
            for sample in samples:
                _print_verdict(console, apply_filters(sample, cell, config.filters), cell)


def _print_verdict(console: Console, sample: Sample, cell: Cell) -> None:
    console.print(Text("prompt", style="bold"), Text(sample.instruction))
    console.print(Text("completion", style="bold"), Text(sample.response))
    if sample.accepted:
        console.print(Text("accepted", style="green"))
    else:
        console.print(Text(f"rejected: {', '.join(sample.reasons)}", style="red"))


class _Shown:
    """A teacher that prints each turn as it is answered."""

    def __init__(self, teacher: Teacher, console: Console) -> None:
        self.name = teacher.name
        self._teacher, self._console = teacher, console

    async def chat(self, request: Request) -> Reply:
        reply = await self._teacher.chat(request)
        self._console.print(Text(f"[{request.stage}] asked", style="dim"))
        self._console.print(Text(request.messages[-1]["content"]))
        tokens = f"{reply.completion_tokens} tokens, {reply.finish_reason}"
        self._console.print(Text(f"[{request.stage}] answered ({tokens})", style="dim"))
        self._console.print(Text(reply.text))
        return reply


def describe_directory(root: Path) -> None:
    """Print what a run's directory holds. Raises `ConfigError` where it is none."""
    state = read_state(root)
    if not state:
        raise ConfigError(f"{root} holds no run: expected an output_dir with a run.json")
    samples, pairs = sample_store(root), pair_store(root)
    table = Table(box=None)
    for column in ("plan", "shards", "cells", "rows", "accepted cells", "next position"):
        table.add_column(column, justify="left" if column == "plan" else "right")
    for plan in dict.fromkeys(shard.plan for shard in samples.shards):
        shards = samples.of_plan(plan)
        numbers = [len(shards), *(sum(getattr(s, key) for s in shards) for key in ("cells", "rows", "accepted"))]
        current = " (current)" if plan == state.get("plan") else ""
        table.add_row(plan + current, *(f"{number:,}" for number in numbers), f"{shards[-1].stop:,}")
    console = Console()
    console.print(f"{root}: {state.get('status')}")
    console.print(table)
    console.print(f"{sum(shard.rows for shard in pairs.shards):,} preference pairs")
    for name in ("export", "train/sft", "train/dpo", "report.html"):
        if (root / name).exists():
            console.print(str(root / name))


def show_taxonomy(name: str) -> None:
    """Print a taxonomy as a tree: categories with their skills, topics, query types."""
    taxonomy = named_taxonomy(name)
    tree = Tree(Text(f"{taxonomy.name}: {len(taxonomy.skills)} skills"))
    categories: dict[str, Tree] = {}
    for skill in taxonomy.skills:
        if skill.category not in categories:
            categories[skill.category] = tree.add(Text(skill.category, style="bold"))
        marks = (" (common)" if skill.common else "") + ("" if skill.split == "train" else f" ({skill.split})")
        categories[skill.category].add(Text(f"{skill.name}{marks}: {skill.definition}"))
    topics = tree.add(Text(f"{len(taxonomy.topics)} topics", style="bold"))
    topics.add(Text(", ".join(topic.name for topic in taxonomy.topics) or "none"))
    query_types = tree.add(Text(f"{len(taxonomy.query_types)} query types", style="bold"))
    for query_type in taxonomy.query_types:
        query_types.add(Text(f"{query_type.name}: {query_type.definition}"))
    Console().print(tree)


def check_taxonomy(name: str) -> int:
    """Print the findings; the exit code is 1 where one is an error."""
    findings = check(named_taxonomy(name))
    for finding in findings:
        print(f"{finding.severity}: {finding.entry}: {finding.message}")
    say(f"taxonomy: {len(findings)} findings")
    return int(any(finding.severity == "error" for finding in findings))


def named_taxonomy(name: str) -> Taxonomy:
    return builtin(name.removeprefix("builtin:")) if name.startswith("builtin:") else load_taxonomy(Path(name))
