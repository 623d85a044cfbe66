"""Why a row was rejected or a pair was dropped: the values that are stored, each with an explanation for people.

The reason of a row filter is defined beside the filter (`filters/rows/`). This file has all other reasons.
"""

from enum import StrEnum
from typing import Self


class Reason(str):
    """Why a row was rejected: the value that is stored, and its `explanation`, which reports print."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Return the string `value` with its explanation."""
        reason = super().__new__(cls, value)
        reason.explanation = explanation
        return reason

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # copy and pickle call __new__ with both
        """Return the arguments of `__new__`."""
        return str(self), self.explanation


# A teacher gave no usable reply.
TRANSPORT = Reason("transport", "the teacher did not answer this request, retries included")
RATE_LIMIT = Reason("rate_limit", "the teacher kept answering that it was asked too often")
BAD_REQUEST = Reason("bad_request", "the teacher refused this request (HTTP 400, 413 or 422)")
CONTEXT_LENGTH = Reason("context_length", "the request does not fit the teacher's context window")
UNANSWERED = frozenset({TRANSPORT, RATE_LIMIT, BAD_REQUEST, CONTEXT_LENGTH})
"""The reasons of a row whose cell got no reply. Such a cell is not tried yet: the same command asks for it again."""
# A generator could not make a sample from the reply.
UNPARSABLE = Reason("unparsable", "the reply does not have the form that was asked for")
PROMPT_COPY = Reason("prompt_copy", "the text copies a worked example of the prompt")
UNCHANGED = Reason("unchanged", "the evolved instruction says what it was made from, word for word")
# The near-duplicate filter compares rows with each other.
DUPLICATE = Reason("duplicate", "a row with a lower index, or of another plan, has the same instruction or response")
NEAR_DUPLICATE = Reason("near_duplicate", "a row with a lower index, or of another plan, says nearly the same")
SEMANTIC_DUPLICATE = Reason("semantic_duplicate", "a row with a lower index, or of another plan, means the same")
# Grading was requested and gave nothing (`grading.on_failure: reject`).
NOT_GRADED = Reason("not_graded", "the row was to be graded, and the grader gave no grade that can be read")
# A person rejected the row.
OVERRIDE = Reason("override", "a person rejected it in overrides.jsonl")

COMMON_REASONS = (
    TRANSPORT,
    RATE_LIMIT,
    BAD_REQUEST,
    CONTEXT_LENGTH,
    UNPARSABLE,
    PROMPT_COPY,
    UNCHANGED,
    DUPLICATE,
    NEAR_DUPLICATE,
    SEMANTIC_DUPLICATE,
    NOT_GRADED,
    OVERRIDE,
)
"""All reasons that no row filter gives."""

CUSTOM = "custom:"
"""The prefix of the reasons that user-defined filters give."""


class PairReason(StrEnum):
    """Why a source gave no preference pair for an accepted row."""

    explanation: str
    """The sentence that reports and cards print."""

    NO_DRAFT = "no_draft", "the row has no draft: its first answer is the final one"
    NOT_GRADED = "not_graded", "the row has no grade, or no other graded answer in its cell"
    SAME_GRADE = "same_grade", "no other answer of the cell has a lower grade"
    NO_REPLY = "no_reply", "teacher, student or grader gave no reply, retries included"
    EMPTY = "empty", "the rejected side has no text"
    CUT_OFF = "cut_off", "the rejected side stops in the middle: the pair would teach length"
    IDENTICAL = "identical", "both sides say the same, word for word"
    NEAR_IDENTICAL = "near_identical", "both sides say nearly the same"
    ORDER_DOUBTED = "order_doubted", "the scores or the grader do not find the chosen side better"
    UNREADABLE = "unreadable", "the grader's word on which side is better could not be read"

    def __new__(cls, value: str, explanation: str) -> Self:
        """Return the member whose stored value is `value`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member
