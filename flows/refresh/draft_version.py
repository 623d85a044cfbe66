"""The version that an export is about to make: which rows of which plans it has."""

from collections.abc import Sequence

from skillmill.data.versions import PlanRange, Version, Versions
from skillmill.flows.plan import Plan, changed_keys
from skillmill.flows.refresh.stored_plans import stored_parts
from skillmill.flows.rows.pairs import pairs_plan
from skillmill.flows.runtime.workspace import Workspace
from skillmill.teachers.build import teacher_name


def draft_version(
    workspace: Workspace,
    current: Sequence[Plan],
    versions: Versions,
    every_plan: bool,
    scheduled_time: str | None = None,
    note: str = "",
) -> Version:
    """Return the next version, without the counts and the checksum that only the export knows.

    It has the rows of the `current` plans, the first of which is that of the version, or, with `every_plan`, those of
    all plans in the directory. The plan of a former version keeps its place in the export.
    """
    config, last, plan = workspace.config, versions.current, current[0]
    before = last and stored_parts(config, last.plan)
    return Version.draft(
        versions.next_name,
        plan=plan.fingerprint,
        plans=_plan_ranges(workspace, current, versions, every_plan),
        taxonomy=plan.parts["taxonomy"],
        teacher=teacher_name(config.teacher),
        changed=changed_keys(before, plan),
        scheduled_time=scheduled_time,
        note=note,
    )


def exported_plans(workspace: Workspace, versions: Versions) -> list[str]:
    """Return the plans that have rows, those of former versions first, each in the order of its first rows."""
    former = (plan for version in versions.entries for plan in version.plans)
    stored = dict.fromkeys(shard.plan for shard in workspace.samples.shards)
    return [plan for plan in dict.fromkeys([*former, *stored]) if plan in stored]


def _plan_ranges(
    workspace: Workspace, current: Sequence[Plan], versions: Versions, every_plan: bool
) -> dict[str, PlanRange]:
    plan = current[0]
    plans = exported_plans(workspace, versions) if every_plan else [each.fingerprint for each in current]
    pairs = {name: part.pairs for version in versions.entries for name, part in version.plans.items()}
    pairs[plan.fingerprint] = pairs_plan(plan, workspace.config)
    return {name: PlanRange.of(workspace.samples.of_plan(name), pairs.get(name, "")) for name in plans}
