"""Commands of the group `skillmill filters`, for files that skillmill did not make: score and calibrate."""

from pathlib import Path
from typing import Annotated

import typer

from skillmill.flows.cli.options import Encoding, InstructionColumn, ResponseColumn, RowsFile


def score(
    file: RowsFile,
    out: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    instruction: InstructionColumn = None,
    response: ResponseColumn = None,
    model: Annotated[Path | None, typer.Option("--model", help="Default: the shipped one.")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1, help="Default: the model's own.")] = None,
    encoding: Encoding = None,
) -> None:
    """Add shirker_score (1 is surely low effort), reasons and the features behind them to any file.

    Without --instruction and --response, known chat and instruction formats are read. With one, it names chats.

    Example: skillmill filters score chats.jsonl --out scored.parquet

    Example: skillmill filters score rows.jsonl --instruction prompt --response answer --out scored.parquet
    """
    from skillmill.flows.commands.filters import score_rows

    score_rows(file, instruction, response, out, model, threshold, encoding)


def calibrate(
    file: RowsFile,
    label: Annotated[str, typer.Option("--label", metavar="COL", help="The column of labels.")],
    group: Annotated[str, typer.Option("--group", metavar="COL", help="Who wrote the answer; left out in turn.")],
    out: Annotated[Path, typer.Option("--out", help="The model to write, JSON.")],
    instruction: InstructionColumn = None,
    response: ResponseColumn = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="COL", help="Where the instruction is from; each is left out.")
    ] = None,
    good: Annotated[str, typer.Option(help="The label of good answers; all others are low effort.")] = "good",
    precision: Annotated[float, typer.Option(min=0.5, max=1, help="The precision the threshold must reach.")] = 0.95,
    encoding: Encoding = None,
) -> None:
    r"""Train the shirker model on labelled rows, and print its quality on rows left out of training.

    Writers and instructions are left out at once, then each source.

    Example: skillmill filters calibrate rows.parquet --instruction instruction --response response --label label \
    --group model --precision 0.95 --out model.json
    """
    from skillmill.flows.commands.filters import calibrate_model

    calibrate_model(file, instruction, response, label, good, group, source, precision, out, encoding)
