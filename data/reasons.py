"""Why a row was rejected or a pair dropped. Every reason is a value that is stored, with a sentence for people."""

from enum import StrEnum
from typing import Self


class _Explained(StrEnum):
    """One machine-readable reason; `explanation` is what reports and cards print."""

    explanation: str

    def __new__(cls, value: str, explanation: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member


class Reason(_Explained):
    """Why a row was rejected."""

    # the teacher gave no usable answer
    TRANSPORT = "transport", "the teacher did not answer this request, retries included"
    RATE_LIMIT = "rate_limit", "the teacher kept answering that it was asked too often"
    BAD_REQUEST = "bad_request", "the teacher refused this request (HTTP 400, 413 or 422)"
    CONTEXT_LENGTH = "context_length", "the request does not fit the teacher's context window"
    # the answer is not a sample
    UNPARSABLE = "unparsable", "the reply does not have the form that was asked for"
    EMPTY = "empty", "the answer has no text"
    PROMPT_COPY = "prompt_copy", "the text copies a worked example of the prompt"
    UNCHANGED = "unchanged", "the evolved instruction says what it was made from, word for word"
    # the row filters
    TOO_SHORT = "too_short", "the answer is shorter than its query type or its number of skills asks for"
    TOO_LONG = "too_long", "the answer is longer than the length that its cell aims at"
    TOO_MANY_SENTENCES = "too_many_sentences", "the text has more sentences than its limit, max(1, k-1) by default"
    LANGUAGE = "language", "the text is in another language than its cell asks for"
    REFUSAL = "refusal", "the answer declines instead of answering"
    CUT_OFF = "cut_off", "the answer stops in the middle"
    REPETITION = "repetition", "the answer says the same thing again and again"
    ECHO = "echo", "the answer gives back the instruction instead of answering it"
    CRITIQUE_RESIDUE = "critique_residue", "the answer talks about its own revision"
    SKILL_NAMED = "skill_named", "a skill is named where it should be shown"
    META_TALK = "meta_talk", "the text talks about the skills or the task that it was made from"
    PROMPT_FRAGMENT = "prompt_fragment", "the text repeats eight words in a row of skillmill's own prompts"
    SAFETY = "safety", "the text holds an e-mail address, a phone number, a key or a card number"
    NO_REQUEST = "no_request", "the instruction neither asks nor tells the assistant to do anything"
    MISSING_MATERIAL = "missing_material", "the instruction is about a text, table or file that it does not bring along"
    SHIRKER = "shirker", "the calibrated model over the answer's form sees low effort"
    CONTAMINATION = "contamination", "the row holds a text that models are tested on, or a long run of its words"
    LOW_GRADE = "low_grade", "the grader gave it fewer points than filters.low_grade asks for"
    # corpus filters
    DUPLICATE = "duplicate", "a row with a lower index, or of another plan, has the same instruction or response"
    NEAR_DUPLICATE = "near_duplicate", "a row with a lower index, or of another plan, says nearly the same"
    SEMANTIC_DUPLICATE = "semantic_duplicate", "a row with a lower index, or of another plan, means the same"
    # a person
    OVERRIDE = "override", "a person rejected it in overrides.jsonl"


class PairReason(_Explained):
    """Why a source gave no preference pair for an accepted row."""

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


CUSTOM = "custom:"
"""What the reasons of a user's own filters begin with."""


def explanation_of(reason: str) -> str:
    """The sentence for people; the reasons of a user's own filters explain themselves."""
    return "a filter of your own said so" if reason.startswith(CUSTOM) else Reason(reason).explanation
