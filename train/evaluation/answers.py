"""Ask a model for the text of a held-out cell and grade it: one row of `evaluate/answers.parquet`."""

from dataclasses import dataclass, replace
from typing import TypedDict

import pyarrow as pa

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.filters.grading.grade import Grader, SingleGrading, grade
from skillmill.filters.grading.points import Points
from skillmill.filters.grading.rubric import grading_prompts
from skillmill.filters.grading.rules import RULES, needs_model, points_by_rules
from skillmill.generators.skill_mix import FOLDER, SkillMix, prompt_variables
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Reply, Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.prompts import Prompts, shipped
from skillmill.teachers.structured import clean
from skillmill.train.evaluation.config import EvaluateConfig, GraderName
from skillmill.train.evaluation.held_out import HeldOutCell

STAGE, GRADE_STAGE = "evaluate", "evaluate_grade"
"""The stages of these requests in the accounting of tokens."""

ANSWER_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("combination", pa.string()),
        ("generation", pa.int32()),
        ("grading", pa.string()),
        ("k", pa.int32()),
        ("points", pa.list_(pa.float64())),
        ("model_points", pa.list_(pa.float64())),
        ("skills", pa.list_(pa.string())),
        ("category", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("prompt", pa.string()),
        ("response", pa.string()),
        ("finish_reason", pa.string()),
        ("completion_tokens", pa.int64()),
        ("failure", pa.string()),
    ]
)


class AnswerRow(TypedDict):
    """One grading of one text, with the columns of `skillmill score`.

    `points`: null if there is no text, or no readable grading. `model_points`: the points by the model if `points` are
    by the rules and both grade. `failure`: why a request failed, "" if none did.
    """

    split: str
    combination: str
    generation: int
    grading: str
    k: int
    points: list[float] | None
    model_points: list[float] | None
    skills: list[str]
    category: list[str]
    topic: str
    prompt: str
    response: str
    finish_reason: str | None
    completion_tokens: int
    failure: str


@dataclass(frozen=True)
class CellAnswers:
    """The rows of one cell, and how many texts were drawn and passed until the last one; 0 without `until`."""

    rows: list[AnswerRow]
    tries: int = 0
    passes: int = 0


def text_grader(settings: EvaluateConfig, model: Teacher, sampling: Sampling) -> Grader:
    """Return the grader of texts that sends its requests to `model`. Raises `ConfigError` for bad `prompts`."""
    return Grader(model, sampling, settings.runs, settings.rubric, text_grader_prompts(settings))


def text_grader_prompts(settings: EvaluateConfig) -> Prompts:
    """Return the prompts of the grader. Raises `ConfigError` for bad `evaluate.prompts`."""
    return grading_prompts(settings.prompts, "evaluate.prompts")


