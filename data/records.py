"""The records: a sample row, a preference row, and their Arrow schemas, fixed in code.

A schema taken from the first batch breaks on the first batch that is all null; ours never is.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypedDict

import pyarrow as pa

SCHEMA_VERSION = 2
"""2 added `difficulty`, `length`, `language`, `parent` and `operator`, null in rows of version 1."""


class Message(TypedDict):
    """One turn of a chat, as TRL and the chat APIs have it. `role`: "system", "user" or "assistant"."""

    role: str
    content: str


class SkillGrade(TypedDict):
    """The point of one skill in a grade, and the quoted piece of text that earned it."""

    skill: str
    point: float
    evidence: str | None


class Grade(TypedDict):
    """A value of `GRADE`: points in 0..1, and their sum."""

    skills: list[SkillGrade]
    on_topic: float
    makes_sense: float
    within_limit: float
    total: float


class SampleRow(TypedDict):
    """A row of `SAMPLE_SCHEMA`. `signals` is a list of pairs, as Arrow gives a map."""

    id: str
    plan: str
    index: int
    cell: str
    generation: int
    kind: str
    k: int
    skills: list[str]
    topic: str | None
    query_type: str | None
    difficulty: str | None
    length: str | None
    language: str | None
    parent: str | None
    operator: str | None
    prompt: list[Message]
    completion: list[Message]
    verdict: str
    reasons: list[str]
    signals: list[tuple[str, float]]
    grade: Grade | None
    draft: str | None
    critique: str | None
    explanation: str | None
    finish_reason: str | None
    teacher: str
    grader: str | None
    prompt_tokens: int
    completion_tokens: int
    prompts: str
    seed: int
    split: str
    schema_version: int


class PreferenceRow(TypedDict):
    """A row of `PREFERENCE_SCHEMA`."""

    id: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    chosen_source: str
    rejected_source: str
    margin: float | None


class PairRow(PreferenceRow):
    """A row of `PAIR_SCHEMA`: a preference row with its sample row's `id`, or a pair that was dropped for a `reason`."""

    row: str
    chosen_words: int | None
    rejected_words: int | None
    reason: str | None


class StressAnswerRow(TypedDict):
    """A row of `STRESS_ANSWER_SCHEMA`."""

    row: str
    index: int
    source: str
    text: str


class SelfRow(TypedDict):
    """A row of `SELF_SCHEMA`."""

    id: str
    instruction: str
    answer: str
    feedback: str
    refined_answer: str


class GradingRow(TypedDict):
    """A row of `GRADES_SCHEMA`: one grading of one sample row. `grade` is null where the reply `raw` was unreadable."""

    id: str
    run: int
    grader: str
    grade: Grade | None
    raw: str | None


MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
GRADE = pa.struct(
    [
        ("skills", pa.list_(pa.struct([("skill", pa.string()), ("point", pa.float64()), ("evidence", pa.string())]))),
        ("on_topic", pa.float64()),
        ("makes_sense", pa.float64()),
        ("within_limit", pa.float64()),
        ("total", pa.float64()),
    ]
)

SAMPLE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("plan", pa.string()),
        ("index", pa.int64()),
        ("cell", pa.string()),
        ("generation", pa.int32()),
        ("kind", pa.string()),
        ("k", pa.int32()),
        ("skills", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("query_type", pa.string()),
        ("difficulty", pa.string()),
        ("length", pa.string()),
        ("language", pa.string()),
        ("parent", pa.string()),
        ("operator", pa.string()),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("signals", pa.map_(pa.string(), pa.float64())),
        ("grade", GRADE),
        ("draft", pa.string()),
        ("critique", pa.string()),
        ("explanation", pa.string()),
        ("finish_reason", pa.string()),
        ("teacher", pa.string()),
        ("grader", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("prompts", pa.string()),
        ("seed", pa.int64()),
        ("split", pa.string()),
        ("schema_version", pa.int32()),
    ]
)

PREFERENCE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", MESSAGES),
        ("chosen", MESSAGES),
        ("rejected", MESSAGES),
        ("chosen_source", pa.string()),
        ("rejected_source", pa.string()),
        ("margin", pa.float64()),
    ]
)

PAIR_SCHEMA = pa.schema(
    [
        *PREFERENCE_SCHEMA,
        ("row", pa.string()),
        ("chosen_words", pa.int32()),
        ("rejected_words", pa.int32()),
        ("reason", pa.string()),
    ]
)
"""As pairs lie in `pairs/`: with the `id` of their sample row, lengths, and the `PairReason` of a dropped one."""

