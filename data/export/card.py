"""The card of a dataset folder. Names and reasons in it are any text: nothing of them is Markdown, YAML or HTML."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment


@dataclass(frozen=True)
class CardFacts:
    """What the card says beside the counts."""

    name: str
    kind: str
    teacher: str
    taxonomy: str
    plans: list[str]
    pair_plans: list[str]


def card(facts: CardFacts, funnel: Any, checksum: str, configurations: tuple[str, ...]) -> str:
    """The text of `README.md`. `funnel`: the `Funnel` of the exported rows."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["cell"] = table_cell
    environment.filters["yaml"] = lambda text: orjson.dumps(text).decode()  # JSON strings are YAML strings
    environment.filters |= {"number": number, "share": share}
    template = environment.get_template("card.md.jinja")
    return template.render(facts=facts, funnel=funnel, checksum=checksum, configurations=configurations)


def number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def table_cell(text: object) -> str:
    """Any text inside a Markdown table: no line breaks, no pipes, no HTML."""
    line = " ".join(str(text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
