"""`skillmill taxonomy …`: look at, check, merge and split a taxonomy file. `extract` is in `cli.py`, with the runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from skillmill.data.errors import ConfigError

taxonomy_app = typer.Typer(no_args_is_help=True, help="Make, look at, check, merge and split a skill taxonomy.")

TaxonomyName = Annotated[str, typer.Argument(metavar="FILE", help="A taxonomy file, or builtin:NAME.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file for the result.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Change the file itself.")]


@taxonomy_app.command("show")
def show(
    name: TaxonomyName,
    every: Annotated[bool, typer.Option("--all", help="Every skill with its definition.")] = False,
    html: Annotated[Path | None, typer.Option("--html", metavar="PAGE", help="Write a page instead.")] = None,
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="An output_dir, to show coverage.")] = None,
) -> None:
    """Print a taxonomy as a tree, or write it as one self-contained page.

    The page has the hierarchy, counts, near-duplicates, findings, and with --run how often each skill occurs.

    Example: skillmill taxonomy show runs/demo/taxonomy.yaml --run runs/demo --html taxonomy.html
    """
    from skillmill.flows.commands.show_taxonomy import coverage_of, print_tree, taxonomy_of

    taxonomy, _ = taxonomy_of(name, duplicates=True)
    coverage = coverage_of(run) if run else None
    if html is None:
        print_tree(taxonomy, every, coverage)
        return
    from skillmill.flows.report.taxonomy_page import write_page

    write_page(taxonomy, coverage, html)
    print(html)


@taxonomy_app.command("check")
def check(name: TaxonomyName) -> None:
    """Find duplicates, empty or circular definitions, odd names and more, each with its line.

    Exit 1 where one is an error, 0 with warnings alone.

    Example: skillmill taxonomy check runs/demo/taxonomy.yaml
    """
    from skillmill.flows.commands.show_taxonomy import check_taxonomy

    raise typer.Exit(check_taxonomy(name))


@taxonomy_app.command("merge")
def merge(
    name: TaxonomyName,
    plan: Annotated[Path | None, typer.Option("--plan", metavar="PLAN", help="Write a plan to amend.")] = None,
    apply: Annotated[Path | None, typer.Option("--apply", metavar="PLAN", help="Do what the plan says.")] = None,
    out: Out = None,
    in_place: InPlace = False,
    model: Annotated[
        str | None,
        typer.Option("--model", help="A sentence-transformers model, or lexical. Default: a small model if installed."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", min=0, max=1, help="Similar from here on.", show_default=False)
    ] = None,
) -> None:
    """Merge duplicates in two steps: --plan writes what would be merged, --apply does it.

    Kept skills take the merged names as aliases. Comments in the file stay, but for those inside merged entries.

    Example: skillmill taxonomy merge mine.yaml --plan plan.yaml

    Example: skillmill taxonomy merge mine.yaml --apply plan.yaml --out merged.yaml
    """
    from skillmill.flows.commands.edit_taxonomy import apply_merge_plan, write_merge_plan

    if (plan is None) == (apply is None):
        raise ConfigError("taxonomy merge: expected either --plan PLAN (to write it) or --apply PLAN")
    if plan is not None:
        write_merge_plan(name, plan, model, threshold)
    elif apply is not None:
        apply_merge_plan(name, apply, out, in_place)


@taxonomy_app.command("split")
def split(
    name: TaxonomyName,
    by: Annotated[Literal["category", "skill", "topic"], typer.Option("--by", help="What is held out whole.")],
    test: Annotated[float, typer.Option("--test", min=0, max=1, help="Share held out for testing.")] = 0.0,
    validation: Annotated[float, typer.Option("--validation", min=0, max=1, help="Share for validation.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another draw.")] = 42,
    hold: Annotated[list[str] | None, typer.Option("--hold", metavar="NAME", help="Hold this out; repeatable.")] = None,
    out: Out = None,
    in_place: InPlace = False,
) -> None:
    """Hold out skills or topics, frozen in the file: training never draws them.

    What is held out already stays so and counts towards the share. Run it by category and by topic for both.

    Example: skillmill taxonomy split builtin:language --by category --hold logical --test 0.3 --out mine.yaml

    Example: skillmill taxonomy split mine.yaml --by topic --test 0.5 --in-place
    """
    from skillmill.flows.commands.edit_taxonomy import split_taxonomy

    split_taxonomy(name, by, {"test": test, "validation": validation}, seed, hold or [], out, in_place)
