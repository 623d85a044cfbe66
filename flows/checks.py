"""Checks before the first request of a run: a fault that would end a later step ends the command at once, in one line.

The steps check what they use themselves before their first request; `check_settings` and `check_run` check the rest.
"""

import asyncio
from importlib.util import find_spec

from skillmill.data.errors import ConfigError
from skillmill.filters.grading.rubric import grading_prompts
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, configured_generator, make_plan
from skillmill.flows.rows.grading import asks_a_model, grader_config
from skillmill.flows.rows.pairs import pair_models
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.skill_taxonomy.sources import TEACHER_SOURCES
from skillmill.teachers.build import check_teacher, reach_teacher
from skillmill.teachers.config import TeacherConfig


def check_settings(config: Config) -> None:
    """Check the settings of the filters, of all models and of the runner, without starting or asking a model.

    Raises `ConfigError` or `TeacherError` that names the key.
    """
    for model in [config.teacher, *_later_models(config)]:
        check_teacher(model)
    grading_prompts(config.grading.prompts)
    if config.runner.kind != "local":
        from skillmill.flows.ranges.cluster import check_cluster  # imports Prefect, which takes seconds

        check_cluster(config)
    if config.filters.shirker.enabled and config.filters.shirker.model:
        from skillmill.filters.shirker.model import load_model  # imports numpy

        load_model(config.filters.shirker.model)
    near = config.filters.near_duplicates
    if near.enabled and near.semantic and find_spec("sentence_transformers") is None:
        raise ConfigError(
            "filters.near_duplicates.semantic: sentence-transformers is not installed: pip install "
            "'skillmill[embeddings]'"
        )


def check_run(config: Config) -> None:
    """Check all that a whole run needs: `check_settings`, `train`, publishing, and that later models' servers answer.

    Servers are asked only before the first row is stored, because a run that goes on may not need them any more.
    Raises `ConfigError`, `StoreError` or `TeacherError` that names the key.
    """
    plan = _check_plan(config)
    check_settings(config)
    if config.train is not None:
        from skillmill.train.check import check_train  # takes 45 ms, and most commands train nothing

        check_train(config.train, config.output / "train")
    if config.export.repo_id is not None:
        from skillmill.flows.commands.publish import check_publishing  # huggingface_hub takes a second to import

        check_publishing(config)
    if not (config.output / "manifest.jsonl").exists():
        for model in _later_models(config, plan):
            asyncio.run(reach_teacher(model, config.work))


def _check_plan(config: Config) -> Plan | None:
    """Return the plan; None, after a check of what is known, if the teacher is to be asked for the taxonomy."""
    is_asked_for = config.taxonomy.source in TEACHER_SOURCES and not (config.output / "taxonomy.yaml").exists()
    if not is_asked_for:
        taxonomy = configured_taxonomy(config)
        if config.generation.test is not None:
            make_plan(config.held_out, taxonomy)
        return make_plan(config, taxonomy)
    configured_generator(config)
    if config.taxonomy.source == "teacher":
        from skillmill.skill_taxonomy.extraction.context import read_context  # as in `steps.taxonomy`

        read_context(config.taxonomy)
    return None


def _later_models(config: Config, plan: Plan | None = None) -> list[TeacherConfig]:
    """Return the models that are opened after the teacher, each section once.

    The grader is left out if every skill of the plan has a rule.
    """
    is_asked = config.grading.when != "never" if plan is None else asks_a_model(config, plan)
    models = [grader_config(config)] if is_asked else []
    models += pair_models(config).values()
    by_section = {model.section: model for model in models if model.section != config.teacher.section}
    return list(by_section.values())
