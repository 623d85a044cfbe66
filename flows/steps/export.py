"""The export step: write the Hugging Face dataset folder of the current plan."""

import glob
import logging

from skillmill.data.export.card import CardFacts
from skillmill.data.export.dataset_folder import write_dataset_folder
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.sft_rows import AnswersByPlan
from skillmill.filters.rows.safety import masker
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.pairs import pairs_plan
from skillmill.flows.runtime.run_json import read_plan_note, update_run_json
from skillmill.flows.runtime.workspace import Workspace, open_workspace
from skillmill.flows.steps.filter import apply_new_overrides
from skillmill.flows.steps.pairs import STRESSED
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.build import teacher_name

log = logging.getLogger(__name__)


def export_step(config: Config) -> Funnel:
    """Write the dataset folder of the current plan without asking a teacher; return its counts."""
    taxonomy = existing_taxonomy(config)
    plan = make_plan(config, taxonomy)
    folder = config.output / "export"
    with open_workspace(config) as workspace:
        apply_new_overrides(workspace, plan)
        facts = CardFacts(
            name=config.name,
            kind=config.generation.kind,
            teacher=teacher_name(config.teacher),
            taxonomy=f"{taxonomy.name}: {len(taxonomy.skills)} skills",
            plans=[plan.fingerprint],
            pair_plans=[pairs_plan(plan, config)],
        )
        stores = (workspace.samples, workspace.pairs, workspace.grades)
        mask, stress = masker(config.filters.safety), _stress_answers(workspace, plan)
        funnel, checksum = write_dataset_folder(*stores, folder, facts, mask, stress)
        update_run_json(workspace, {"funnel": funnel.as_dict(), "export_sha256": checksum})
    log.info(
        f"export: {funnel.accepted_cells} sft rows, {funnel.pairs} pairs, {funnel.rejected_rows} rejected, in {folder}"
    )
    if glob.escape(str(folder)) != str(folder):
        log.warning(
            f"export: datasets.load_dataset cannot read {folder}, because it takes * ? [ ] in a path for patterns; "
            f"load a copy in a folder of another name (skillmill reads this one)"
        )
    return funnel


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
