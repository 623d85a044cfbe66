"""What the dataset card states besides counts and versions. Plain data: names in it can be any text."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelFacts:
    """A model by its name in the rows. `license` is that of its texts, `revision` that of its weights, if known."""

    name: str
    license: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class TaxonomyFacts:
    """The taxonomy of the newest plan. `source`: where its names are from. `skills`: names of skills by category.

    `license`: the licence of the names, "" if it is not known.
    """

    name: str
    source: str = ""
    skills: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    query_types: tuple[str, ...] = ()
    license: str = ""

    @property
    def size(self) -> int:
        """The number of skills."""
        return sum(map(len, self.skills.values()))


@dataclass(frozen=True)
class CheckFacts:
    """What the rows were compared with.

    `near_duplicates`: the least similarity of two rows of which only one is accepted, None without the comparison.
    `evaluation_sets`: names of the sets. `shared_words`: the length of the shared n-grams that reject a row, None if
    they only give signals. `masked`: e-mail addresses, phone numbers and keys were replaced by placeholders.
    """

    near_duplicates: float | None = None
    evaluation_sets: tuple[str, ...] = ()
    shared_words: int | None = None
    masked: bool = False


@dataclass(frozen=True)
class CardFacts:
    """The facts of one dataset.

    `k`: share of the cells by number of skills. `plans`: fingerprints. `languages`: ISO 639 codes. `source_datasets`:
    values of the Hub's field of that name. `validation`: the share of the cells in the split `validation`.
    `evaluation`: what the last evaluation of a student found, as Markdown, "" if there is none.
    """

    name: str
    kind: str
    k: Mapping[int, float]
    seed: int
    teacher: ModelFacts
    taxonomy: TaxonomyFacts
    plans: tuple[str, ...]
    grader: ModelFacts | None = None
    languages: tuple[str, ...] = ("en",)
    source_datasets: tuple[str, ...] = ("original",)
    checks: CheckFacts = CheckFacts()
    validation: float = 0.0
    formats: tuple[str, ...] = ()
    thinking: str = "drop"
    evaluation: str = ""
