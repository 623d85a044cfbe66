"""Arguments and options that several commands share.

Only typer is imported here: every command pays for these imports.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skillmill.flows.config import Config

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="The run's configuration, YAML.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace a value of the configuration; repeatable."),
]
OutputDirectory = Annotated[Path, typer.Argument(help="An output_dir.")]

RowsFile = Annotated[Path, typer.Argument(help="Rows: .parquet, .jsonl, .json, .csv or .tsv, each also .gz.")]
InstructionColumn = Annotated[
    str | None, typer.Option("--instruction", metavar="COL", help="The column of instructions, or of chats.")
]
ResponseColumn = Annotated[
    str | None, typer.Option("--response", metavar="COL", help="The column of answers, or of chats.")
]
Encoding = Annotated[str | None, typer.Option(metavar="NAME", help="The encoding of a text file. Default: UTF-8.")]

TaxonomyName = Annotated[str, typer.Argument(metavar="FILE", help="A taxonomy file, or builtin:NAME.")]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file for the result.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Change the file itself.")]


def load(path: Path, overrides: list[str] | None) -> "Config":
    """Return the configuration in the file `path` with `overrides`. Raises `ConfigError` if it is invalid."""
    from skillmill.flows.config import load_config  # pydantic: takes time to import

    return load_config(path, overrides)
