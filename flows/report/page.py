"""`report.html`: where the rows fell and why, what it cost, what rows look like. One file, no scripts."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.export.card import number, share, table_cell
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.masking import masked_row
from skillmill.data.files import write_atomic
from skillmill.data.records import text_of
from skillmill.filters.rows.safety import masker
from skillmill.flows.plan import Plan
from skillmill.flows.report.funnel import Row, Survey, cut, meaning, repeated, why_dropped
from skillmill.flows.report.overlap import overlaps, shared_lines
from skillmill.flows.runtime.progress import duration, money
from skillmill.flows.runtime.workspace import Workspace
from skillmill.teachers.middleware.accounting import Prices, StageUsage, total

# Teacher text is data: everything that enters the page is escaped.
_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_environment.filters |= {"text_of": text_of, "money": money, "duration": duration, "cut": cut, "repeated": repeated}
_environment.filters |= {"number": number, "share": share}
_environment.globals |= {"meaning": meaning, "why_dropped": why_dropped}


def write_report(workspace: Workspace, plan: Plan, state: dict[str, Any], found: Survey) -> Path:
    """Write the report of the current plan, whose rows are `found`, into `output_dir` and return its path."""
    mask = masker(workspace.config.filters.safety)

    def shown(rows: list[Row]) -> list[Row]:
        return [masked_row(row, mask) | {"shared": shared_lines(row, mask)} for row in rows]

    used = {name: StageUsage(**stage) for name, stage in sorted((state.get("usage") or {}).items())}
    prices, wall_s = workspace.config.prices, (state.get("totals") or {}).get("wall_s", 0.0)
    page = _environment.get_template("report.html").render(
        name=workspace.config.name,
        state=state,
        teacher=plan.parts["teacher.model"],
        kind=workspace.config.generation.kind,
        plan=plan.fingerprint,
        funnel=found.funnel,
        pairs=(state.get("funnel") or {}).get("pairs"),
        preference=(state.get("funnel") or {}).get("preference") or {},
        used=used,
        prices=prices,
        total=total(used.values()),
        wall_s=wall_s,
        comparison=beside(state.get("predicted"), used, prices, wall_s, found.funnel),
        fallen=[(reason, count, share, shown(rows)) for reason, count, share, rows in found.fallen()],
        accepted=shown(found.accepted),
        overlaps=overlaps(workspace.samples, plan.fingerprint, workspace.config.filters.contamination),
        space=sum(plan.combinations.space.values()),
        curves=(state.get("taxonomy") or {}).get("curves", {}),
        losses={method: (state.get(f"train_{method}") or {}).get("losses", []) for method in ("sft", "dpo")},
    )
    path = workspace.config.output / "report.html"
    write_atomic(path, page.encode())
    return path


Line = tuple[str, str, str]


def beside(
    predicted: dict[str, Any] | None,
    used: dict[str, StageUsage],
    prices: Prices | None,
    wall_s: float,
    funnel: Funnel,
) -> list[Line]:
    """What was predicted and what it came to, as lines of (what, predicted, actual), over the stages predicted."""
    if not predicted:
        return []
    bound = "at most " if predicted["acceptance"] is None else ""
    whole = predicted["total"]
    actual = total(stage for name, stage in used.items() if name in predicted["stages"])
    least, most = predicted["cells_range"]
    span = "" if least == most else f" ({least:,} to {most:,})"
    lines = [("cells", f"{predicted['cells']:,}{span}", f"{funnel.cells:,}")]
    if predicted["acceptance"] is not None and funnel.cells:
        lines.append(("accepted", f"{predicted['acceptance']:.0%}", f"{funnel.accepted_cells / funnel.cells:.0%}"))
    lines.append(("calls, retries aside", f"{bound}{whole['calls']:,}", f"{actual.calls - actual.retries:,}"))
    for key in ("prompt_tokens", "completion_tokens"):
        lines.append((key.replace("_", " "), f"{bound}{whole[key]:,}", f"{getattr(actual, key):,}"))
    if prices is not None:
        lines.append(("money", bound + money(prices.of(StageUsage(**whole))), money(prices.of(actual))))
    if predicted["seconds"] is not None:
        times = list(dict.fromkeys(map(duration, predicted["seconds"])))
        lines.append(("time at work", " to ".join(times), duration(wall_s)))
    return lines


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
    # The reasons of a user's own filters are any text.
    lines += [f"| {table_cell(reason)} | {n} | {meaning(reason)} |" for reason, n in funnel["reasons"].items()]
    return "\n".join(lines)
