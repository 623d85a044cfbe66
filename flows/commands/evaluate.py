"""`skillmill evaluate`: Skill-Mix of a student and its baseline on cells that training has not seen."""

import logging
from dataclasses import dataclass
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.freed import freed_cells
from skillmill.data.store import ShardStore, sample_store
from skillmill.flows.commands.evaluate_asking import Examine, Models, ask, configured_grader
from skillmill.flows.commands.evaluate_instruct import InstructPart, check_instruct, evaluate_instruct
from skillmill.flows.config import Config
from skillmill.flows.runtime.progress import Progress
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import Workspace, open_workspace
from skillmill.flows.steps.report import report_step
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import Taxonomy
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import teacher_name
from skillmill.train.evaluation.answers import CellAnswers, Examiner, text_grader, text_grader_prompts, who_grades
from skillmill.train.evaluation.config import EvaluateConfig, GraderName
from skillmill.train.evaluation.held_out import HeldOutCell, held_out_cells
from skillmill.train.evaluation.model_card import write_on_card
from skillmill.train.evaluation.outputs import write_outputs
from skillmill.train.evaluation.result import Evaluation, evaluation_metrics
from skillmill.train.evaluation.students import Evaluated, find_students
from skillmill.train.evaluation.trained_on import TrainedOn, trained_on, training_sets
from skillmill.train.evaluation.training_tokens import training_tokens

log = logging.getLogger(__name__)

REPORT = "report.html"


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
    instruct: InstructPart | None

    @property
    def models(self) -> list[Evaluated]:
        """The student, and the baseline if there is one."""
        return [self.student, *([self.baseline] if self.baseline else [])]


@at_output
def run_evaluation(config: Config, student: str | None = None, baseline: str | None = None) -> dict[str, Any]:
    """Evaluate, write the folder `evaluate/` of `output_dir`, and return the content of `evaluate/metrics.json`.

    `student` and `baseline` replace those of the configuration. Requests that the journal has a reply for are not sent
    again. Raises `SkillmillError`; what is wrong with the settings is found before the first request.
    """
    settings = config.evaluate or EvaluateConfig()
    given = {"student": student, "baseline": baseline}
    settings = settings.model_copy(update={key: value for key, value in given.items() if value is not None})
    checked = _check(config, settings)
    with open_workspace(config, recover=False) as workspace, Progress("evaluate") as progress:
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
        metrics = evaluation_metrics(evaluation) | {"instruct": None}
        if checked.instruct:
            models = checked.models
            metrics["instruct"] = evaluate_instruct(workspace, progress, checked.instruct, models, settings)
        write_outputs(config.output, evaluation, metrics)
        if checked.student.folder is not None:
            write_on_card(checked.student.folder, metrics)
        update_run_json(workspace, {"evaluate": {"models": metrics["models"], "settings": metrics["settings"]}})
    if (config.output / REPORT).exists():
        report_step(config, status=None)
    return metrics


def held_out_of(
    config: Config, settings: EvaluateConfig, samples: ShardStore
) -> tuple[Taxonomy, TrainedOn, list[HeldOutCell]]:
    """Return the taxonomy of an evaluation, what training has seen of it, and the cells. Raises `ConfigError`."""
    taxonomy = _taxonomy(config, settings)
    plans = dict.fromkeys(shard.plan for shard in samples.shards)
    tried = samples.tables(plans, ["skills", "topic"])
    seen = trained_on(training_sets(config.train, config.output / "export"), tried, freed_cells(samples.root))
    return taxonomy, seen, held_out_cells(settings, taxonomy, seen, config.seed)


def _check(config: Config, settings: EvaluateConfig) -> Checked:
    taxonomy, seen, cells = held_out_of(config, settings, sample_store(config.output))
    graded_by = _graded_by(config, settings, cells)
    student, baseline = find_students(settings, config.output / "train", config.train.student if config.train else None)
    text_grader_prompts(settings)
    instruct = check_instruct(config, settings, [student, *([baseline] if baseline else [])])
    return Checked(settings, taxonomy, seen, cells, student, baseline, graded_by, instruct)


def _taxonomy(config: Config, settings: EvaluateConfig) -> Taxonomy:
    if settings.taxonomy is None:
        return configured_taxonomy(config)
    try:
        return source_taxonomy(TaxonomyConfig(source=settings.taxonomy))
    except ConfigError as error:
        raise ConfigError(f"evaluate.{error}") from None


def _graded_by(config: Config, settings: EvaluateConfig, cells: list[HeldOutCell]) -> GraderName:
    """Return who grades. Raises `ConfigError` if that is not possible."""
    graded_by = who_grades(settings, cells)
    if graded_by != "rule":
        configured_grader(config, f"evaluate.grader is {graded_by}")
    return graded_by


def _answers(workspace: Workspace, checked: Checked, model: Evaluated, progress: Progress) -> list[CellAnswers]:
    """Return the answers of one model to all cells, in their order."""
    settings = checked.settings
    grader_settings = workspace.config.grader if checked.graded_by != "rule" else None

    def examine_with(student: Teacher | None, teacher: Teacher | None) -> Examine[HeldOutCell, CellAnswers]:
        assert student is not None, "the student is opened for its answers"
        grader = None
        if teacher is not None and grader_settings is not None:
            grader = text_grader(settings, teacher, grader_settings.sampling)
        return Examiner(student, model.model.sampling, settings, checked.graded_by, grader).examine

    models = Models(model.model, grader_settings)
    answers = ask(workspace, progress, f"{model.role}: cells", models, checked.cells, examine_with)
    rows = [row for each in answers for row in each.rows]
    failed = [row for row in rows if row["points"] is None]
    if failed:
        why = next((row["failure"] for row in failed if row["failure"]), "the grader's reply could not be read")
        log.warning(
            f"warning: evaluate: {len(failed)} of {len(rows)} gradings of the {model.role} are missing and do not "
            f"count: {why}"
        )
    return answers
