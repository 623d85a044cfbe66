"""The dataset card `README.md`. Names and reasons in it can be any text, and are escaped for YAML and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.export.funnel import Funnel
from skillmill.data.versions import Version


@dataclass(frozen=True)
class CardFacts:
    """What the card states besides counts and versions. `taxonomy`: name and size. `plans`: fingerprints."""

    name: str
    kind: str
    teacher: str
    taxonomy: str
    plans: list[str]


def dataset_card(
    facts: CardFacts,
    funnel: Funnel,
    checksum: str,
    splits: Mapping[str, Sequence[str]],
    versions: Sequence[Version],
) -> str:
    """Return the text of the dataset card: a YAML header and Markdown.

    `splits` has the splits of each configuration; `versions` are listed with the newest first.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"cell": table_cell, "number": number, "share": share}
    template = environment.get_template("card.md.jinja")
    header = _header(facts.name, checksum, splits)
    return template.render(
        header=header, facts=facts, funnel=funnel, configurations=list(splits), versions=list(reversed(versions))
    )


def number(value: float | None, decimals: int) -> str:
    """Return a number with thousands separators, "–" for None."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def share(value: float | None) -> str:
    """Return a share from 0 to 1 as a percentage, "–" for None."""
    return "–" if value is None else f"{value:.0%}"


def table_cell(text: object) -> str:
    """Return any value as the text of a Markdown table cell, without line breaks, pipes, HTML or code spans."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")


def _header(name: str, checksum: str, splits: Mapping[str, Sequence[str]]) -> str:
    """Return the metadata of the card as YAML.

    The checksum is part of each configuration, because `datasets` identifies a cached configuration by its metadata
    alone. With equal metadata it would load the rows of an earlier export. White space in `name` becomes one space,
    because YAML does not keep every kind of line break.
    """
    from huggingface_hub import DatasetCardData  # imported here because the import takes 0.2 s

    configs = [
        {
            "config_name": configuration,
            "description": f"sha256 {checksum}",
            **({"default": True} if configuration == "sft" else {}),
            "data_files": [
                {"split": split, "path": f"{configuration}/{split}-*.parquet"} for split in of_configuration
            ],
        }
        for configuration, of_configuration in splits.items()
    ]
    data = DatasetCardData(
        pretty_name=" ".join(name.split()),
        task_categories=["text-generation"],
        tags=["synthetic", "skillmill"],
        configs=configs,
    )
    return data.to_yaml()
