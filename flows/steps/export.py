"""The export step: write the Hugging Face dataset folder and record its version."""

import asyncio
import glob
import logging
from collections.abc import Callable, Sequence

from skillmill.data.export.dataset_folder import Exported, write_dataset_folder
from skillmill.data.export.sft_rows import AnswersByPlan
from skillmill.data.versions import adopt_exported
from skillmill.filters.rows.safety import masker
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.refresh.draft_version import draft_version, exported_plans
from skillmill.flows.refresh.stored_plans import stored_plan
from skillmill.flows.rows.thinking import refill_plans
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import read_plan_note, update_run_json
from skillmill.flows.runtime.workspace import Workspace, open_workspace
from skillmill.flows.steps.card_facts import card_facts
from skillmill.flows.steps.filter import apply_new_overrides
from skillmill.flows.steps.pairs import STRESSED
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.middleware.accounting import StageUsage

log = logging.getLogger(__name__)


@at_output
def export_step(
    config: Config, every_plan: bool = False, scheduled_time: str | None = None, note: str = ""
) -> Exported:
    """Write the dataset folder without asking a teacher, and record a version if its rows are new.

    It has the rows of the current plan, or with `every_plan`, as in a refresh, those of all plans. `scheduled_time` and
    `note` are those of the refresh.
    """
    taxonomy = existing_taxonomy(config)
    plan = make_plan(config, taxonomy)
    folder = config.output / "export"
    with open_workspace(config) as workspace:
        plans = [plan] if config.generation.test is None else [plan, make_plan(config.held_out, taxonomy)]
        for each in plans:
            apply_new_overrides(workspace, each)
        versions = adopt_exported(config.output)
        if config.export.thinking != "drop":
            _refill(workspace, plans, exported_plans(workspace, versions) if every_plan else ())
        draft = draft_version(workspace, plans, versions, every_plan, scheduled_time, note)
        exported = write_dataset_folder(
            workspace.samples,
            workspace.pairs,
            workspace.grades,
            folder,
            card_facts(config, taxonomy, tuple(draft.plans)),
            versions,
            draft,
            masker(config.filters.safety),
            _stress_answers(workspace, plan),
            config.export.validation,
            _price(config),
            config.export.formats,
            config.export.thinking,
        )
        adopt_exported(config.output)
        funnel, version = exported.funnel, exported.version
        update_run_json(workspace, {"funnel": funnel.as_dict(), "export_sha256": version.export_sha256})
    name = version.version if exported.is_new else f"{version.version}, as before"
    log.info(
        f"export: {funnel.accepted_cells} sft rows, {funnel.pairs} pairs, {funnel.rejected_rows} rejected, "
        f"in {config.place(folder)} ({name})"
    )
    if glob.escape(config.place(folder)) != config.place(folder):
        log.warning(
            f"export: datasets.load_dataset cannot read {folder}, because it takes * ? [ ] in a path for patterns; "
            f"load a copy in a folder of another name (skillmill reads this one)"
        )
    return exported


def _refill(workspace: Workspace, plans: Sequence[Plan], others: Sequence[str]) -> None:
    """Fill in the thinking of rows of an earlier version, of the given plans and of others by their fingerprints."""
    known = {each.fingerprint: each for each in plans}

    def plan_of(name: str) -> Plan | None:
        return known.get(name) or stored_plan(workspace.config, name)

    if filled := asyncio.run(refill_plans(workspace, dict.fromkeys([*known, *others]), plan_of)):
        log.info(f"export: the thinking of {filled} rows of an earlier version filled in from the journal")


def _price(config: Config) -> Callable[[int, int], float] | None:
    prices = config.prices
    if prices is None:
        return None
    return lambda prompt, completion: prices.of(StageUsage(prompt_tokens=prompt, completion_tokens=completion))


def _stress_answers(workspace: Workspace, plan: Plan) -> AnswersByPlan | None:
    """Return the replacements of the plan's stress set; None, with a message, if none were requested yet."""
    if workspace.config.export.stress is None:
        return None
    name = read_plan_note(workspace, STRESSED).get(plan.fingerprint)
    if name is None:
        log.info("export: no configuration `stress` yet: run `skillmill pairs` first, which asks for its answers")
        return None
    answers = (row for table in workspace.stress.tables([name]) for row in table.to_pylist())
    return {plan.fingerprint: answers}
