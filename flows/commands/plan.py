"""`skillmill plan`: print what a run will cost."""

from rich.console import Console
from rich.table import Table

from skillmill.flows.checks import check_settings
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan, make_plan
from skillmill.flows.predict import CHARS_PER_TOKEN, Prediction, known_sizes, predict, probe
from skillmill.flows.runtime.batch_settings import batched_models, without_batches
from skillmill.flows.runtime.progress import duration, money
from skillmill.flows.runtime.remote_output import reads_output
from skillmill.flows.steps.taxonomy import configured_taxonomy
from skillmill.teachers.middleware.accounting import Prices, StageUsage


@reads_output
def describe_plan(config: Config, probe_cells: int | None = None) -> None:
    """Print what the run of `config` will cost; with `probe_cells`, generate that many of its cells first."""
    check_settings(config)
    plan = make_plan(config, configured_taxonomy(config))
    sizes = probe(without_batches(config), plan, probe_cells) if probe_cells else known_sizes(config, plan)
    prediction = predict(sizes, config)
    console = Console(highlight=False)
    console.print(_cells(config, plan))
    console.print(_stages(prediction, config.prices))
    for line in _remarks(prediction, config):
        console.print(line, soft_wrap=True)


def _cells(config: Config, plan: Plan) -> Table:
    """Return a table of the plan's fingerprint, the number of possible cells for each k, and the targets."""
    generation = config.generation
    table = Table(show_header=False, box=None)
    table.add_row("plan", plan.fingerprint)
    for k, size in plan.combinations.space.items():
        table.add_row(f"cells with k = {k}", f"{size:,}")
    if generation.accepted is not None:
        table.add_row("accepted wanted", f"{generation.accepted:,}")
    table.add_row("cells at most", f"{generation.samples or plan.combinations.survivors:,}")
    return table


def _stages(prediction: Prediction, prices: Prices | None) -> Table:
    """Return a table of calls, tokens and, with `prices`, money for each stage."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("stage")
    for column in ("calls", "prompt tokens", "of them cached", "completion tokens", *(["money"] if prices else [])):
        table.add_column(column, justify="right")

    def add_row(name: str, stage: StageUsage, style: str = "") -> None:
        numbers = (stage.calls, stage.prompt_tokens, stage.cached_tokens, stage.completion_tokens)
        spent = [money(prices.of(stage))] if prices else []
        table.add_row(name, *(f"{number:,}" for number in numbers), *spent, style=style)

    for name, stage in prediction.stages.items():
        add_row(name, stage)
    add_row("total", prediction.total, "bold")
    return table


def _remarks(prediction: Prediction, config: Config) -> list[str]:
    """Return the lines below the table: what the figures rest on, and the time if a probe measured it."""
    cells = f"{prediction.cells:,} cells"
    if prediction.acceptance is None:
        condition = ""
        if config.generation.samples is None:
            condition = ", were every cell accepted: how many will be, nobody has asked"
        return [
            f"For {cells}{condition}. Nothing was asked of the teacher: every answer counts as long as max_tokens "
            f"allows, prompt tokens are characters / {CHARS_PER_TOKEN} of the prompts of a few cells.",
            "Time is not known; --probe asks a few rows and tells time, acceptance and real lengths.",
            *_batch_remarks(prediction, config),
        ]
    accepted = round(prediction.acceptance * prediction.measured_cells)
    least, most = prediction.cells_range
    span = "" if least == most else f" (between {least:,} and {most:,})"
    lines = [f"For {cells}{span}, going by {prediction.measured_cells} that were asked, {accepted} of them accepted."]
    if prediction.total.estimated_calls:
        lines.append(
            "The server reports no token counts: tokens and money are estimated from the lengths of the texts."
        )
    if not accepted and config.generation.accepted is not None:
        lines.append("None was accepted: the run may miss its target; preview shows why rows fall.")
    if batched_models(config):
        lines += _batch_remarks(prediction, config)
    elif prediction.seconds is not None:
        quick, slow = map(duration, prediction.seconds)
        many = f"with {config.teacher.max_in_flight} requests in flight"
        lines.append(
            f"Time: {quick} {many}."
            if quick == slow
            else f"Time: {quick} {many} if the teacher is then as quick as it was with the probe's, {slow} if not."
        )
    return lines


def _batch_remarks(prediction: Prediction, config: Config) -> list[str]:
    """Return what batches mean for time and money, [] without batches."""
    if not (models := batched_models(config)):
        return []
    sections = " and ".join(f"{model.section}.batch" for model in models)
    lines = [
        f"{sections}: at most {models[0].max_in_flight:,} requests are in batches at once. Each of the "
        f"{len(prediction.stages)} stages waits for its batch, minutes or up to a day."
    ]
    if config.prices is not None:
        lines.append("Money is by `prices`: give those of the batch API, which are mostly half of the others.")
    return lines
