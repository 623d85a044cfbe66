"""`report.html`: accepted and rejected rows with examples, and the cost of a run. One file without scripts."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.export.card.page import number, share
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import masked_row
from skillmill.data.files import write_atomic
from skillmill.data.records import SampleRow, text_of
from skillmill.filters.apply import explanation_of
from skillmill.filters.rows.safety import masker
from skillmill.flows.plan import Plan
from skillmill.flows.report.evaluation import evaluation_section
from skillmill.flows.report.loss_plot import loss_plots
from skillmill.flows.report.overlap import overlaps, shared_lines
from skillmill.flows.report.survey import Survey
from skillmill.flows.report.wording import cut, kept_row, pair_explanation
from skillmill.flows.runtime.progress import duration, money
from skillmill.flows.runtime.workspace import Workspace
from skillmill.teachers.middleware.accounting import Prices, StageUsage, total

# Text of a teacher is escaped wherever it enters the page.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_environment.filters |= {"text_of": text_of, "money": money, "duration": duration, "cut": cut, "kept_row": kept_row}
_environment.filters |= {"number": number, "share": share}
_environment.globals |= {"explanation": explanation_of, "pair_explanation": pair_explanation}


def write_report(workspace: Workspace, plan: Plan, state: dict[str, Any], survey: Survey) -> Path:
    """Write the report of a plan into `output_dir` and return its path.

    `state` is the content of `run.json`, `survey` that of the plan's rows. Raises `StoreError` if the rows cannot be
    read or the report cannot be written.
    """
    mask = masker(workspace.config.filters.safety)

    def examples(rows: list[SampleRow]) -> list[dict[str, object]]:
        return [{**masked_row(row, mask), "shared": shared_lines(row, mask)} for row in rows]

    used = {name: StageUsage(**stage) for name, stage in sorted((state.get("usage") or {}).items())}
    prices, wall_s = workspace.config.prices, (state.get("totals") or {}).get("wall_s", 0.0)
    page = _environment.get_template("report.html").render(
        name=workspace.config.name,
        state=state,
        teacher=plan.parts["teacher.model"],
        kind=workspace.config.generation.kind,
        plan=plan.fingerprint,
        funnel=survey.funnel,
        pairs=(state.get("funnel") or {}).get("pairs"),
        preference=(state.get("funnel") or {}).get("preference") or {},
        used=used,
        prices=prices,
        total=total(used.values()),
        wall_s=wall_s,
        comparison=predicted_and_actual(state.get("predicted"), used, prices, wall_s, survey.funnel),
        rejected=[(reason, count, share, examples(rows)) for reason, count, share, rows in survey.by_reason()],
        accepted=examples(survey.accepted),
        overlaps=overlaps(workspace.samples, plan.fingerprint, workspace.config.filters.contamination),
        space=sum(plan.combinations.space.values()),
        curves=(state.get("taxonomy") or {}).get("curves", {}),
        trainings=loss_plots(state),
        evaluation=evaluation_section(workspace.config.output),
    )
    path = workspace.config.output / "report.html"
    write_atomic(path, page.encode())
    return path


def predicted_and_actual(
    predicted: dict[str, Any] | None,
    used: dict[str, StageUsage],
    prices: Prices | None,
    wall_s: float,
    funnel: Funnel,
) -> list[tuple[str, str, str]]:
    """Return lines of (quantity, predicted, actual); none if nothing was predicted.

    `predicted` is the prediction in `run.json`; only the stages that it names count in the actual values.
    """
    if not predicted:
        return []
    bound = "at most " if predicted["acceptance"] is None else ""
    predicted_total = predicted["total"]
    actual = total(stage for name, stage in used.items() if name in predicted["stages"])
    least, most = predicted["cells_range"]
    span = "" if least == most else f" ({least:,} to {most:,})"
    lines = [("cells", f"{predicted['cells']:,}{span}", f"{funnel.cells:,}")]
    if predicted["acceptance"] is not None and funnel.cells:
        lines.append(("accepted", f"{predicted['acceptance']:.0%}", f"{funnel.accepted_cells / funnel.cells:.0%}"))
    lines.append(("calls, retries aside", f"{bound}{predicted_total['calls']:,}", f"{actual.calls - actual.retries:,}"))
    for key in ("prompt_tokens", "completion_tokens"):
        lines.append((key.replace("_", " "), f"{bound}{predicted_total[key]:,}", f"{getattr(actual, key):,}"))
    if prices is not None:
        lines.append(("money", bound + money(prices.of(StageUsage(**predicted_total))), money(prices.of(actual))))
    if predicted["seconds"] is not None:
        times = list(dict.fromkeys(map(duration, predicted["seconds"])))
        lines.append(("time at work", " to ".join(times), duration(wall_s)))
    return lines
