"""The instruct part of `skillmill evaluate`: answers to held-out instructions of the export against its own answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skillmill.data.errors import ConfigError
from skillmill.data.files import store_errors, sync, temporary_path
from skillmill.flows.commands.evaluate_asking import Examine, Models, ask, configured_grader
from skillmill.flows.config import Config
from skillmill.flows.runtime.progress import Progress
from skillmill.flows.runtime.workspace import Workspace
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.teachers.base import Teacher
from skillmill.teachers.build import teacher_name
from skillmill.teachers.config import TeacherConfig
from skillmill.train.evaluation.answers import text_grader
from skillmill.train.evaluation.config import EvaluateConfig
from skillmill.train.evaluation.instruct.answers import INSTRUCT_SCHEMA, REFERENCE, InstructExaminer, InstructRow
from skillmill.train.evaluation.instruct.config import InstructConfig
from skillmill.train.evaluation.instruct.items import InstructItem, held_out_items
from skillmill.train.evaluation.instruct.judge import Judge, judge_prompts
from skillmill.train.evaluation.instruct.metrics import instruct_metrics
from skillmill.train.evaluation.outputs import FOLDER
from skillmill.train.evaluation.skill_mix_metrics import Bootstrap
from skillmill.train.evaluation.students import Evaluated

INSTRUCT_FILE = "instruct.parquet"


@dataclass(frozen=True)
class InstructPart:
    """An instruct evaluation whose settings are checked."""

    settings: InstructConfig
    items: list[InstructItem]
    grader: TeacherConfig


def check_instruct(config: Config, settings: EvaluateConfig, models: Sequence[Evaluated]) -> InstructPart | None:
    """Return the instruct part, None if it is not configured.

    Raises `ConfigError` before the first request: for no grader, a grader that is one of the `models`, prompts that
    cannot be used, or no held-out rows.
    """
    if settings.instruct is None:
        return None
    grader = configured_grader(config, "evaluate.instruct compares answers with it")
    for model in models:
        if _identity(model.model) == _identity(grader):
            raise ConfigError(
                f"grader: is the {model.role} {teacher_name(grader)!r}, and evaluate.instruct compares its answers; "
                "expected another model"
            )
    skills = {skill.name: skill for skill in configured_taxonomy(config).skills}
    instruct = settings.instruct
    items = held_out_items(config.output / "export", instruct.splits, instruct.samples, config.seed, skills)
    judge_prompts(instruct.prompts)
    return InstructPart(instruct, items, grader)


def _identity(model: TeacherConfig) -> tuple[str, str, str | None]:
    return model.kind, teacher_name(model), model.base_url


def evaluate_instruct(
    workspace: Workspace, progress: Progress, part: InstructPart, models: list[Evaluated], settings: EvaluateConfig
) -> dict[str, Any]:
    """Ask, write `evaluate/instruct.parquet`, and return the metrics {role: {split: metrics}}."""
    rows: list[InstructRow] = []
    for model in models:
        sampled = model.model.model_copy(update={"sampling": part.settings.sampling})
        rows += _rows(workspace, progress, part, settings, model.role, sampled)
    rows += _rows(workspace, progress, part, settings, REFERENCE, None)
    path = workspace.config.output / FOLDER / INSTRUCT_FILE
    with store_errors(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=INSTRUCT_SCHEMA), temporary_path(path), compression="zstd")
        sync(temporary_path(path))
        temporary_path(path).replace(path)
    return instruct_metrics(rows, Bootstrap(settings.bootstrap))


def _rows(
    workspace: Workspace,
    progress: Progress,
    part: InstructPart,
    settings: EvaluateConfig,
    role: str,
    model: TeacherConfig | None,
) -> list[InstructRow]:
    def examine_with(student: Teacher | None, grader: Teacher | None) -> Examine[InstructItem, InstructRow]:
        assert grader is not None, "the grader is opened for every role"
        judge = Judge(grader, part.grader.sampling, judge_prompts(part.settings.prompts))
        grades = text_grader(settings, grader, part.grader.sampling) if part.settings.grade else None
        return InstructExaminer(role, student, part.settings.sampling, judge, grades).examine

    return ask(workspace, progress, f"{role}: instructions", Models(model, part.grader), part.items, examine_with)
