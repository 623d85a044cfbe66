"""Rejects answers that decline the request."""

import re

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

REFUSAL = re.compile(
    r"\b(?:i(?:['’]m| am) (?:very |really |so |truly )?(?:sorry|afraid)\b[^.!?\n]{0,50}"
    r"\b(?:can(?:not|['’]t)|unable|not able|won['’]t)"
    r"|(?<!note that )i (?:can(?:not|['’]t)|won['’]t|am (?:unable|not able) to|['’]m (?:unable|not able) to) "
    r"(?:help|assist|provide|answer|write|create|give|fulfil|fulfill|do that|comply|complete|generate|discuss|offer)"
    r"|i(?:['’]m| am) (?:unable|not able|not allowed|not permitted) to\b"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,80}"
    r"\b(?:can(?:not|['’]t)|unable|not able)"
    r"|i (?:must|have to) (?:respectfully )?(?:decline|refuse)"
    r"|(?:it is|it['’]s|that is) against my (?:policy|guidelines|programming))",
    re.IGNORECASE,
)
EVEN_SO = re.compile(
    r"^[^.!?\n]{0,80}[,.;]? ?(?:but|however,?|still,?) (?:here|i(?: can| will|['’]ll| am happy))", re.IGNORECASE
)
"""Text after a refusal that announces an answer nevertheless."""


class Refusal(RowFilter):
    """Rejects an answer that declines near its beginning. A later "I cannot" may be a quotation or a caveat."""

    reason = Reason("refusal", "the answer declines instead of answering")

    within_characters: int = Field(200, ge=1)
    """The number of characters at the beginning of the answer that are searched."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        refusal = REFUSAL.search(sample.response[: self.within_characters])
        declines = refusal is not None and not EVEN_SO.match(sample.response[refusal.end() : refusal.end() + 200])
        return self.verdict(declines)
