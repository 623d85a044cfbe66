"""The records: a generated sample and the rows that are stored and exported. `schemas.py` has their Arrow schemas."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

SCHEMA_VERSION = 4
"""Version 2 added `difficulty`, `length`, `language`, `parent` and `operator`, version 3 `kept` and
`draft_finish_reason`, version 4 `thinking` and `draft_thinking`. A column is null in rows of earlier versions."""
KEPT_DRAFT = "draft"
"""The value of `kept` in a row whose answer is the draft."""


class Message(TypedDict):
    """One turn of a chat, in the format of TRL and of the chat APIs. `role`: "system", "user" or "assistant"."""

    role: str
    content: str


class SkillGrade(TypedDict):
    """The point of one skill in a grade, and the passage that the grader quoted as evidence."""

    skill: str
    point: float
    evidence: str | None


class Grade(TypedDict):
    """The points of one row, each from 0 to 1, and their sum `total`."""

    skills: list[SkillGrade]
    on_topic: float
    makes_sense: float
    within_limit: float
    total: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One instruction and its response, from a generator, with what filters and grader added.

    A sample without reasons is accepted. Filters only add reasons. Token counts are sums over all requests of the
    sample.
    """

    instruction: str
    """The user's message, a self-contained request."""
    response: str
    """The final answer, without drafts or explanations."""
    generation: int = 0
    """Number of the sample within its cell, from 0."""
    draft: str | None = None
    """The answer before its revision; the revised answer if `kept` is set."""
    kept: str | None = None
    """`KEPT_DRAFT` if the draft is the response because filters rejected the revised answer."""
    critique: str | None = None
    explanation: str | None = None
    finish_reason: str | None = None
    """How the response ended: "stop", "length" or "content_filter"."""
    draft_finish_reason: str | None = None
    """How the text in `draft` ended; None if that is unknown."""
    thinking: str | None = None
    """What a reasoning teacher thought before the response; None if it did not."""
    draft_thinking: str | None = None
    """What it thought before the text in `draft`."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasons: tuple[str, ...] = ()
    """`Reason` values, and reasons of user-defined filters with the prefix `custom:`."""
    signals: dict[str, float] = field(default_factory=dict)
    grade: Grade | None = None
    """None if the sample was not graded or the grader gave no usable reply."""
    grader: str | None = None
    """The name of the model that was asked for the grade."""

    @property
    def accepted(self) -> bool:
        """Whether no filter rejected the sample."""
        return not self.reasons

    def with_verdict(self, reasons: Iterable[str], signals: dict[str, float]) -> "Sample":
        """Return the sample with `reasons` and `signals` added; a reason is kept once, in order of its first use."""
        reasons = tuple(reasons)
        if not reasons and not signals:
            return self
        merged = tuple(dict.fromkeys((*self.reasons, *reasons)))
        return replace(self, reasons=merged, signals={**self.signals, **signals})

    def exchanged(self) -> "Sample":
        """Return the sample with response and draft exchanged. The exchange of an exchanged sample is the original."""
        return replace(
            self,
            response=self.draft or "",
            draft=self.response,
            kept=None if self.kept else KEPT_DRAFT,
            finish_reason=self.draft_finish_reason,
            draft_finish_reason=self.finish_reason,
            thinking=self.draft_thinking,
            draft_thinking=self.thinking,
        )


class SampleRow(TypedDict):
    """One generated sample with its cell, verdict and origin.

    `id`: `row_id` of plan, index and generation. `index`: position of the cell in the plan. `cell`: key of the cell,
    equal for equal cells of any plan. `prompt` and `completion`: one message each, or none where the teacher gave no
    text. `kept`: "draft" if the answer is the draft because filters rejected the refined answer, which is then in
    `draft`; null otherwise. `draft_finish_reason`: how the text in `draft` ended. `thinking` and `draft_thinking`: what
    a reasoning teacher thought before the answer and before the text in `draft`, null if it did not. `verdict`:
    "accepted" or "rejected". `reasons`: why filters rejected the row; a row that an override accepts keeps them.
    `signals`: measured numbers as (name, value) pairs, the form in which pyarrow returns a map. `grader`: name of the
    model that was asked for the grade. `prompts`: fingerprint of the prompt files. `prompt_tokens` and
    `completion_tokens`: sums over all requests of the sample.
    """

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
    kept: str | None
    critique: str | None
    explanation: str | None
    finish_reason: str | None
    draft_finish_reason: str | None
    thinking: str | None
    draft_thinking: str | None
    teacher: str
    grader: str | None
    prompt_tokens: int
    completion_tokens: int
    prompts: str
    seed: int
    split: str
    schema_version: int


class GradingRow(TypedDict):
    """The result of one request to the grader for the sample row `id`.

    `run`: number of the request, from 0. `raw`: the text of the reply. `grade`: null if the reply was unreadable.
    """

    id: str
    run: int
    grader: str
    grade: Grade | None
    raw: str | None


class PreferenceRow(TypedDict):
    """A preference pair as it is exported: two completions of one prompt, where each came from, and the margin."""

    id: str
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    chosen_source: str
    rejected_source: str
    margin: float | None


class PairRow(PreferenceRow):
    """A preference pair as it is stored: also the `id` of its sample row as `row`, and the lengths in words.

    `reason` is a `PairReason` if the pair was dropped, null if it is exported.
    """

    row: str
    chosen_words: int | None
    rejected_words: int | None
    reason: str | None


class StressAnswerRow(TypedDict):
    """A low-effort answer as it is stored, for the sample row with the `id` `row`; "" if the teacher gave none."""

    row: str
    index: int
    source: str
    text: str


class StressRow(TypedDict):
    """A row of the exported stress set: the `sft` row with the same `id`, some with a low-effort answer.

    `replaced_by`: the kind of the low-effort answer, null where the row kept its own answer.
    """

    id: str
    k: int
    skills: list[str]
    topic: str | None
    query_type: str | None
    prompt: list[Message]
    completion: list[Message]
    replaced_by: str | None


class SelfRow(TypedDict):
    """An answer, feedback on it and the refined answer: a training record of SELF (arXiv 2310.00533)."""

    id: str
    instruction: str
    answer: str
    feedback: str
    refined_answer: str


class CellColumns(TypedDict):
    """The columns of a sample row that its cell and its plan decide."""

    plan: str
    index: int
    cell: str
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
    teacher: str
    prompts: str
    seed: int
    split: str


def sample_row(sample: Sample, **cell_columns: Unpack[CellColumns]) -> SampleRow:
    """Return the row of a sample, given the columns of its cell and plan."""
    return {
        **cell_columns,
        "id": row_id(cell_columns["plan"], cell_columns["index"], sample.generation),
        "generation": sample.generation,
        "prompt": [{"role": "user", "content": sample.instruction}] if sample.instruction else [],
        "completion": completion(sample),
        "verdict": "accepted" if sample.accepted else "rejected",
        "reasons": [str(reason) for reason in sample.reasons],
        "signals": sorted(sample.signals.items()),
        "grade": sample.grade,
        "draft": sample.draft,
        "kept": sample.kept,
        "critique": sample.critique,
        "explanation": sample.explanation,
        "finish_reason": sample.finish_reason,
        "draft_finish_reason": sample.draft_finish_reason,
        "thinking": sample.thinking,
        "draft_thinking": sample.draft_thinking,
        "grader": sample.grader,
        "prompt_tokens": sample.prompt_tokens,
        "completion_tokens": sample.completion_tokens,
        "schema_version": SCHEMA_VERSION,
    }


def completion(sample: Sample) -> list[Message]:
    """Return the `completion` column of a sample: its response, or no message if it has none."""
    return [{"role": "assistant", "content": sample.response}] if sample.response else []


def sample_of(row: SampleRow) -> Sample:
    """Return the sample from which `sample_row` made `row`."""
    return Sample(
        instruction=text_of(row["prompt"]),
        response=text_of(row["completion"]),
        generation=row["generation"],
        draft=row["draft"],
        kept=row["kept"],
        critique=row["critique"],
        explanation=row["explanation"],
        finish_reason=row["finish_reason"],
        draft_finish_reason=row["draft_finish_reason"],
        thinking=row["thinking"],
        draft_thinking=row["draft_thinking"],
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        reasons=tuple(row["reasons"]),
        signals=dict(row["signals"] or []),
        grade=row["grade"],
        grader=row["grader"],
    )


def row_id(plan: str, index: int, generation: int) -> str:
    """Return the `id` of a sample row: 16 hex digits of the SHA-256 of plan, index and generation."""
    return hashlib.sha256(f"{plan}:{index}:{generation}".encode()).hexdigest()[:16]


def pair_id(row: str, source: str) -> str:
    """Return the `id` of the pair whose rejected side `source` gave for the sample row with the id `row`."""
    return hashlib.sha256(f"{row}:{source}".encode()).hexdigest()[:16]


def text_of(messages: list[Message] | None) -> str:
    """Return the text of a `prompt` or `completion` column, "" if it holds no message."""
    return messages[0]["content"] if messages else ""
