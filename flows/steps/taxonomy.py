"""The taxonomy step: load or make the taxonomy of the run, once."""

import asyncio
import logging
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, configured_generator, make_plan
from skillmill.flows.rows.decide import load_rules
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.skill_taxonomy.extraction.saturation import Curves
from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.sources import TEACHER_SOURCES, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import Taxonomy
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import BudgetMet

log = logging.getLogger(__name__)

EXEMPLARS = "taxonomy_examples.parquet"
"""The file beside `taxonomy.yaml` with the examples of the dataset and the skills that each needs."""


@at_output
def taxonomy_step(config: Config) -> Taxonomy:
    """Return the taxonomy in `output_dir`; if there is none, make it from its source and save it there.

    An extracted taxonomy is saved even if the rest of the configuration does not fit it, because it was paid for.
    Raises `BudgetMet` if the budget ends during extraction; the replies so far are in the journal.
    """
    path = config.output / "taxonomy.yaml"
    if path.exists():
        return load_taxonomy(path)
    source = config.taxonomy.source
    known = None if source in TEACHER_SOURCES else configured_taxonomy(config)
    if known is None:
        configured_generator(config)  # raises before any request is sent
    else:
        make_plan(config, known)  # raises before anything is written
    with open_workspace(config) as workspace:
        load_rules(config)  # raises before any request is sent
        taxonomy = known or _extract_and_record(workspace)
        save_taxonomy(taxonomy, path)
        update_run_json(workspace, {})
    log.info(
        f"taxonomy: {len(taxonomy.skills)} skills, {len(taxonomy.topics)} topics, "
        f"{len(taxonomy.query_types)} query types from {source}, in {config.place(path)}"
    )
    return taxonomy


def configured_taxonomy(config: Config) -> Taxonomy:
    """Return the taxonomy in `output_dir`, of a file or of the built-in lists, without asking a teacher.

    Raises `ConfigError` if the source has to be extracted first.
    """
    path, source = config.output / "taxonomy.yaml", config.taxonomy.source
    if path.exists():
        return load_taxonomy(path)
    if source in TEACHER_SOURCES:
        raise ConfigError(f"taxonomy.source: {source} has not been asked yet, run `skillmill taxonomy extract` first")
    return source_taxonomy(config.taxonomy)


def existing_taxonomy(config: Config) -> Taxonomy:
    """Return the taxonomy in `output_dir`. Raises `SkillmillError` if there is no run yet."""
    path = config.output / "taxonomy.yaml"
    if not path.exists():
        raise SkillmillError(
            f"{config.place(config.output)} holds no run yet: run `skillmill run` or `skillmill generate` first"
        )
    return load_taxonomy(path)


def current_plan(config: Config) -> Plan:
    """Return the plan of the run; its taxonomy is made first if there is none."""
    return make_plan(config, taxonomy_step(config))


def _extract_and_record(workspace: Workspace) -> Taxonomy:
    """Extract the taxonomy; record its saturation curves in `run.json` however the extraction ends."""
    curves = Curves()
    with Progress("taxonomy") as progress:
        pace = Pace(workspace.usage)

        def tick() -> None:
            stage = next(reversed(curves), None)
            so_far = f"{stage}: {curves[stage][-1][1]} from {curves[stage][-1][0]} answers" if stage else "starting"
            progress.line(so_far, pace.text())
            keep_usage(workspace)

        changes: dict[str, Any] = {}
        try:
            return run(_extract(workspace, curves), tick)
        except BudgetMet as met:
            changes = {"status": "partial", "reason": met.reason}
            raise
        finally:
            update_run_json(workspace, {**changes, "taxonomy": {"curves": curves}})


async def _extract(workspace: Workspace, curves: Curves) -> Taxonomy:
    # Takes 20 ms, and most runs have a taxonomy.
    from skillmill.skill_taxonomy.extraction.context import read_context
    from skillmill.skill_taxonomy.extraction.examples import read_examples, write_labelled_examples
    from skillmill.skill_taxonomy.extraction.from_dataset import extract_from_dataset
    from skillmill.skill_taxonomy.extraction.from_teacher import extract

    config, settings = workspace.config, workspace.config.taxonomy
    teacher_of_run = open_teacher(config.teacher, workspace.journal, workspace.usage)
    how = (config.teacher.sampling, config.seed)
    if settings.source == "teacher":
        context = read_context(settings)  # raises before an engine starts
        async with teacher_of_run as teacher:
            return await extract(settings, teacher, *how, context, curves.add)
    examples = await asyncio.to_thread(read_examples, settings, config.seed, config.work / "datasets")
    async with teacher_of_run as teacher:
        taxonomy, labelled = await extract_from_dataset(settings, examples, teacher, *how, curves.add)
    write_labelled_examples(config.output / EXEMPLARS, examples, labelled)
    return taxonomy
