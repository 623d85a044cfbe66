"""`skillmill evaluate`: Skill-Mix of a student and its baseline on cells that training has not seen."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError
from skillmill.filters.grading.grade import Grader
from skillmill.flows.config import Config
from skillmill.flows.rows.grading import grader_config
from skillmill.flows.runtime.in_order import in_order, rows_at_once
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import Taxonomy
from skillmill.teachers.build import check_teacher, close_engines, open_teacher, teacher_name
from skillmill.teachers.engines import TRANSFORMERS
from skillmill.train.evaluation.answers import CellAnswers, Examiner, can_be_graded_by_rule
from skillmill.train.evaluation.config import EvaluateConfig, GraderName
from skillmill.train.evaluation.held_out import HeldOutCell, held_out_cells
from skillmill.train.evaluation.outputs import FOLDER, METRICS_FILE, write_outputs
from skillmill.train.evaluation.result import Evaluation, evaluation_metrics
from skillmill.train.evaluation.students import Evaluated, find_students
from skillmill.train.evaluation.trained_on import TrainedOn, trained_on
from skillmill.train.evaluation.training_tokens import training_tokens

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checked:
    """An evaluation whose settings, models and cells are checked, before the first request."""

    settings: EvaluateConfig
    taxonomy: Taxonomy
    seen: TrainedOn
    cells: list[HeldOutCell]
    student: Evaluated
    baseline: Evaluated | None
    graded_by: GraderName

    @property
    def models(self) -> list[Evaluated]:
        """The student, and the baseline if there is one."""
        return [self.student, *([self.baseline] if self.baseline else [])]


def run_evaluation(config: Config, student: str | None = None, baseline: str | None = None) -> dict[str, Any]:
    """Evaluate, write the folder `evaluate/` of `output_dir`, and return the content of `evaluate/metrics.json`.

    `student` and `baseline` replace those of the configuration. Requests that the journal has a reply for are not sent
    again. Raises `SkillmillError`; what is wrong with the settings is found before the first request.
    """
    settings = config.evaluate or EvaluateConfig()
    given = {"student": student, "baseline": baseline}
    settings = settings.model_copy(update={key: value for key, value in given.items() if value is not None})
    with open_workspace(config, recover=False) as workspace, Progress("evaluate") as progress:
        checked = _check(workspace, settings)
        answers = [_answers(workspace, checked, model, progress) for model in checked.models]
        evaluation = Evaluation(
            settings=settings,
            taxonomy=checked.taxonomy,
            seen=checked.seen,
            graded_by=checked.graded_by,
            names=[teacher_name(model.model) for model in checked.models],
            answers=answers,
            training_tokens=training_tokens(checked.student.folder) if checked.student.folder else None,
            seed=config.seed,
        )
        metrics = evaluation_metrics(evaluation)
        write_outputs(config.output, evaluation, metrics)
        update_run_json(workspace, {"evaluate": {"models": metrics["models"], "settings": metrics["settings"]}})
    return metrics


def read_metrics(output: Path) -> dict[str, Any] | None:
    """Return the metrics of the last evaluation of a run, None if there is none."""
    try:
        metrics: dict[str, Any] = orjson.loads((output / FOLDER / METRICS_FILE).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return metrics


def _check(workspace: Workspace, settings: EvaluateConfig) -> Checked:
    config = workspace.config
    taxonomy = _taxonomy(config, settings)
    trained = config.train
    sft = trained.sft if trained else None
    plans = dict.fromkeys(shard.plan for shard in workspace.samples.shards)
    tried = workspace.samples.tables(plans, ["skills", "topic"])
    seen = trained_on(config.output / "export", tried, sft.dataset if sft else "sft")
    cells = held_out_cells(settings, taxonomy, seen, config.seed)
    graded_by = _graded_by(config, settings, cells)
    student, baseline = find_students(settings, config.output / "train", trained.student if trained else None)
    return Checked(settings, taxonomy, seen, cells, student, baseline, graded_by)


def _taxonomy(config: Config, settings: EvaluateConfig) -> Taxonomy:
    if settings.taxonomy is None:
        return configured_taxonomy(config)
    try:
        return source_taxonomy(TaxonomyConfig(source=settings.taxonomy))
    except ConfigError as error:
        raise ConfigError(f"evaluate.{error}") from None


def _graded_by(config: Config, settings: EvaluateConfig, cells: list[HeldOutCell]) -> GraderName:
    """Return who grades. Raises `ConfigError` if that is not possible."""
    without_rule = can_be_graded_by_rule(cells)
    graded_by = settings.grader or ("model" if without_rule else "rule")
    if graded_by != "model" and without_rule:
        raise ConfigError(
            f"evaluate.grader: {graded_by}, but the skill {without_rule!r} has no rule; expected model, or "
            "evaluate.taxonomy: builtin:checkable"
        )
    if graded_by != "rule":
        if config.grader is None:
            raise ConfigError(
                f"grader: missing, and evaluate.grader is {graded_by}; expected a model that grades, such as "
                "{kind: openai, base_url: …, model: …}"
            )
        check_teacher(config.grader)
    return graded_by


def _quiet(model: Evaluated) -> AbstractContextManager[None]:
    """Return the context without progress bars of transformers; importing it takes seconds, which others need not."""
    if model.model.kind != TRANSFORMERS:
        return nullcontext()
    from skillmill.train.quiet import offline_and_quiet

    return offline_and_quiet()


def _answers(workspace: Workspace, checked: Checked, model: Evaluated, progress: Progress) -> list[CellAnswers]:
    """Return the answers of one model to all cells, in their order."""
    answers: list[CellAnswers] = []
    pace = Pace(workspace.usage)
    done = 0

    def finished(_: CellAnswers) -> None:
        nonlocal done
        done += 1
        pace.at((done, len(checked.cells)))

    def tick() -> None:
        progress.line(f"{model.role}: {done} of {len(checked.cells)} cells", pace.text())
        keep_usage(workspace)

    pace.at((0, len(checked.cells)))
    try:
        with _quiet(model):
            run(_ask_all(workspace, checked, model, answers, finished), tick)
    finally:
        keep_usage(workspace)
        close_engines()  # the next model needs the memory
    failed = [row for each in answers for row in each.rows if row["points"] is None]
    if failed:
        why = next((row["failure"] for row in failed if row["failure"]), "the grader's reply could not be read")
        log.warning(
            f"warning: evaluate: {len(failed)} of {sum(len(each.rows) for each in answers)} gradings of the "
            f"{model.role} are missing and do not count: {why}"
        )
    return answers


async def _ask_all(
    workspace: Workspace,
    checked: Checked,
    model: Evaluated,
    answers: list[CellAnswers],
    finished: Callable[[CellAnswers], None],
) -> None:
    settings, shared = checked.settings, (workspace.journal, workspace.usage)
    async with (
        open_teacher(model.model, *shared) as teacher,
        _open_grader(workspace, checked) as grader,
    ):
        examiner = Examiner(teacher, model.model.sampling, settings, checked.graded_by, grader)
        at_once = rows_at_once(model.model.max_in_flight)
        if grader is not None:
            at_once += rows_at_once(grader_config(workspace.config).max_in_flight)
        cells = in_order(checked.cells, examiner.examine, at_once, lead=len(checked.cells), finished=finished)
        async with aclosing(cells):
            async for each in cells:
                answers.append(each)


@asynccontextmanager
async def _open_grader(workspace: Workspace, checked: Checked) -> AsyncIterator[Grader | None]:
    if checked.graded_by == "rule":
        yield None
        return
    config = grader_config(workspace.config)
    async with open_teacher(config, workspace.journal, workspace.usage) as teacher:
        yield Grader(teacher, config.sampling, checked.settings.runs, checked.settings.rubric)
