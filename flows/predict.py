"""Predict the cost of a run, from an estimate or from a probe that requests a few rows."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from math import ceil, sqrt
from typing import Any, get_args

import orjson

from skillmill.data.files import write_atomic
from skillmill.data.records import SampleRow, text_of
from skillmill.filters.grading.comparison import is_preferred
from skillmill.filters.grading.grade import grade
from skillmill.flows.config import Config, GenerationConfig
from skillmill.flows.plan import Plan
from skillmill.flows.rows.cell_rows import generate_cell, generate_samples, new_row
from skillmill.flows.rows.decide import load_rules
from skillmill.flows.rows.generate import HOPELESS, next_cells
from skillmill.flows.rows.grading import asks_a_model, grading_fingerprints, open_grading, run_grader
from skillmill.flows.rows.pairs import is_paired, open_pair_models, pair_models, pairs_plan, with_their_cells
from skillmill.flows.rows.stress import draw_replacements, request_replacement
from skillmill.flows.runtime.in_order import in_order
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.generators.pairs.pairs import build_pairs
from skillmill.generators.pairs.shirkers import ShirkerKind
from skillmill.generators.pairs.sources import PairModel, PairModels
from skillmill.skill_taxonomy.cells import Cell
from skillmill.teachers.base import Reply, Request, Teacher
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import StageUsage, Usage, total

PROBE = "probe.json"
"""The file in `work_dir` with the sizes that the last `plan --probe` measured."""
PROBE_CELLS = 8
CHARS_PER_TOKEN = 4
"""Characters a token of English text, for prompts that were not tokenized yet."""


@dataclass(frozen=True)
class Sizes:
    """The usage of `cells` cells with their gradings and pairs, per stage.

    `of` is the fingerprint of the settings that the sizes hold for. `accepted` is None for an estimate, which has no
    answers.
    """

    of: str
    cells: int
    accepted: int | None
    stages: dict[str, StageUsage]


@dataclass(frozen=True)
class Prediction:
    """The usage of the whole run. If `acceptance` is None, it is an upper bound for that many cells.

    `cells_range`: the cells at both ends of the 90 % Wilson interval of the acceptance.
    `seconds`: the duration if the teacher is as fast with `max_in_flight` requests at once as it was in the probe, and
    the duration if it does no more work a second than in the probe; None without a probe.
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
        at_least = whole.seconds / cells  # no run is faster than one row
        lanes = (min(in_flight, cells), min(in_flight, cells, sizes.cells))
        seconds = (max(at_least, whole.seconds / lanes[0]), max(at_least, whole.seconds / lanes[1]))
    spent = config.prices.of(whole) if config.prices else None
    ends = (None, None) if sizes.accepted is None else wilson(sizes.accepted, sizes.cells)
    most, least = (cells_needed(config.generation, end) for end in ends)
    return Prediction(acceptance, sizes.cells, cells, (least, most), stages, whole, spent, seconds)


def cells_needed(generation: GenerationConfig, acceptance: float | None) -> int:
    """Return the cells until the target is met or given up.

    If `acceptance` is unknown, return the cap on cells, or the target as if every cell were accepted.
    """
    cap, target = generation.samples, generation.accepted
    if target is None or (acceptance is None and cap is not None):
        assert cap is not None
        return cap
    if acceptance is None:
        return target
    needed = ceil(target / acceptance) if acceptance * HOPELESS >= 1 else HOPELESS if cap is None else cap
    return needed if cap is None else min(needed, cap)


def wilson(good: int, of: int, z: float = 1.645) -> tuple[float, float]:
    """Return the Wilson score interval of the share `good / of`; the default `z` gives 90 %."""
    share, weight = good / of, z * z / of
    middle, half = share + weight / 2, z * sqrt(share * (1 - share) / of + weight / of / 4)
    return max(0.0, (middle - half) / (1 + weight)), min(1.0, (middle + half) / (1 + weight))


def known_sizes(config: Config, plan: Plan) -> Sizes:
    """Return the sizes that a probe of this plan measured, or else an estimate. Sends and writes nothing."""
    try:
        found = orjson.loads((config.work / PROBE).read_bytes())
        stages = {name: StageUsage(**stage) for name, stage in found["stages"].items()}
        if found["of"] == _settings(config, plan):
            return Sizes(found["of"], found["cells"], found["accepted"], stages)
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        pass
    return asyncio.run(_estimate(config, plan))


def share_of_a_cell(config: Config, plan: Plan, usage: Usage) -> float:
    """Return the share of the budget, up to 1, that a cell will take by `known_sizes`; 0 without batches or a budget.

    With batches, thousands of cells are begun before one has ended and shows what it took.
    """
    if not config.teacher.batch or not usage.has_cap:
        return 0.0
    sizes = known_sizes(config, plan)
    return min(1.0, usage.share(total(sizes.stages.values())) / sizes.cells)


def probe(config: Config, plan: Plan, cells: int = PROBE_CELLS) -> Sizes:
    """Generate the first cells of the run and store their sizes in `work_dir`.

    The replies are journalled, so that the run does not request them again. Raises `BudgetMet`, and what
    `open_workspace` and `open_teacher` raise.
    """
    with open_workspace(config, recover=False) as workspace:
        try:
            sizes = asyncio.run(_probe(workspace, plan, min(cells, cells_needed(config.generation, 1.0))))
        finally:
            keep_usage(workspace)
        write_atomic(config.work / PROBE, orjson.dumps(asdict(sizes)))
    return sizes


