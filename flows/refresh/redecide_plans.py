"""Decide the stored rows of all plans again if filters, grading or overrides changed."""

import logging

from skillmill.data.versions import read_versions
from skillmill.flows.config import Config
from skillmill.flows.refresh.draft_version import exported_plans
from skillmill.flows.refresh.stored_plans import stored_plan
from skillmill.flows.runtime.progress import Progress
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.filter import apply_new_overrides, redecide_if_changed
from skillmill.flows.steps.taxonomy import current_plan

log = logging.getLogger(__name__)


def redecide_plans(config: Config) -> None:
    """Decide the rows of each plan again by the current settings, the plan with the first rows first.

    The rows of a plan that an earlier version of skillmill made keep their verdicts, with a warning.
    """
    current = current_plan(config)
    with open_workspace(config) as workspace, Progress("filter") as progress:
        for name in exported_plans(workspace, read_versions(config.output)):
            plan = current if name == current.fingerprint else stored_plan(config, name)
            if plan is None:
                log.warning(
                    f"filter: plan {name[:8]} is of an earlier version of skillmill, its rows keep their verdicts"
                )
            else:
                redecide_if_changed(workspace, plan, progress)
                apply_new_overrides(workspace, plan)