@dataclass(frozen=True)
class Examiner:
    """Asks one model for the texts of cells and grades them.

    `grader` is None if `graded_by` is "rule".
    """

    teacher: Teacher
    sampling: Sampling
    settings: EvaluateConfig
    graded_by: GraderName
    grader: Grader | None = None

    async def examine(self, held_out: HeldOutCell) -> CellAnswers:
        """Return the answers to one cell. A request without a reply gives a row without points."""
        cell, until = held_out.cell, self.settings.until
        rows: list[AnswerRow] = []
        tries = passes = 0
        for generation in range(max(self.settings.generations, until.tries if until else 0)):
            wanted = generation < self.settings.generations
            counts = until is not None and tries < until.tries and passes < until.passes
            if not wanted and not counts:
                break
            of_text = await self._text(held_out, cell, generation)
            rows += of_text if wanted else []
            if counts and of_text[0]["points"] is not None:
                tries, passes = tries + 1, passes + has_full_marks(of_text)
        return CellAnswers(rows, tries, passes)

    async def _text(self, held_out: HeldOutCell, cell: Cell, generation: int) -> list[AnswerRow]:
        try:
            sample = await self._ask(cell, generation)
        except RequestFailed as failure:
            return [_row(held_out, Sample("", "", generation), "none", None, failure=str(failure))]
        rules = points_by_rules(sample, cell) if self.graded_by != "model" else None
        gradings = await self._graded_by_model(sample, cell)
        if rules is None:
            return [
                _row(held_out, sample, f"{each.grader} {each.run}", each.points, failure=each.failure)
                for each in gradings
            ]
        by_model = gradings[0] if gradings else None
        other = by_model.points if by_model else None
        return [_row(held_out, sample, RULES, rules, other, by_model.failure if by_model else "")]

    async def _ask(self, cell: Cell, generation: int) -> Sample:
        if self.settings.protocol == "paper":
            generator = SkillMix(self.sampling, 1, turns=2, order="paper")
            cell_of_text = replace(cell, seed=derived_seed(cell.seed, generation))
            [sample] = await generator.make(cell_of_text, Staged(self.teacher, STAGE))
            return replace(sample, generation=generation)
        prompt = request_of(cell)
        seed = derived_seed(cell.seed, generation, STAGE)
        request = Request([{"role": "user", "content": prompt}], self.sampling, seed, stage=STAGE)
        reply = await self.teacher.chat(request)
        return Sample(
            prompt,
            clean(reply.text),
            generation,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
        )

    async def _graded_by_model(self, sample: Sample, cell: Cell) -> list[SingleGrading]:
        if self.grader is None:
            return []
        without_rules = replace(cell, skills=tuple(skill.model_copy(update={"checker": None}) for skill in cell.skills))
        grader = replace(self.grader, teacher=Staged(self.grader.teacher, GRADE_STAGE))
        _, gradings = await grade(sample, without_rules, grader)
        return gradings


def request_of(cell: Cell) -> str:
    """Return the request for the text of a cell, which is the prompt of a Skill-Mix row."""
    return shipped(FOLDER).render("request", **prompt_variables(cell))


class Staged:
    """A teacher whose requests all count to one stage of the accounting."""

    def __init__(self, teacher: Teacher, stage: str) -> None:
        self.name, self._teacher, self._stage = teacher.name, teacher, stage

    async def chat(self, request: Request) -> Reply:
        """Answer one request as the teacher does."""
        return await self._teacher.chat(replace(request, stage=self._stage))


def has_full_marks(rows: list[AnswerRow]) -> bool:
    """Return whether the majority of the gradings of one text gives every point."""
    points = [row["points"] for row in rows if row["points"] is not None]
    return bool(points) and all(sum(each) / len(points) > 0.5 for each in zip(*points, strict=True))


def who_grades(settings: EvaluateConfig, cells: list[HeldOutCell]) -> GraderName:
    """Return who grades the answers to the cells. Raises `ConfigError` for rules where a skill has none."""
    without_rule = can_be_graded_by_rule(cells)
    graded_by = settings.grader or ("model" if without_rule else "rule")
    if graded_by != "model" and without_rule:
        raise ConfigError(
            f"evaluate.grader: {graded_by}, but the skill {without_rule!r} has no rule; expected model, or "
            "evaluate.taxonomy: builtin:checkable"
        )
    return graded_by


def can_be_graded_by_rule(cells: list[HeldOutCell]) -> str | None:
    """Return the name of a skill that no rule decides, None if every skill has one."""
    for each in cells:
        if needs_model(each.cell):
            return next(skill.name for skill in each.cell.skills if skill.checker is None)
    return None


def _row(
    held_out: HeldOutCell,
    sample: Sample,
    grading: str,
    points: Points | None,
    model_points: Points | None = None,
    failure: str = "",
) -> AnswerRow:
    cell = held_out.cell
    return {
        "split": held_out.split,
        "combination": cell.key,
        "generation": sample.generation,
        "grading": grading,
        "k": cell.k,
        "points": _listed(points),
        "model_points": _listed(model_points),
        "skills": [skill.name for skill in cell.skills],
        "category": [skill.category for skill in cell.skills],
        "topic": cell.topic.name if cell.topic else "",
        "prompt": sample.instruction,
        "response": sample.response,
        "finish_reason": sample.finish_reason,
        "completion_tokens": sample.completion_tokens,
        "failure": failure,
    }


def _listed(points: Points | None) -> list[float] | None:
    if points is None:
        return None
    return [*(each.point for each in points.skills), points.on_topic, points.makes_sense, points.within_limit]
