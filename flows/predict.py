"""What a run will cost, said before it runs: from an estimate, or from a few rows that were asked for real."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import ceil, sqrt
from typing import Any, get_args

import orjson

from skillmill.data.files import write_whole
from skillmill.data.records import sample_of, text_of
from skillmill.filters.grading.comparison import finds_better
from skillmill.filters.grading.grade import Grader, grade
from skillmill.flows.config import Config, GenerationConfig
from skillmill.flows.plan import Plan
from skillmill.flows.rows.decide import load_rules
from skillmill.flows.rows.generate import HOPELESS, make_rows, next_cells, undecided_rows
from skillmill.flows.rows.grading import asks_a_model, grader_config, grading_fingerprints, open_grading
from skillmill.flows.rows.pairs import all_asked, is_paired, pairs_plan, whom, with_their_cells
from skillmill.flows.rows.stress import answer, drawn
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.generators.pairs.pairs import AllAsked, Asked, Row, pairs_of
from skillmill.generators.pairs.shirkers import Shirk
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import StageUsage, total

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
    stages, accepted, shared = dict[str, StageUsage](), list[Row](), (workspace.journal, workspace.usage)
    async with (
        open_teacher(config.teacher, *shared) as opened,
        open_grading(config, plan, *shared, opened) as grading,
        all_asked(config, *shared, opened) as asked,
    ):
        teacher, tallied = _Tally(opened, stages), _tallied(asked, stages)
        if grading and grading.grader:
            graded_by = replace(grading.grader, teacher=_Tally(grading.grader.teacher, stages))
            grading = replace(grading, grader=graded_by)

        async def make(cell: Cell) -> list[Row]:
            best = list(with_their_cells((await make_rows(cell, plan, teacher, rules, grading)).rows))
            for row, of_cell in best:
                if is_paired(row, config.pairs):
                    await pairs_of(row, of_cell, config.pairs, config.filters.shirker, tallied)
            return [row for row, _ in best]

        async for rows in in_order(cells, make, config.teacher.max_in_flight, lead=len(cells)):
            accepted += rows
        if config.export.stress is not None:
            replacing = drawn([row["id"] for row in accepted], config.export.stress, config.seed)
            for row in accepted:
                how = replacing.get(row["id"])
                if how and not (how in config.pairs.sources and is_paired(row, config.pairs)):
                    await answer(row, how, teacher, config.teacher.sampling)
    for name, stage in stages.items():  # replies out of the journal came at once: go by those that were asked
        spent = workspace.usage.stage(name)
        stage.seconds = stage.calls * spent.seconds / spent.calls if spent.calls else 0.0
    return Sizes(_settings(config, plan), len(cells), len(accepted), stages)


def _tallied(asked: AllAsked, stages: dict[str, StageUsage]) -> AllAsked:
    """The same models, with their replies counted."""
    everybody = (asked.teacher, asked.student, asked.grader)
    return AllAsked(*(each and Asked(_Tally(each.teacher, stages), each.sampling) for each in everybody))


async def _estimate(config: Config, plan: Plan) -> Sizes:
    """The prompts of a few cells, rendered for real, and answers as long as `max_tokens` allows."""
    of_rows, of_pairs, of_stress = (dict[str, StageUsage]() for _ in range(3))
    cells = list(islice(plan.combinations.cells(), PROBE_CELLS))
    for cell in cells:
        teacher = _Tally(_Longest(), of_rows)
        rows = await undecided_rows(cell, plan, teacher)  # no verdict on filler matters
        if asks_a_model(config, plan):
            for row in rows:
                await grade(sample_of(row), cell, Grader(teacher, grader_config(config).sampling, config.grading.runs))
        if rows[0]["prompt"]:
            await _estimate_pairs(config, rows[0], _Tally(_Longest(), of_pairs))
            for how in _shirks(config):
                await answer(rows[0], how, _Tally(_Longest(), of_stress), config.teacher.sampling)
    stages = {**of_rows, **{name: _times(stage, config.pairs.share) for name, stage in of_pairs.items()}}
    for how, share in _shirks(config).items():
        if how in of_stress:
            stages[how] = total([stages.get(how, StageUsage()), _times(of_stress[how], share)])
    return Sizes(_settings(config, plan), len(cells), None, stages)


def _settings(config: Config, plan: Plan) -> str:
    """Of all that says what is asked: other gradings, pairs or stress sets of the same plan take more or less."""
    asked = [pairs_plan(plan, config), grading_fingerprints(config), config.export.model_dump(mode="json")["stress"]]
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()[:16]


async def _estimate_pairs(config: Config, row: Row, teacher: "_Tally") -> None:
    """Ask what the pairs of a row take, as if the grader were asked about each of them."""
    asked = {role: Asked(teacher, settings.sampling) for role, settings in whom(config).items()}
    never = config.pairs.model_copy(update={"check": "never"})  # filler is like filler: no pair would come to a check
    await pairs_of(row, [row], never, config.filters.shirker, AllAsked(**asked))
    if "grader" in asked:
        filler = _words(config.teacher.sampling.max_tokens * CHARS_PER_TOKEN)
        for _ in config.pairs.sources:
            await finds_better(text_of(row["prompt"]), filler, filler, teacher, asked["grader"].sampling, 0)


def _shirks(config: Config) -> dict[Shirk, float]:
    """The share of the rows for which the stress set alone asks, by what it asks for."""
    stress, pairs = config.export.stress, config.pairs
    if stress is None:
        return {}
    kinds: tuple[Shirk, ...] = get_args(Shirk) if stress.kind == "both" else (stress.kind,)
    return {how: stress.share / len(kinds) * (1 - pairs.share * (how in pairs.sources)) for how in kinds}


class _Tally:
    """A teacher whose replies are counted per stage, wherever they come from."""

    def __init__(self, teacher: Teacher, stages: dict[str, StageUsage]) -> None:
        self.name = teacher.name
        self._teacher, self._stages = teacher, stages

    async def chat(self, request: Request) -> Reply:
        reply = await self._teacher.chat(request)
        stage = self._stages.setdefault(request.stage, StageUsage())
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
