"""The report step: write `report.html` and the final status in `run.json`."""

from pathlib import Path

from skillmill.data.export.grading_counts import count_gradings
from skillmill.flows.config import Config
from skillmill.flows.plan import make_plan
from skillmill.flows.report.funnel import print_funnel
from skillmill.flows.report.page import write_report
from skillmill.flows.report.survey import survey
from skillmill.flows.runtime.remote_output import at_output
from skillmill.flows.runtime.run_json import update_run_json
from skillmill.flows.runtime.workspace import open_workspace, read_state
from skillmill.flows.steps.taxonomy import existing_taxonomy


@at_output
def report_step(config: Config, status: str | None, reason: str = "", show: bool = False) -> Path:
    """Write `report.html`, and `status` with its `reason` into `run.json` if given; return the path of the report.

    `show` also prints the counts on standard output.
    """
    plan = make_plan(config, existing_taxonomy(config))
    with open_workspace(config) as workspace:
        update_run_json(workspace, {"status": status, "reason": reason} if status else {})
        found = survey(workspace.samples, plan.fingerprint)
        counts = count_gradings(workspace.samples, workspace.grades, plan.fingerprint)
        found.funnel.gradings, found.funnel.unusable_gradings = counts.gradings, counts.unusable
        path = write_report(workspace, plan, read_state(config.output), found)
    if show:
        print_funnel(found)
    return path