STRESS_ANSWER_SCHEMA = pa.schema(
    [("row", pa.string()), ("index", pa.int64()), ("source", pa.string()), ("text", pa.string())]
)
"""As answers of the stress set lie in `stress/`: to the sample row with the `id` `row`, "" where none was given."""

STRESS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("k", pa.int32()),
        ("skills", pa.list_(pa.string())),
        ("topic", pa.string()),
        ("query_type", pa.string()),
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("replaced_by", pa.string()),
    ]
)
"""A row of the export's `stress`: that of `sft` with the same `id`, but where `replaced_by` says what its answer is."""

SELF_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("instruction", pa.string()),
        ("answer", pa.string()),
        ("feedback", pa.string()),
        ("refined_answer", pa.string()),
    ]
)
"""SELF's record (papers.md 6.1): an answer, what was found of it in plain words, and the answer made anew."""

GRADES_SCHEMA = pa.schema(
    [("id", pa.string()), ("run", pa.int32()), ("grader", pa.string()), ("grade", GRADE), ("raw", pa.string())]
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a generator gives for one cell and one generation, before and after the filters.

    `draft` is the answer before its revision. `reasons` grows, it never shrinks: a sample with any is
    rejected. Token counts are sums over all turns of the sample.
    """

    instruction: str
    """The user's side, one self-contained request."""
    response: str
    """The assistant's side, the final answer alone."""
    generation: int = 0
    draft: str | None = None
    critique: str | None = None
    explanation: str | None = None
    finish_reason: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasons: tuple[str, ...] = ()
    """`Reason`s, and those of a user's own filters."""
    signals: dict[str, float] = field(default_factory=dict)
    grade: dict[str, Any] | None = None
    """A value of `GRADE`; None where the sample was not graded or no grading could be used."""
    grader: str | None = None
    """The name of the model that was asked for the grade."""

    @property
    def accepted(self) -> bool:
        return not self.reasons

    def with_verdict(self, reasons: Iterable[str], signals: dict[str, float]) -> "Sample":
        """The same sample with more reasons and signals; a reason is kept once, in order."""
        merged = tuple(dict.fromkeys((*self.reasons, *reasons)))
        return replace(self, reasons=merged, signals={**self.signals, **signals})


_OWN_COLUMNS = [field.name for field in fields(Sample) if field.name in SAMPLE_SCHEMA.names]


def row_id(plan: str, index: int, generation: int) -> str:
    """The `id` of a sample row: 16 hex digits of hash(plan, index, generation)."""
    return hashlib.sha256(f"{plan}:{index}:{generation}".encode()).hexdigest()[:16]


def pair_id(row: str, source: str) -> str:
    """The `id` of the preference row that `source` gave for the sample row with id `row`."""
    return hashlib.sha256(f"{row}:{source}".encode()).hexdigest()[:16]


def sample_row(sample: Sample, **cell_columns: Any) -> dict[str, Any]:
    """A row of `SAMPLE_SCHEMA`: the sample's own columns beside those of its cell and plan."""
    return {
        **cell_columns,
        **{name: getattr(sample, name) for name in _OWN_COLUMNS},
        "id": row_id(cell_columns["plan"], cell_columns["index"], sample.generation),
        "prompt": [{"role": "user", "content": sample.instruction}] if sample.instruction else [],
        "completion": [{"role": "assistant", "content": sample.response}] if sample.response else [],
        "verdict": "accepted" if sample.accepted else "rejected",
        "reasons": [str(reason) for reason in sample.reasons],
        "signals": sorted(sample.signals.items()),
        "schema_version": SCHEMA_VERSION,
    }


def sample_of(row: dict[str, Any]) -> Sample:
    """The sample that `sample_row` made the row of."""
    own = {name: row[name] for name in _OWN_COLUMNS if name not in ("reasons", "signals")}
    return Sample(
        instruction=text_of(row["prompt"]),
        response=text_of(row["completion"]),
        reasons=tuple(row["reasons"]),
        signals=dict(row["signals"] or []),
        **own,
    )


def text_of(messages: list[Message] | None) -> str:
    """The text of a one-message `prompt` or `completion` column, "" when there is none."""
    return messages[0]["content"] if messages else ""
