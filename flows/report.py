"""`report.html`: where the rows fell and why, what it cost, what rows look like. One file, no scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.files import write_whole
from skillmill.data.reasons import Reason
from skillmill.data.records import text_of
from skillmill.flows.plan import Plan
from skillmill.flows.workspace import Workspace

EXAMPLES = 12

# Teacher text is data: everything that enters the page is escaped.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_environment.filters["text_of"] = text_of


def write_report(workspace: Workspace, plan: Plan, state: dict[str, Any]) -> Path:
    """Write the report of the current plan into `output_dir` and return its path."""
    rows = _rows(workspace, plan)
    examples: dict[str, list[dict[str, Any]]] = {"accepted": [], "rejected": []}
    for row in rows:
        if len(examples[row["verdict"]]) < EXAMPLES:
            examples[row["verdict"]].append(row)
        if all(len(found) == EXAMPLES for found in examples.values()):
            break
    funnel = state.get("funnel") or {}
    page = _environment.get_template("report.html").render(
        name=workspace.config.name,
        state=state,
        funnel=funnel,
        reasons={reason.value: reason.explanation for reason in Reason},
        examples=examples,
        space=sum(plan.combinations.space.values()),
        losses={method: (state.get(f"train_{method}") or {}).get("losses", []) for method in ("sft", "dpo")},
    )
    path = workspace.config.output / "report.html"
    write_whole(path, page.encode())
    return path


def funnel_markdown(funnel: dict[str, Any]) -> str:
    """The funnel as a Markdown table: what Prefect's artifact shows. No teacher text is in it."""
    lines = [
        "| | |",
        "|---|---|",
        f"| cells | {funnel['cells']} |",
        f"| rows | {funnel['rows']} |",
        f"| accepted rows | {funnel['accepted_rows']} |",
        f"| accepted cells (sft rows) | {funnel['accepted_cells']} |",
        f"| preference pairs | {funnel['pairs']} |",
        "",
        "| reason | rows | |",
        "|---|---|---|",
    ]
    explanations = {reason.value: reason.explanation for reason in Reason}
    lines += [f"| {reason} | {n} | {explanations.get(reason, '')} |" for reason, n in funnel["reasons"].items()]
    return "\n".join(lines)


def _rows(workspace: Workspace, plan: Plan) -> Iterator[dict[str, Any]]:
    for table in workspace.samples.tables([plan.fingerprint]):
        yield from table.to_pylist()
