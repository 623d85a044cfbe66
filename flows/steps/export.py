"""The export step: the dataset folder of the current plan."""

from skillmill.data.export import CardFacts, Funnel
from skillmill.data.export import export as write_export
from skillmill.filters.safety import hide
from skillmill.flows.config import Config
from skillmill.flows.pairs import pairs_plan
from skillmill.flows.plan import make_plan
from skillmill.flows.progress import say
from skillmill.flows.steps.filter import lay_overrides
from skillmill.flows.steps.state import remember
from skillmill.flows.steps.taxonomy import existing_taxonomy
from skillmill.flows.workspace import open_workspace
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
            pair_plans=[pairs_plan(plan, config.pairs)],
        )
        stores = (workspace.samples, workspace.pairs, workspace.grades)
        funnel, checksum = write_export(*stores, folder, facts, hide(config.filters.safety))
        remember(workspace, {"funnel": funnel.as_dict(), "export_sha256": checksum})
    say(f"export: {funnel.accepted_cells} sft rows, {funnel.pairs} pairs, {funnel.rejected_rows} rejected, in {folder}")
    return funnel
