"""The dataset card `README.md`. Names and reasons in it can be any text, and are escaped for YAML and Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from skillmill.data.export.card.escaping import table_cell
from skillmill.data.export.card.facts import CardFacts, TaxonomyFacts
from skillmill.data.export.card.header import card_header
from skillmill.data.export.files import Contents
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.row_statistics import RowStatistics, quantile
from skillmill.data.versions import Version

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Cost:
    """The tokens of the requests for all exported rows, and their price; None without prices."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float | None = None


@dataclass(frozen=True)
class Counts:
    """The counts that the card states. All of them follow from the rows, not from how the run went."""

    funnel: Funnel
    statistics: RowStatistics = field(default_factory=RowStatistics)
    cost: Cost = Cost()


def dataset_card(
    facts: CardFacts,
    counts: Counts,
    checksum: str,
    contents: Mapping[str, Contents],
    versions: Sequence[Version],
    plots: Mapping[str, str] | None = None,
) -> str:
    """Return the text of the dataset card: a YAML header and Markdown.

    `contents` has the files of each configuration; `versions` are listed with the newest first. `plots` has the paths
    of the plots by their descriptions.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"cell": table_cell, "number": number, "share": share}
    template = environment.get_template("card.md.jinja")
    return template.render(
        header=card_header(facts, checksum, contents),
        facts=facts,
        funnel=counts.funnel,
        statistics=counts.statistics,
        cost=counts.cost,
        coverage=coverage(facts.taxonomy, counts),
        lengths=lengths(counts.statistics),
        contents=contents,
        versions=list(reversed(versions)),
        plots=plots or {},
    )


def coverage(taxonomy: TaxonomyFacts, counts: Counts) -> list[tuple[str, int, int]]:
    """Return lines of (what, entries that occur in accepted cells, entries of the taxonomy), without empty lists."""
    skills = [name for names in taxonomy.skills.values() for name in names]
    found = (
        ("skills", skills, counts.funnel.per_skill),
        ("topics", taxonomy.topics, counts.statistics.topics),
        ("query types", taxonomy.query_types, counts.statistics.query_types),
    )
    return [(what, sum(name in seen for name in names), len(names)) for what, names, seen in found if names and seen]


def lengths(statistics: RowStatistics) -> list[tuple[str, list[int | None]]]:
    """Return lines of (text, 5th percentile, median and 95th percentile of its words)."""
    texts = (("prompts", statistics.prompt_words), ("answers", statistics.answer_words))
    return [(name, [quantile(counts, each) for each in QUANTILES]) for name, counts in texts]


def number(value: float | None, decimals: int) -> str:
    """Return a number with thousands separators, "–" for None."""
    return "–" if value is None else f"{value:,.{decimals}f}"


def share(value: float | None) -> str:
    """Return a share from 0 to 1 as a percentage, "–" for None."""
    return "–" if value is None else f"{value:.0%}"
