"""The plots of the dataset card as SVG files. They depend on the counts alone, so equal rows give equal bytes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skillmill.data.export.card.escaping import plain_line
from skillmill.data.export.card.facts import TaxonomyFacts
from skillmill.data.export.funnel import Funnel
from skillmill.data.export.row_statistics import RowStatistics, quantile

FOLDER = "plots"
MOST_BARS = 20
"""The number of categories with a bar of their own; the last bar stands for the others."""
BINS = 20
LABEL_CHARACTERS = 28
OTHERS = "other skills"


@dataclass(frozen=True)
class Bar:
    """One bar. `label` can be any text, `length` is relative to the longest bar."""

    label: str
    count: int
    length: float


def write_plots(folder: Path, taxonomy: TaxonomyFacts, funnel: Funnel, statistics: RowStatistics) -> dict[str, str]:
    """Write the plots into the folder of an export; return their paths in it by their descriptions."""
    charts = {
        "categories.svg": [("Skills in accepted cells by category", category_bars(taxonomy, funnel.per_skill))],
        "lengths.svg": [
            ("Words of the prompts", length_bars(statistics.prompt_words)),
            ("Words of the answers", length_bars(statistics.answer_words)),
        ],
    }
    # Names are the text of others: autoescape keeps them from being markup.
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["line"] = plain_line
    template = environment.get_template("bars.svg.jinja")
    (folder / FOLDER).mkdir()
    for name, panels in charts.items():
        (folder / FOLDER / name).write_text(template.render(panels=panels), encoding="utf-8")
    return {", ".join(title for title, _ in panels): f"{FOLDER}/{name}" for name, panels in charts.items()}


def category_bars(taxonomy: TaxonomyFacts, per_skill: Counter[str]) -> list[Bar]:
    """Return how often skills of each category occur in accepted cells, the most frequent category first.

    Skills that are not in the taxonomy, because an earlier plan had another one, count as other skills.
    """
    category_of = {name: category for category, names in taxonomy.skills.items() for name in names}
    counts = Counter[str]()
    for skill, count in per_skill.items():
        counts[category_of.get(skill, OTHERS)] += count
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown, rest = ordered[:MOST_BARS], sum(count for _, count in ordered[MOST_BARS:])
    return _bars(shown + ([(f"{len(ordered) - MOST_BARS} more", rest)] if rest else []))


def length_bars(words: Counter[int]) -> list[Bar]:
    """Return a histogram of lengths in bins of equal width; the last bin has all longer texts too."""
    longest = quantile(words, 0.99)
    if longest is None:
        return []
    width = longest // BINS + 1
    bins = [0] * (longest // width + 1)
    for length, count in words.items():
        bins[min(length // width, len(bins) - 1)] += count
    last = len(bins) - 1
    labels = [f"{place * width}–{place * width + width - 1}" for place in range(last)] + [f"{last * width} and more"]
    return _bars(list(zip(labels, bins, strict=True)))


def _bars(counts: Sequence[tuple[str, int]]) -> list[Bar]:
    most = max((count for _, count in counts), default=0)
    return [Bar(_short(label), count, count / most if most else 0.0) for label, count in counts]


def _short(label: str) -> str:
    line = plain_line(label)
    return line if len(line) <= LABEL_CHARACTERS else line[: LABEL_CHARACTERS - 1] + "…"
