"""Gradings that fail: the verdict on a row without a grade, and the warning if most gradings are unusable."""

import logging
import re
from collections.abc import Sequence

from skillmill.data.errors import SkillmillError
from skillmill.data.reasons import NOT_GRADED
from skillmill.data.records import Sample
from skillmill.filters.grading.config import OnFailure
from skillmill.filters.grading.grade import SingleGrading
from skillmill.filters.grading.rules import RULES

log = logging.getLogger(__name__)

FIRST_GRADINGS = 10
"""The warning is about the first gradings of a command, this many; if there are fewer, about all of them."""
LONGEST_EXCERPT = 100
"""Number of characters of a reply that a message quotes."""
_READ_FOR_EXCERPT = 10_000
_TERMINAL_SEQUENCE = re.compile(r"[\x1b\u241a]\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Colours, movements of the cursor and links of a terminal; U+241A replaces a control character in stored texts."""


def decide_ungraded(sample: Sample, gradings: Sequence[SingleGrading], row: str, on_failure: OnFailure) -> Sample:
    """Return the verdict on a sample whose gradings are all unusable; `row` is the id of its row.

    Raises `SkillmillError` for "stop".
    """
    if on_failure == "stop":
        raise SkillmillError(
            f"grading: no usable grade for row {row}: {describe_failure(gradings[0])}; grading.on_failure: stop ends "
            f"the run, what was finished is kept; {_remedy(gradings[0])}, and run again"
        )
    return sample.with_verdict([NOT_GRADED] if on_failure == "reject" else [], {})


def describe_failure(grading: SingleGrading) -> str:
    """Return in one line what the grader did in an unusable grading, with the beginning of its reply."""
    who = f"the grader {excerpt(grading.grader)}"
    if grading.raw is None:
        return f"{who} gave no reply ({excerpt(grading.failure) or 'an earlier request failed'})"
    return f"{who} replied “{words}”" if (words := excerpt(grading.raw)) else f"{who} gave an empty reply"


def excerpt(text: str) -> str:
    """Return the beginning of a text on one line, without control characters: at most `LONGEST_EXCERPT` characters."""
    plain = _TERMINAL_SEQUENCE.sub("", text[:_READ_FOR_EXCERPT])
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
    return line if len(line) <= LONGEST_EXCERPT else line[: LONGEST_EXCERPT - 1].rstrip() + "…"


class FailureWarning:
    """Counts the first gradings of a command and logs one warning if more than half of them are unusable."""

    def __init__(self, on_failure: OnFailure) -> None:
        self._on_failure = on_failure
        self._gradings = 0
        self._unusable: list[SingleGrading] = []
        self._warned = False

    def add(self, gradings: Sequence[SingleGrading]) -> None:
        """Take in the gradings of a row; those by rules do not count."""
        by_model = [grading for grading in gradings if grading.grader != RULES]
        first = by_model[: FIRST_GRADINGS - self._gradings]
        self._gradings += len(first)
        self._unusable += [grading for grading in first if grading.points is None]
        if 2 * len(self._unusable) > FIRST_GRADINGS:
            self._warn()

    def end(self) -> None:
        """Take in the end of the command."""
        if 2 * len(self._unusable) > self._gradings:
            self._warn()

    def _warn(self) -> None:
        if self._warned:
            return
        self._warned = True
        last, consequence = self._unusable[-1], _CONSEQUENCES[self._on_failure]
        log.warning(
            "warning: grading: %d of the first %d gradings are unusable, %s: %s (grading.on_failure: %s); %s",
            *(len(self._unusable), self._gradings, describe_failure(last), consequence, self._on_failure),
            _remedy(last),
        )


_CONSEQUENCES: dict[OnFailure, str] = {
    "keep": "rows without a grade are accepted unchecked",
    "reject": "rows without a grade are rejected as not_graded",
    "stop": "a row without a grade ends the run",
}


def _remedy(grading: SingleGrading) -> str:
    if grading.raw is None:
        return "look at the grader's server and its log"
    return (
        "set grader to a model that answers in JSON by a schema, or raise grader.sampling.max_tokens if a reply is cut "
        "off"
    )
