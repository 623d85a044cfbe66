"""Commands of the group `skillmill taxonomy`: extract, show, check, merge and split."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from skillmill.data.errors import ConfigError
from skillmill.flows.cli.options import (
    Columns,
    ConfigFile,
    InPlace,
    OutFile,
    Overrides,
    TaxonomyName,
    load,
    table_columns,
)


def extract(
    config: ConfigFile,
    source: Annotated[
        Literal["teacher", "dataset"] | None, typer.Option("--from", help="In place of taxonomy.source.")
    ] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="The subject, in any words.")] = None,
    overrides: Overrides = None,
) -> None:
    """Make output_dir/taxonomy.yaml from the configured source, a teacher or a dataset; run it again to continue.

    Example: skillmill taxonomy extract -c skillmill.yaml --from teacher --domain "Kubernetes operations"

    Example: skillmill taxonomy extract -c skillmill.yaml --from dataset --set taxonomy.dataset=tasks.jsonl
    """
    from skillmill.flows.runtime.remote_output import held_copy
    from skillmill.flows.steps.taxonomy import taxonomy_step

    options = {"taxonomy.source": source, "taxonomy.domain": domain}
    from_options = [f"{key}={json.dumps(value)}" for key, value in options.items() if value is not None]
    loaded = load(config, [*(overrides or []), *from_options])
    with held_copy(loaded):
        if (path := loaded.output / "taxonomy.yaml").exists():
            raise ConfigError(f"{loaded.place(path)} is already there; it is never overwritten")
        taxonomy_step(loaded)


def show(
    name: TaxonomyName,
    every: Annotated[bool, typer.Option("--all", help="Every skill with its definition.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="PAGE", help="Write a page instead.")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="DIR", help="An output_dir, to show coverage.")] = None,
    column: Columns = None,
) -> None:
    """Print a taxonomy as a tree, or write it as one self-contained page.

    The page has the hierarchy, counts, near-duplicates, findings, and with --run how often each skill occurs.

    Example: skillmill taxonomy show runs/demo/taxonomy.yaml --run runs/demo --html taxonomy.html
    """
    from skillmill.flows.commands.taxonomy_show import show_taxonomy

    show_taxonomy(name, every, html, run, table_columns(column))


def check(name: TaxonomyName, column: Columns = None) -> None:
    """Find duplicates, empty or circular definitions, odd names and more, each with its line.

    Exits with 1 if a finding is an error, with 0 if all are warnings.

    Example: skillmill taxonomy check runs/demo/taxonomy.yaml

    Example: skillmill taxonomy check skills_en.csv --column name=preferredLabel --column definition=description
    """
    from skillmill.flows.commands.taxonomy_show import check_taxonomy

    raise typer.Exit(check_taxonomy(name, table_columns(column)))


def merge(
    name: TaxonomyName,
    plan: Annotated[Path | None, typer.Option("--plan", metavar="PLAN", help="Write a plan to amend.")] = None,
    apply: Annotated[Path | None, typer.Option("--apply", metavar="PLAN", help="Merge as the plan says.")] = None,
    out: OutFile = None,
    in_place: InPlace = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="A sentence-transformers model, or lexical. Default: a small model if installed."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0, max=1, help="Lowest similarity of duplicates.", show_default=False),
    ] = None,
    column: Columns = None,
) -> None:
    """Merge duplicates in two steps: --plan writes what would be merged, --apply does it.

    Kept skills take the merged names as aliases. Comments in the file stay, except those inside merged entries.

    Example: skillmill taxonomy merge mine.yaml --plan plan.yaml

    Example: skillmill taxonomy merge mine.yaml --apply plan.yaml --out merged.yaml
    """
    from skillmill.flows.commands.taxonomy_edit import apply_merge_plan, write_merge_plan

    if (plan is None) == (apply is None):
        raise ConfigError("taxonomy merge: expected either --plan PLAN (to write it) or --apply PLAN")
    if plan is not None:
        write_merge_plan(name, plan, model, threshold, table_columns(column))
    elif apply is not None:
        apply_merge_plan(name, apply, out, in_place, table_columns(column))


def split(
    name: TaxonomyName,
    by: Annotated[Literal["category", "skill", "topic"], typer.Option("--by", help="The unit that is held out.")],
    test: Annotated[float, typer.Option("--test", min=0, max=1, help="Share held out for testing.")] = 0.0,
    validation: Annotated[float, typer.Option("--validation", min=0, max=1, help="Share for validation.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 42,
    hold: Annotated[list[str] | None, typer.Option("--hold", metavar="NAME", help="Hold this out; repeatable.")] = None,
    out: OutFile = None,
    in_place: InPlace = False,
    column: Columns = None,
) -> None:
    """Hold out skills or topics and record that in the file: training never draws them.

    Entries that are held out already stay held out and count towards the share. Run it by category and by topic for
    both.

    Example: skillmill taxonomy split builtin:language --by category --hold logical --test 0.3 --out mine.yaml

    Example: skillmill taxonomy split mine.yaml --by topic --test 0.5 --in-place
    """
    from skillmill.flows.commands.taxonomy_edit import split_taxonomy

    split_taxonomy(
        name, by, {"test": test, "validation": validation}, seed, hold or [], out, in_place, table_columns(column)
    )
