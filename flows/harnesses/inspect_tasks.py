"""The inspect_ai task `skillmill/skill_mix`: held-out Skill-Mix (arXiv 2310.17567).

    inspect eval skillmill/skill_mix --model openai/gpt-4o -T taxonomy=builtin:checkable -T k=2 -T samples=50
    inspect eval skillmill/skill_mix --model … --model-role grader=openai/gpt-4o -T config=skillmill.yaml

inspect_ai finds this module by the entry point `inspect_ai` of the package.
"""

from typing import Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from skillmill.data.errors import SkillmillError
from skillmill.flows.harnesses.held_out import HeldOut, held_out, metrics_of_cell, restored, stored
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.train.evaluation.answers import AnswerRow, Examiner, request_of, text_grader
from skillmill.train.evaluation.skill_mix_metrics import METRICS

CELL, ROWS = "held_out", "rows"
"""The keys of a sample's cell in its metadata, and of the graded answers in its store."""
GRADER = "grader"
"""The model role that grades: `--model-role grader=…`."""
GRADER_CONFIG = GenerateConfig(temperature=0.0, max_tokens=1024)
"""How the grader is asked, where its role does not say otherwise."""
FINISH_REASONS = {"max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}


@task  # type: ignore[untyped-decorator,unused-ignore]
def skill_mix(
    config: str | None = None,
    taxonomy: str | None = None,
    k: int | list[int] | None = None,
    samples: int | None = None,
    splits: str | list[str] | None = None,
    grader: str | None = None,
    protocol: str | None = None,
    generations: int | None = None,
    runs: int | None = None,
    rubric: str | None = None,
    prompts: str | None = None,
    seed: int | None = None,
) -> Task:
    """Return the task: a sample is a held-out cell, its score the best of the cell's texts.

    `config` is a configuration of skillmill; the other arguments are keys of its section `evaluate` (and `seed`), which
    they replace. Without `config`, nothing counts as seen in training, and `taxonomy` is builtin:language by default.
    Raises `PrerequisiteError`, which inspect_ai prints without a traceback.
    """
    options = {
        "taxonomy": taxonomy,
        "k": k,
        "samples": samples,
        "splits": splits,
        "grader": grader,
        "protocol": protocol,
        "generations": generations,
        "runs": runs,
        "rubric": rubric,
        "prompts": prompts,
        "seed": seed,
    }
    try:
        asked = held_out(config, **options)
    except SkillmillError as error:
        raise PrerequisiteError(str(error)) from None
    sampling = asked.settings.sampling
    dataset = [
        InspectSample(
            id=f"{cell.split}-{cell.cell.k}-{cell.cell.key}",
            input=request_of(cell.cell),
            metadata={"split": cell.split, "k": cell.cell.k, CELL: stored(cell)},
        )
        for cell in asked.cells
    ]
    return Task(
        dataset=MemoryDataset(dataset, name="skill_mix"),
        solver=answer_and_grade(asked),
        scorer=skill_mix_points(),
        config=GenerateConfig(temperature=sampling.temperature, top_p=sampling.top_p, max_tokens=sampling.max_tokens),
    )


@solver  # type: ignore[untyped-decorator,unused-ignore]
def answer_and_grade(asked: HeldOut) -> Solver:
    """Return the solver that asks for the texts of a cell and has them graded, as `skillmill evaluate` does."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        by_model = None
        if asked.graded_by != "rule":
            model = get_model(role=GRADER, required=True, config=GRADER_CONFIG)
            by_model = text_grader(asked.settings, InspectModel(model), Sampling())
        student = InspectModel(get_model(), state.epoch)
        examiner = Examiner(student, asked.settings.sampling, asked.settings, asked.graded_by, by_model)
        answers = await examiner.examine(restored(state.metadata[CELL]))
        state.store.set(ROWS, answers.rows)
        state.messages += [ChatMessageAssistant(content=row["response"]) for row in answers.rows]
        if answers.rows:
            state.output = ModelOutput.from_content(student.name, answers.rows[-1]["response"])
        return state

    return solve


@scorer(metrics={name: [mean(), stderr()] for name in METRICS})  # type: ignore[untyped-decorator,unused-ignore]
def skill_mix_points() -> Scorer:
    """Return the scorer that gives the metrics of `METRICS`; a sample without a usable grading has no score."""

    async def score(state: TaskState, target: Target) -> Score:
        rows: list[AnswerRow] = state.store.get(ROWS, [])
        found = metrics_of_cell(rows)
        if found is None:
            return Score.unscored(reason="no usable grading", answer=state.output.completion)
        points = {f"{row['generation']} {row['grading']}": row["points"] for row in rows}
        return Score(value=dict(found), answer=state.output.completion, metadata={"points": points})

    return score


class InspectModel:
    """A model of inspect_ai as a `Teacher`; its sampling is that of the evaluation and of the command line.

    `epoch` changes the seeds, so that each epoch has texts of its own.
    """

    def __init__(self, model: Model, epoch: int = 1) -> None:
        self.name = str(model)
        self._model, self._epoch = model, epoch

    async def chat(self, request: Request) -> Reply:
        """Answer one request. Retries, limits and errors are those of inspect_ai."""
        seed = request.seed if self._epoch == 1 else derived_seed(request.seed, self._epoch)
        schema: Any = None
        if request.json_schema is not None:
            schema = ResponseSchema(name="reply", json_schema=request.json_schema)
        output = await self._model.generate(
            [_message(message["role"], message["content"]) for message in request.messages],
            config=GenerateConfig(seed=seed, response_schema=schema),
        )
        usage = output.usage
        return Reply(
            output.completion,
            FINISH_REASONS.get(output.stop_reason, "stop"),
            usage.input_tokens if usage else 0,
            usage.output_tokens if usage else 0,
        )


def _message(role: str, content: str) -> ChatMessage:
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return kinds[role](content=content)
