"""The export step: the dataset folder of the current plan."""

from skillmill.data.export.card import CardFacts
from skillmill.data.export.writing import Funnel, StressAnswers
from skillmill.data.export.writing import export as write_export
from skillmill.filters.rows.safety import hide
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.rows.pairs import pairs_plan
from skillmill.flows.runtime.progress import say
from skillmill.flows.runtime.run_json import noted, remember
from skillmill.flows.runtime.workspace import Workspace, open_workspace
from skillmill.flows.steps.filter import lay_overrides
from skillmill.flows.steps.pairs import STRESSED
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.teachers.build import teacher_name


def export_step(config: Config) -> Funnel:
    """Write the dataset folder of the current plan; asks nothing of a teacher."""
    taxonomy = existing_taxonomy(config)
    plan = make_plan(config, taxonomy)
    folder = config.output / "export"
    with open_workspace(config) as workspace:
        lay_overrides(workspace, plan)
        facts = CardFacts(
            name=config.name,
            kind=config.generation.kind,
            teacher=teacher_name(config.teacher),
            taxonomy=f"{taxonomy.name}: {len(taxonomy.skills)} skills",
            plans=[plan.fingerprint],
            pair_plans=[pairs_plan(plan, config)],
        )
        stores = (workspace.samples, workspace.pairs, workspace.grades)
        mask, stress = hide(config.filters.safety), _stress_answers(workspace, plan)
        funnel, checksum = write_export(*stores, folder, facts, mask, stress)
        remember(workspace, {"funnel": funnel.as_dict(), "export_sha256": checksum})
    say(f"export: {funnel.accepted_cells} sft rows, {funnel.pairs} pairs, {funnel.rejected_rows} rejected, in {folder}")
    return funnel


def _stress_answers(workspace: Workspace, plan: Plan) -> StressAnswers | None:
    """The stress set's answers of the plan; None, in one line, where one is wanted that nobody has asked for yet."""
    if workspace.config.export.stress is None:
        return None
    name = noted(workspace, STRESSED).get(plan.fingerprint)
    if name is None:
        say("export: no configuration `stress` yet: run `skillmill pairs` first, which asks for its answers")
        return None
    answers = (row for table in workspace.stress.tables([name]) for row in table.to_pylist())
    return {plan.fingerprint: answers}
