"""Warn once if most rows of a run are rejected for one reason, with what to do about it."""

import logging
from collections import Counter, deque
from collections.abc import Iterable

from skillmill.data.records import SampleRow
from skillmill.filters.apply import explanation_of

log = logging.getLogger(__name__)

WINDOW_ROWS = 50
"""The last rows that are counted."""
FEWEST_ROWS = 10
"""A run of fewer rows than the window is judged at its end, if it has at least this many."""

_SERVER = "look at the server and its log; the same command asks again for the cells without an answer"
_REMEDIES = {
    "transport": _SERVER,
    "rate_limit": "lower teacher.max_in_flight, or raise teacher.retry.patience_s",
    "bad_request": _SERVER,
    "context_length": "give the teacher a larger context window, or lower teacher.sampling.max_tokens or generation.k",
    "unparsable": "use a larger teacher, a server with structured output (JSON schema), or a lower temperature",
    "cut_off": "raise teacher.sampling.max_tokens, or switch the model's thinking off",
    "duplicate": "raise teacher.sampling.temperature, widen the taxonomy, or see filters.near_duplicates",
    "near_duplicate": "raise teacher.sampling.temperature, widen the taxonomy, or see filters.near_duplicates",
    "semantic_duplicate": "raise teacher.sampling.temperature, widen the taxonomy, or see filters.near_duplicates",
    "not_graded": "look at what the grader replies (grades/), or set grading.on_failure",
    "refusal": "use another teacher, or leave the skills or topics out that it declines",
}
_ANY_REMEDY = "read some of these rows in report.html, then use a larger teacher or change the filter"


def leading_reason(counts: Counter[str], rows: int) -> str:
    """Return the most frequent reason of `rows` rows as text, with what to do about it."""
    if not counts:
        return f"{rows} rows are rejected without a reason"
    [(reason, count)] = counts.most_common(1)
    remedy = _REMEDIES.get(reason, _ANY_REMEDY)
    return f"{count} of {rows} rows are rejected as {reason} ({explanation_of(reason)}): {remedy}"


class ReasonWarning:
    """Counts the reasons of the last rows and logs one warning for each reason that more than half of them have."""

    def __init__(self) -> None:
        self._any_accepted = False
        self._recent: deque[list[str]] = deque(maxlen=WINDOW_ROWS)
        self._counts: Counter[str] = Counter()  # of the reasons in `_recent`, each once a row
        self._warned: set[str] = set()

    def add(self, rows: Iterable[SampleRow]) -> None:
        """Take in decided rows, in index order."""
        for row in rows:
            self._any_accepted = self._any_accepted or not row["reasons"]
            if len(self._recent) == WINDOW_ROWS:
                self._counts.subtract(set(self._recent[0]))
            self._recent.append(row["reasons"])
            self._counts.update(set(row["reasons"]))
            if len(self._recent) == WINDOW_ROWS:
                self._warn()

    def end(self) -> None:
        """Take in the end of the run. If no row was accepted, the leading reason is named in any case."""
        if len(self._recent) >= FEWEST_ROWS:
            self._warn()
        if self._recent and not self._any_accepted and not self._warned:
            log.warning("warning: no row was accepted: %s", leading_reason(self._counts, len(self._recent)))

    def _warn(self) -> None:
        for reason, count in self._counts.most_common():
            if 2 * count <= len(self._recent):
                return
            if reason not in self._warned:
                self._warned.add(reason)
                log.warning(
                    "warning: %d of the last %d rows are rejected as %s (%s): %s",
                    *(count, len(self._recent), reason, explanation_of(reason)),
                    _REMEDIES.get(reason, _ANY_REMEDY),
                )
