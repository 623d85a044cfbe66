"""The command `skillmill evaluate`."""

from typing import Annotated

import typer

from skillmill.flows.cli.options import ConfigFile, Overrides, load


def evaluate(
    config: ConfigFile,
    overrides: Overrides = None,
    student: Annotated[
        str | None, typer.Option(metavar="PATH|last|base", help="A folder, a .gguf file, or the newest training.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="PATH|base|last", help="What to compare with: the untrained student.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Evaluate a student with Skill-Mix on skills, topics and combinations that training has not seen.

    Writes evaluate/ in output_dir: metrics.json, answers.parquet, table.md and a plot.

    Example: skillmill evaluate -c skillmill.yaml

    Example: skillmill evaluate -c skillmill.yaml --student runs/demo/train/sft --baseline base --json
    """
    from skillmill.flows.commands.evaluate import run_evaluation
    from skillmill.flows.commands.evaluate_table import print_evaluation

    loaded = load(config, overrides)
    print_evaluation(run_evaluation(loaded, student, baseline), loaded.place(loaded.output), as_json)
