"""The taxonomy step: what the run mixes, made once and then kept."""

import asyncio
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, configured_generator, make_plan
from skillmill.flows.rows.decide import load_rules
from skillmill.flows.runtime.loop import run
from skillmill.flows.runtime.progress import Pace, Progress, say
from skillmill.flows.runtime.run_json import remember
from skillmill.flows.runtime.workspace import Workspace, keep_usage, open_workspace
from skillmill.skill_taxonomy.extraction.asking import Curves
from skillmill.skill_taxonomy.extraction.context import read_context
from skillmill.skill_taxonomy.extraction.examples import read_examples, write_exemplars
from skillmill.skill_taxonomy.extraction.from_dataset import extract_from_dataset
from skillmill.skill_taxonomy.extraction.from_teacher import extract
from skillmill.skill_taxonomy.sources import ASKED, builtin
from skillmill.skill_taxonomy.taxonomy import Taxonomy, load_taxonomy, save_taxonomy
from skillmill.teachers.build import open_teacher
from skillmill.teachers.middleware.accounting import BudgetMet

EXEMPLARS = "taxonomy_examples.parquet"
"""Beside `taxonomy.yaml`: the examples of a dataset that it was made from, with the skills that each takes."""


def taxonomy_step(config: Config) -> Taxonomy:
    """The taxonomy of the run: the one that lies in `output_dir`, else made from its source and put there.

    One that a teacher named is kept whether or not the rest of the configuration fits it: who asks for more cells than
    it has is told by the plan, and has not lost it. Raises `BudgetMet` where the budget ends before the teacher has
    named it; its replies are in the journal.
    """
    path = config.output / "taxonomy.yaml"
    if path.exists():
        return load_taxonomy(path)
    source = config.taxonomy.source
    given = None if source in ASKED else configured_taxonomy(config)
    if given is None:
        configured_generator(config)  # complain before a teacher is asked
    else:
        make_plan(config, given)  # complain before anything is written
    with open_workspace(config) as workspace:
        load_rules(config)  # complain before a teacher is asked
        taxonomy = given or _extracted(workspace)
        save_taxonomy(taxonomy, path)
        remember(workspace, {})
    say(
        f"taxonomy: {len(taxonomy.skills)} skills, {len(taxonomy.topics)} topics, "
        f"{len(taxonomy.query_types)} query types from {source}, in {path}"
    )
    return taxonomy


def configured_taxonomy(config: Config) -> Taxonomy:
    """The taxonomy that lies in `output_dir` or that a file gives, without asking a teacher."""
    path, source = config.output / "taxonomy.yaml", config.taxonomy.source
    if path.exists():
        return load_taxonomy(path)
    if source.startswith("builtin:"):
        return builtin(source.removeprefix("builtin:"))
    if source in ASKED:
        raise ConfigError(f"taxonomy.source: {source} has not been asked yet, run `skillmill taxonomy extract` first")
    return load_taxonomy(Path(source))


def existing_taxonomy(config: Config) -> Taxonomy:
    path = config.output / "taxonomy.yaml"
    if not path.exists():
        raise SkillmillError(f"{config.output} holds no run yet: run `skillmill run` or `skillmill generate` first")
    return load_taxonomy(path)


def current_plan(config: Config) -> Plan:
    """The plan of the taxonomy in `output_dir`, which is made first where there is none."""
    return make_plan(config, taxonomy_step(config))


def _extracted(workspace: Workspace) -> Taxonomy:
    """The taxonomy out of the teacher or a dataset, with its curves in `run.json`, however it ends."""
    curves = Curves()
    with Progress("taxonomy") as progress:
        pace = Pace(workspace.usage)

        def tick() -> None:
            asked = next(reversed(curves), None)
            so_far = f"{asked}: {curves[asked][-1][1]} from {curves[asked][-1][0]} answers" if asked else "starting"
            progress.line(f"{so_far}, {pace.text()}")
            keep_usage(workspace)

        news: dict[str, Any] = {}
        try:
            return run(_extract(workspace, curves), tick)
        except BudgetMet as met:
            news = {"status": "partial", "reason": met.reason}
            raise
        finally:
            remember(workspace, {**news, "taxonomy": {"curves": curves}})


async def _extract(workspace: Workspace, curves: Curves) -> Taxonomy:
    config, settings = workspace.config, workspace.config.taxonomy
    teacher_of_run = open_teacher(config.teacher, workspace.journal, workspace.usage)
    asked = (config.teacher.sampling, config.seed)
    if settings.source == "teacher":
        context = read_context(settings)  # complain before an engine starts
        async with teacher_of_run as teacher:
            return await extract(settings, teacher, *asked, context, curves.note)
    examples = await asyncio.to_thread(read_examples, settings, config.seed, config.work / "datasets")
    async with teacher_of_run as teacher:
        taxonomy, labelled = await extract_from_dataset(settings, examples, teacher, *asked, curves.note)
    write_exemplars(config.output / EXEMPLARS, examples, labelled)
    return taxonomy
