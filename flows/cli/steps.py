"""Commands that do one step of a run: generate, filter, pairs, export, report."""

import json
from typing import Annotated

import typer

from skillmill.data.errors import SkillmillError
from skillmill.flows.cli.options import ConfigFile, Overrides, load
from skillmill.flows.runtime.garbage import few_collections


@few_collections()
def generate(
    config: ConfigFile,
    overrides: Overrides = None,
    part: Annotated[
        str | None,
        typer.Option("--range", metavar="NUMBER/COUNT", help="Only this range of the cells, to be merged later."),
    ] = None,
) -> None:
    """Generate rows and decide them, up to the target.

    Example: skillmill generate -c skillmill.yaml --set generation.samples=1000

    On many machines: skillmill generate -c skillmill.yaml --range 3/8, then skillmill merge.
    """
    from skillmill.flows.checks import check_settings
    from skillmill.flows.ranges.split import Range
    from skillmill.flows.steps.generate import generate_range, generate_step

    where = None if part is None else Range.parse(part)
    check_settings(loaded := load(config, overrides))
    outcome = generate_step(loaded) if where is None else generate_range(loaded, where)
    if outcome.missed:
        raise SkillmillError(outcome.missed)


def merge(config: ConfigFile, overrides: Overrides = None) -> None:
    """Put the ranges that `generate --range` made into one run; sends no request.

    Example: skillmill merge -c skillmill.yaml
    """
    from skillmill.flows.ranges.merge import merge_ranges

    merged = merge_ranges(load(config, overrides))
    print(f"merged {merged['ranges']} ranges: {merged['cells']} cells, {merged['accepted']} accepted")


def filter_rows(config: ConfigFile, overrides: Overrides = None) -> None:
    """Decide stored rows again by the current filters, grading and overrides.jsonl; generates nothing.

    Sends no requests, except to a grader, if grading is switched on, about rows that it has not graded yet.

    Example: skillmill filter -c skillmill.yaml --set filters.too_short.min_words=40
    """
    from skillmill.flows.steps.filter import filter_step

    filter_step(load(config, overrides))


def pairs(config: ConfigFile, overrides: Overrides = None) -> None:
    """Make preference pairs for the accepted rows.

    Example: skillmill pairs -c skillmill.yaml --set 'pairs.sources=[brevity, junk]'
    """
    from skillmill.flows.steps.pairs import pairs_step

    pairs_step(load(config, overrides))


def export(
    config: ConfigFile,
    overrides: Overrides = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", metavar="NAME", help="Also write alpaca, sharegpt, openai or json files; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json: rows as JSON Lines.")] = False,
) -> None:
    """Write the Hugging Face dataset folder; sends no request to the teacher.

    The formats are added to those of export.formats; their files are in export/formats.

    Example: skillmill export -c skillmill.yaml --format alpaca --json
    """
    from skillmill.flows.steps.export import export_step

    loaded = load(config, overrides)
    if added := [*(formats or []), *(["json"] if as_json else [])]:
        names = json.dumps([*loaded.export.formats, *added])
        loaded = load(config, [*(overrides or []), f"export.formats={names}"])
    export_step(loaded)


def report(config: ConfigFile, overrides: Overrides = None) -> None:
    """Write report.html from the files in output_dir, and print how many rows each reason rejected.

    Example: skillmill report -c skillmill.yaml
    """
    from skillmill.flows.steps.report import report_step

    loaded = load(config, overrides)
    print(loaded.place(report_step(loaded, None, show=True)))
