"""The command `skillmill score`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from skillmill.flows.cli.options import Encoding


def score(
    points: Annotated[
        Path, typer.Argument(metavar="POINTS", help="A .parquet, .jsonl, .json, .csv or .tsv, or a run.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The JSON file to write.")],
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="SKILLS", help="Leave out combinations with these; repeatable."),
    ] = None,
    naming: Annotated[
        Literal["ignore", "substring", "words"], typer.Option(help="When a skill that is named loses its point.")
    ] = "ignore",
    draws: Annotated[int, typer.Option("--bootstrap", min=100, max=100_000, help="Draws for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
    encoding: Encoding = None,
) -> None:
    """Compute Skill-Mix metrics of a graded table: Full Marks, All Skills, Skill Fraction.

    A row is one grading of one text. Columns: combination, generation, grading, k, and points, a list of k + 3: one a
    skill, then on topic, makes sense, within the limit. With columns skills and category, metrics per skill and
    category too; with response, --naming. POINTS can also be a run's output_dir that has grades. --exclude takes a
    skill, or several separated by commas.

    Example: skillmill score points.parquet --out metrics.json

    Example: skillmill score runs/demo --out metrics.json --exclude "metaphor, red herring" --naming words
    """
    from skillmill.flows.commands.score import score as score_points
    from skillmill.train.evaluation.skill_mix_metrics import Bootstrap

    score_points(points, out, exclude or [], naming, Bootstrap(draws, seed), encoding)