async def _probe(workspace: Workspace, plan: Plan, count: int) -> Sizes:
    config, rules = workspace.config, load_rules(workspace.config)
    cells = list(next_cells(workspace.samples, plan, 0, count))
    stages, accepted = dict[str, StageUsage](), list[SampleRow]()
    shared = workspace.journal.of_plan(plan.fingerprint), workspace.usage
    async with (
        open_teacher(config.teacher, *shared) as opened,
        open_grading(config, plan, *shared, opened) as grading,
        open_pair_models(config, *shared, opened) as models,
    ):
        teacher, tallied = _Tally(opened, stages), _tallied(models, stages)
        if grading and grading.grader:
            graded_by = replace(grading.grader, teacher=_Tally(grading.grader.teacher, stages))
            grading = replace(grading, grader=graded_by)

        async def make(cell: Cell) -> list[SampleRow]:
            best = list(with_their_cells((await generate_cell(cell, plan, teacher, rules, grading)).rows))
            for row, of_cell in best:
                if is_paired(row, config.pairs):
                    await build_pairs(row, of_cell, config.pairs, config.filters.shirker, tallied)
            return [row for row, _ in best]

        async for rows in in_order(cells, make, config.teacher.max_in_flight, lead=len(cells)):
            accepted += rows
        if config.export.stress is not None:
            replacing = draw_replacements([row["id"] for row in accepted], config.export.stress, config.seed)
            for row in accepted:
                how = replacing.get(row["id"])
                if how and not (how in config.pairs.sources and is_paired(row, config.pairs)):
                    await request_replacement(row, how, teacher, config.teacher.sampling)
    for name, stage in stages.items():  # journalled replies took no time: use the mean of those that were requested
        spent = workspace.usage.stage(name)
        stage.seconds = stage.calls * spent.seconds / spent.calls if spent.calls else 0.0
    return Sizes(_settings(config, plan), len(cells), len(accepted), stages)


def _tallied(models: PairModels, stages: dict[str, StageUsage]) -> PairModels:
    """Return the same models with their replies counted."""
    everybody = (models.teacher, models.student, models.grader)
    return PairModels(*(each and PairModel(_Tally(each.teacher, stages), each.sampling) for each in everybody))


async def _estimate(config: Config, plan: Plan) -> Sizes:
    """Return sizes from the rendered prompts of a few cells and answers of `max_tokens` tokens."""
    of_rows, of_pairs, of_stress = (dict[str, StageUsage]() for _ in range(3))
    cells = list(islice(plan.combinations.cells(), PROBE_CELLS))
    for cell in cells:
        teacher = _Tally(_Longest(), of_rows)
        samples = await generate_samples(cell, plan, teacher)  # filler needs no verdict
        if asks_a_model(config, plan):
            grader = run_grader(config, teacher)
            for sample in samples:
                await grade(sample, cell, grader)
        if samples[0].instruction:
            row = new_row(samples[0], cell, plan, teacher.name)
            await _estimate_pairs(config, row, _Tally(_Longest(), of_pairs))
            for kind in _stress_shares(config):
                await request_replacement(row, kind, _Tally(_Longest(), of_stress), config.teacher.sampling)
    stages = {**of_rows, **{name: _times(stage, config.pairs.share) for name, stage in of_pairs.items()}}
    for kind, share in _stress_shares(config).items():
        if kind in of_stress:
            stages[kind] = total([stages.get(kind, StageUsage()), _times(of_stress[kind], share)])
    return Sizes(_settings(config, plan), len(cells), None, stages)


def _settings(config: Config, plan: Plan) -> str:
    """Return a fingerprint of the settings beside the plan that change what is requested."""
    parts = [pairs_plan(plan, config), grading_fingerprints(config), config.export.model_dump(mode="json")["stress"]]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


async def _estimate_pairs(config: Config, row: SampleRow, teacher: "_Tally") -> None:
    """Request the pairs of a row, with one check by the grader for each source."""
    models = {role: PairModel(teacher, settings.sampling) for role, settings in pair_models(config).items()}
    never = config.pairs.model_copy(
        update={"check": "never"}
    )  # two filler texts are equal, so no pair would reach a check
    await build_pairs(row, [row], never, None, PairModels(**models))
    if "grader" in models:
        filler = _words(config.teacher.sampling.max_tokens * CHARS_PER_TOKEN)
        for _ in config.pairs.sources:
            await is_preferred(text_of(row["prompt"]), filler, filler, teacher, models["grader"].sampling, 0)


def _stress_shares(config: Config) -> dict[ShirkerKind, float]:
    """Return, by kind, the share of rows whose replacement is requested for the stress set and not for a pair too."""
    stress, pairs = config.export.stress, config.pairs
    if stress is None:
        return {}
    kinds: tuple[ShirkerKind, ...] = get_args(ShirkerKind) if stress.kind == "both" else (stress.kind,)
    return {kind: stress.share / len(kinds) * (1 - pairs.share * (kind in pairs.sources)) for kind in kinds}


class _Tally:
    """A teacher whose replies are counted per stage, journalled ones included."""

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
    """A teacher that answers with filler of `max_tokens` tokens in the requested form."""

    name = "estimate"

    async def chat(self, request: Request) -> Reply:
        longest = request.sampling.max_tokens
        text = _words(longest * CHARS_PER_TOKEN)
        if request.json_schema is not None:
            text = orjson.dumps(_filled(request.json_schema, longest * CHARS_PER_TOKEN)).decode()
        prompt_length = sum(len(message["content"]) for message in request.messages)
        # "stop", because requests that only follow a cut-off answer are rare
        return Reply(text, "stop", ceil(prompt_length / CHARS_PER_TOKEN), longest)


def _filled(schema: Mapping[str, Any], length: int) -> Any:
    """Return a value for a JSON schema whose texts have `length` characters together."""
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
