"""Lengths, topics and tokens of the rows of an export. Memory does not grow with the rows."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

from skillmill.data.records import SampleRow, text_of
from skillmill.data.text.words import count_words


@dataclass
class RowStatistics:
    """Counts over the rows of an export; lengths are in words and are kept as the number of texts by length."""

    prompt_words: Counter[int] = field(default_factory=Counter)
    answer_words: Counter[int] = field(default_factory=Counter)
    topics: Counter[str] = field(default_factory=Counter)
    query_types: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def count_sft(self, rows: Iterable[SampleRow]) -> None:
        """Add the texts, topics and query types of `sft` rows."""
        for row in rows:
            self.prompt_words[count_words(text_of(row["prompt"]))] += 1
            self.answer_words[count_words(text_of(row["completion"]))] += 1
            if row["topic"] is not None:
                self.topics[row["topic"]] += 1
            if row["query_type"] is not None:
                self.query_types[row["query_type"]] += 1

    def count_tokens(self, rows: Iterable[SampleRow]) -> None:
        """Add the tokens of the requests for rows."""
        for row in rows:
            self.prompt_tokens += row["prompt_tokens"] or 0
            self.completion_tokens += row["completion_tokens"] or 0


def quantile(counts: Counter[int], share: float) -> int | None:
    """Return the smallest value that at least `share` of the counted values do not exceed, None if there are none."""
    values = sorted(counts)
    reached = accumulate(counts[value] for value in values)
    return next((value for value, below in zip(values, reached, strict=True) if below >= share * counts.total()), None)
