"""What a run will cost, said before it runs: from an estimate, or from a few rows that were asked for real."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import ceil, sqrt
from typing import Any

import orjson

from skillmill.data.export import accepted_cells
from skillmill.data.files import write_whole
from skillmill.data.records import sample_of
from skillmill.filters.grading.grade import Grader, grade
from skillmill.flows.config import Config, GenerationConfig
from skillmill.flows.generate import HOPELESS, make_rows, next_cells, undecided_rows
from skillmill.flows.grading import asks_a_model, grader_config, grading_fingerprints, open_grading
from skillmill.flows.pairs import asked_sources, is_paired, pairs_of
from skillmill.flows.plan import Plan
from skillmill.flows.refilter import load_rules
from skillmill.flows.runner import in_order
from skillmill.flows.workspace import Workspace, keep_usage, open_workspace
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.accounting import StageUsage, total
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher

PROBE = "probe.json"
"""In `work_dir`: the sizes that the last `plan --probe` measured."""
PROBE_CELLS = 8
CHARS_PER_TOKEN = 4
"""Of English text, for prompts that no tokenizer has seen yet."""


@dataclass(frozen=True)
class Sizes:
    """What `cells` cells, their gradings and pairs take, per stage. `accepted` is None where no answer was asked for.

    `of` is the fingerprint of the settings that they hold for.
    """

    of: str
    cells: int
    accepted: int | None
    stages: dict[str, StageUsage]


@dataclass(frozen=True)
class Prediction:
    """What the whole run takes. With `acceptance` None it is an upper bound of what so many cells take.

    `cells_range`: the cells at both ends of the 90 % Wilson interval of the acceptance, which few cells leave wide.
    `seconds`: if the teacher is as quick with `max_in_flight` requests at once as it was with those of the probe,
    and if it gets no more done in a second than then; None without a probe.
    """

    acceptance: float | None
    measured_cells: int
    cells: int
    cells_range: tuple[int, int]
    stages: dict[str, StageUsage]
    total: StageUsage
    money: float | None
    seconds: tuple[float, float] | None


def predict(sizes: Sizes, config: Config) -> Prediction:
    """Scale `sizes` to the cells that the run will need."""
    acceptance = None if sizes.accepted is None else sizes.accepted / sizes.cells
    cells = cells_needed(config.generation, acceptance)
    stages = {name: _times(stage, cells / sizes.cells) for name, stage in sizes.stages.items()}
    whole, seconds = total(stages.values()), None
    if whole.seconds:
        in_flight = config.teacher.max_in_flight
        at_least = whole.seconds / cells  # no run is quicker than one row
        lanes = (min(in_flight, cells), min(in_flight, cells, sizes.cells))
        seconds = (max(at_least, whole.seconds / lanes[0]), max(at_least, whole.seconds / lanes[1]))
    spent = config.prices.of(whole) if config.prices else None
    ends = (None, None) if sizes.accepted is None else wilson(sizes.accepted, sizes.cells)
    most, least = (cells_needed(config.generation, end) for end in ends)
    return Prediction(acceptance, sizes.cells, cells, (least, most), stages, whole, spent, seconds)


def cells_needed(generation: GenerationConfig, acceptance: float | None) -> int:
    """Cells until the target is met or given up; with `acceptance` unknown the cap, or as if every cell counted."""
    cap, target = generation.samples, generation.accepted
    if target is None or (acceptance is None and cap is not None):
        assert cap is not None
        return cap
    if acceptance is None:
        return target
    needed = ceil(target / acceptance) if acceptance * HOPELESS >= 1 else HOPELESS if cap is None else cap
    return needed if cap is None else min(needed, cap)


def wilson(good: int, of: int, z: float = 1.645) -> tuple[float, float]:
    """The Wilson score interval of a share, 90 % by default."""
    share, weight = good / of, z * z / of
    middle, half = share + weight / 2, z * sqrt(share * (1 - share) / of + weight / of / 4)
    return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))


def known_sizes(config: Config, plan: Plan) -> Sizes:
    """The sizes that a probe of this plan measured, else an estimate. Asks and writes nothing."""
    try:
        found = orjson.loads((config.work / PROBE).read_bytes())
        stages = {name: StageUsage(**stage) for name, stage in found["stages"].items()}
        if found["of"] == _settings(config, plan):
            return Sizes(found["of"], found["cells"], found["accepted"], stages)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass
    return asyncio.run(_estimate(config, plan))


def probe(config: Config, plan: Plan, cells: int = PROBE_CELLS) -> Sizes:
    """Ask the teacher for the first cells of the run and keep their sizes in `work_dir`.

    The replies go into the run's journal and are not asked again by the run. Raises what opening the workspace and
    the teacher raise, and `BudgetMet`.
    """
    with open_workspace(config, recover=False) as workspace:
        try:
            sizes = asyncio.run(_probe(workspace, plan, min(cells, cells_needed(config.generation, 1.0))))
        finally:
            keep_usage(workspace)
        write_whole(config.work / PROBE, orjson.dumps(asdict(sizes)))
    return sizes


async def _probe(workspace: Workspace, plan: Plan, count: int) -> Sizes:
    config, rules = workspace.config, load_rules(workspace.config)
    cells = list(next_cells(workspace.samples, plan, 0, count))
    accepted, shared = 0, (workspace.journal, workspace.usage)
    async with (
        open_teacher(config.teacher, *shared) as teacher,
        open_grading(config, plan, *shared, teacher) as grading,
    ):
        tally = _Tally(teacher)
        if grading and grading.grader:
            graded_by = replace(grading.grader, teacher=_Tally(grading.grader.teacher, tally.stages))
            grading = replace(grading, grader=graded_by)

        async def make(cell: Cell) -> bool:
            made = await make_rows(cell, plan, tally, rules, grading)
            for row in accepted_cells(made.rows):
                if is_paired(row, config.pairs):
                    await pairs_of(row, config.pairs, tally, config.teacher.sampling)
            return made.accepted

        async for good in in_order(cells, make, config.teacher.max_in_flight, lead=len(cells)):
            accepted += good
    for name, stage in tally.stages.items():  # replies out of the journal came at once: go by those that were asked
        asked = workspace.usage.stage(name)
        stage.seconds = stage.calls * asked.seconds / asked.calls if asked.calls else 0.0
    return Sizes(_settings(config, plan), len(cells), accepted, tally.stages)


async def _estimate(config: Config, plan: Plan) -> Sizes:
    """The prompts of a few cells, rendered for real, and answers as long as `max_tokens` allows."""
    tally, of_rows = _Tally(_Longest()), set[str]()
    cells = list(islice(plan.combinations.cells(), PROBE_CELLS))
    for cell in cells:
        rows = await undecided_rows(cell, plan, tally)  # no verdict on filler matters
        if asks_a_model(config, plan):
            grader = Grader(tally, grader_config(config).sampling, config.grading.runs)
            for row in rows:
                await grade(sample_of(row), cell, grader)
        of_rows = of_rows or set(tally.stages)
        if asked_sources(config.pairs) and rows[0]["prompt"]:
            await pairs_of(rows[0], config.pairs, tally, config.teacher.sampling)
    share = config.pairs.share
    stages = {name: stage if name in of_rows else _times(stage, share) for name, stage in tally.stages.items()}
    return Sizes(_settings(config, plan), len(cells), None, stages)


def _settings(config: Config, plan: Plan) -> str:
    """Of all that says what is asked: other gradings or pairs of the same plan take more or less."""
    asked = [plan.fingerprint, grading_fingerprints(config), config.pairs.model_dump(mode="json")]
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()[:16]


class _Tally:
    """A teacher whose replies are counted per stage, wherever they come from."""

    def __init__(self, teacher: Teacher, stages: dict[str, StageUsage] | None = None) -> None:
        self.name = teacher.name
        self.stages = {} if stages is None else stages
        self._teacher = teacher

    async def chat(self, request: Request) -> Reply:
        reply = await self._teacher.chat(request)
        stage = self.stages.setdefault(request.stage, StageUsage())
        stage.calls += 1
        stage.add(reply)
        return reply


class _Longest:
    """Stands where a teacher will: as many words as `max_tokens` allows, in the form that is asked for."""

    name = "estimate"

    async def chat(self, request: Request) -> Reply:
        longest = request.sampling.max_tokens
        text = _words(longest * CHARS_PER_TOKEN)
        if request.json_schema is not None:
            text = orjson.dumps(_filled(request.json_schema, longest * CHARS_PER_TOKEN)).decode()
        asked = sum(len(message["content"]) for message in request.messages)
        # "stop": a turn that is asked only after an answer was cut off is the exception, not a cost of every row
        return Reply(text, "stop", ceil(asked / CHARS_PER_TOKEN), longest)


def _filled(schema: Mapping[str, Any], length: int) -> Any:
    """A value for a JSON schema whose texts share `length` characters."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {key: _filled(inner, length // len(properties)) for key, inner in properties.items()}
        case "array":
            return [_filled(schema.get("items", {}), length)]
        case "boolean" | "integer" | "number":
            return 1
    return _words(min(length, schema.get("maxLength", length)))


def _words(length: int) -> str:
    return ("word " * ceil(length / 5))[:length]


def _times(stage: StageUsage, factor: float) -> StageUsage:
    scaled = {key: value * factor for key, value in asdict(stage).items()}
    return StageUsage(**{key: value if key == "seconds" else round(value) for key, value in scaled.items()})
