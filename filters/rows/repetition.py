"""Rejects answers that repeat themselves."""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import contains_any
from skillmill.data.text.repetition import compression_ratio, ngrams, repeated_share
from skillmill.data.text.sentences import sentences
from skillmill.data.text.words import word_list, words
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

CODE_OR_TABLE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)|^[ \t]*\|[^\n]*$", re.MULTILINE | re.DOTALL)
"""A fenced code block, or one line of a Markdown table. Both repeat by nature and are left out."""
CODE_OR_TABLE_SIGNS = ("```", "~~~", "|")


class Repetition(RowFilter):
    """Rejects an answer that repeats 4-grams, sentences or the openings of sentences, or that compresses too well.

    Shares are in 0..1. Repeated sentences are checked in every answer, 4-grams from half of `min_words` words on, and
    openings and compression from `min_words` words on.
    """

    reason = Reason("repetition", "the answer says the same thing again and again")
    signals = ("repeated_4grams", "repeated_sentences", "repeated_openings", "compression")

    max_repeated_4grams: float = Field(0.25, gt=0, le=1)
    max_repeated_sentences: float = Field(0.25, gt=0, le=1)
    max_repeated_openings: float = Field(0.85, gt=0, le=1)
    """The largest share of sentences of three words or more that begin with the same three words as an earlier one."""
    max_compression: float = Field(3.5, gt=1)
    """The largest ratio of uncompressed to compressed bytes (zlib)."""
    min_words: int = Field(30, ge=1)

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict with the four measures as signals."""
        prose = sample.response
        if contains_any(prose, CODE_OR_TABLE_SIGNS):
            prose = CODE_OR_TABLE.sub("\n", prose)
        tokens = words(prose)
        normalised = [" ".join(word_list(sentence)) for sentence in sentences(prose)]
        normalised = [sentence for sentence in normalised if sentence.count(" ") >= 2]
        openings = [tuple(sentence.split()[:3]) for sentence in normalised]
        repeated_4grams = repeated_share(ngrams(tokens, 4))
        repeated_sentences = repeated_share(normalised)
        repeated_openings = repeated_share(openings) if len(openings) >= 4 else 0.0
        compression = compression_ratio(" ".join(prose.split()))
        rejected = repeated_sentences > self.max_repeated_sentences
        if len(tokens) >= self.min_words / 2:  # a shorter text may repeat a 4-gram as a figure of speech
            rejected = rejected or repeated_4grams > self.max_repeated_4grams
        if len(tokens) >= self.min_words:
            rejected = rejected or repeated_openings > self.max_repeated_openings or compression > self.max_compression
        return self.verdict(
            rejected,
            repeated_4grams=repeated_4grams,
            repeated_sentences=repeated_sentences,
            repeated_openings=repeated_openings,
            compression=compression,
        )
