"""Arguments and options that several commands share.

Little more than typer is imported here: every command pays for these imports.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skillmill.flows.runtime.garbage import few_collections

if TYPE_CHECKING:
    from skillmill.flows.config import Config

ConfigFile = Annotated[Path, typer.Option("-c", "--config", help="The run's configuration, YAML.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="Replace a value of the configuration; repeatable."),
]
OutputDirectory = Annotated[str, typer.Argument(metavar="DIR", help="An output_dir, a path or a URL.")]

RowsFile = Annotated[Path, typer.Argument(help="Rows: .parquet, .jsonl, .json, .csv or .tsv, each also .gz.")]
InstructionColumn = Annotated[
    str | None, typer.Option("--instruction", metavar="COL", help="The column of instructions, or of chats.")
]
ResponseColumn = Annotated[
    str | None, typer.Option("--response", metavar="COL", help="The column of answers, or of chats.")
]
Encoding = Annotated[str | None, typer.Option(metavar="NAME", help="The encoding of a text file. Default: UTF-8.")]

TaxonomyName = Annotated[str, typer.Argument(metavar="FILE", help="A taxonomy file, or builtin:NAME.")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="FIELD=COLUMN", help="The column of a table for a field of a skill; repeatable."),
]
OutFile = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file for the result.")]
InPlace = Annotated[bool, typer.Option("--in-place", help="Change the file itself.")]


def load(path: Path, overrides: list[str] | None) -> "Config":
    """Return the configuration in the file `path` with `overrides`. Raises `ConfigError` if it is invalid."""
    with few_collections():  # the import leaves no cycles, and looking for some takes a tenth of its time
        from skillmill.flows.config import load_config  # pydantic: takes time to import

        return load_config(path, overrides)


def table_columns(pairs: list[str] | None) -> dict[str, str]:
    """Return the column of a table for each field of a skill. Raises `ConfigError` for an unknown field."""
    from skillmill.data.errors import ConfigError
    from skillmill.skill_taxonomy.taxonomy import Skill

    columns: dict[str, str] = {}
    for pair in pairs or ():
        field, separator, column = pair.partition("=")
        if not separator or not column or field not in Skill.model_fields or field in columns:
            fields = ", ".join(Skill.model_fields)
            raise ConfigError(f"--column {pair}: expected FIELD=COLUMN, once for each field, of the fields {fields}")
        columns[field] = column
    return columns
