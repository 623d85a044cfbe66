"""The base of all filters: a filter is a section of the configuration, its options, with a method that checks a row."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell


class FilterOptions(BaseModel):
    """The options of a filter. Every filter can be switched off with `enabled`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True


class RowFilter(FilterOptions, ABC):
    """A filter that decides each row by itself. Its fields are its options.

    A subclass becomes a filter of every run with one field in `FiltersConfig` (`filters/config.py`).
    """

    reason: ClassVar[Reason]
    """Why the filter rejects a row. Each filter has one reason, which bears the name of its section."""
    signals: ClassVar[tuple[str, ...]] = ()
    """The names of the signals that the filter gives; of a signal such as `a:b` the part before the colon."""
    english_only: ClassVar[bool] = False
    """Whether `check` would reject good texts in other languages; it is then called for English cells only."""

    @abstractmethod
    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict on a sample that was made from `cell`."""

    def check_many(self, rows: Sequence[tuple[Sample, Cell]]) -> list[Verdict] | None:
        """Return the verdicts on many samples at once; None if that is not faster than `check` for each."""
        return None

    def applies_to(self, cell: Cell) -> bool:
        """Return whether the rows of this cell are to be checked: the filter is enabled and suits their language."""
        return self.enabled and (cell.english or not self.english_only)

    def verdict(self, rejected: bool, **signals: float) -> Verdict:
        """Return a verdict with these signals, and with the filter's reason if the sample is `rejected`."""
        return Verdict((self.reason,) if rejected else (), signals)
