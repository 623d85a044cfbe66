"""Skill-Mix: a very short text on a topic that shows k skills, drafted and then reviewed (papers.md 1.4)."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from skillmill.data.reasons import Reason
from skillmill.data.records import Message, Sample
from skillmill.filters.rows.form import number_of_sentences, sentence_limit
from skillmill.generators.conversation import (
    ANY_TEXT,
    PROMPTS,
    SHORT_REMARK,
    Asking,
    assistant,
    copies,
    system,
    text_schema,
    user,
)
from skillmill.generators.examples import TextExample, worked_examples
from skillmill.generators.parsing import answer_and_explanation
from skillmill.generators.targets import aimed
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.prompts import Prompts, shipped
from skillmill.teachers.structured import clean, object_schema

FOLDER = PROMPTS / "skill_mix"

SHORTEST_PER_SKILL = 25
"""Characters of the first sentence, in the short form: about the words that `filters.too_short` wants."""

Order = Literal["limit_first", "paper"]


@dataclass(frozen=True)
class SkillMix:
    """`generations` texts per cell, each its own conversation. `teacher` may be any: a student is asked the same way.

    `turns`: 2 is a draft and its review, 1 the draft alone. `order` "paper" asks as the paper does: no system message,
    no worked example and no schema, text and explanation under marks, the sentence limit told in the review alone;
    "limit_first" tells it in both turns, in JSON, after a worked example.
    """

    sampling: Sampling
    generations: int = 1
    turns: Literal[1, 2] = 2
    order: Order = "limit_first"
    templates: Prompts = field(default_factory=lambda: shipped(FOLDER))
    kind: str = field(default="skill_mix", init=False)

    @property
    def prompts(self) -> str:
        return self.templates.fingerprint

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation. Raises `RequestFailed` where the teacher gave no reply."""
        return [await self._one(cell, teacher, generation) for generation in range(self.generations)]

    async def _one(self, cell: Cell, teacher: Teacher, generation: int) -> Sample:
        asking = Asking(teacher, self.sampling)
        schema = text_and_explanation(self.sampling, cell) if self.order == "limit_first" else None
        drafting = self.opening_messages(cell)
        last = await asking.chat(drafting, derived_seed(cell.seed, generation, "draft"), "draft", schema)
        draft = None
        if self.turns == 2:
            first = clean(last.text)
            draft = answer_and_explanation(first)[0] or first
            reviewing = [*drafting, assistant(first), user(self._prompt("review", cell))]
            last = await asking.chat(reviewing, derived_seed(cell.seed, generation, "review"), "review", schema)
        answer, explanation = answer_and_explanation(clean(last.text))
        copied = answer is not None and copies(answer, [self.example.answer])
        reasons = (Reason.UNPARSABLE,) if answer is None else (Reason.PROMPT_COPY,) if copied else ()
        return Sample(
            instruction=self._aimed(self.templates.render("request", **variables(cell)), cell),
            response=answer or "",
            generation=generation,
            draft=clean(last.text) if answer is None else draft,
            explanation=explanation,
            finish_reason=last.finish_reason,
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
            reasons=reasons,
        )

    def opening_messages(self, cell: Cell) -> list[Message]:
        """The cell's task, in our order after the guidance and a worked example as an earlier turn."""
        return [*self._opening, user(self._aimed(self._prompt("draft", cell), cell))]

    def _aimed(self, prompt: str, cell: Cell) -> str:
        return aimed(prompt, self.templates, "text", difficulty=cell.difficulty, language=cell.language)

    def _prompt(self, turn: str, cell: Cell) -> str:
        return self.templates.render(f"paper_{turn}" if self.order == "paper" else turn, **variables(cell))

    @cached_property
    def _opening(self) -> list[Message]:
        if self.order == "paper":
            return []
        shown = self.example
        limit = number_of_sentences(1)
        task = self.templates.render("draft", skills=shown.skills, topic=shown.topic, sentences=limit)
        reply = orjson.dumps({"answer": shown.answer, "explanation": shown.explanation}).decode()
        return [system(self.templates.render("guidance")), user(task), assistant(reply)]

    @cached_property
    def example(self) -> TextExample:
        """The worked example. Raises `ConfigError` where the user's own is none."""
        return worked_examples(self.templates, "example", TextExample)[0]

    def __post_init__(self) -> None:
        _ = self.example  # complain before anything is asked


def variables(cell: Cell) -> dict[str, Any]:
    """What the prompts of a cell are rendered with."""
    return {
        "skills": cell.skills,
        "topic": cell.topic.name if cell.topic else "anything",
        "sentences": number_of_sentences(sentence_limit(cell.k, cell.length)),
    }


def text_and_explanation(sampling: Sampling, cell: Cell) -> dict[str, Any]:
    """The schema of both turns. A small token budget holds the text to its sentence limit; else only the words do."""
    if not cell.english:  # other scripts, other full stops
        return object_schema(answer=text_schema(sampling, ANY_TEXT), explanation=text_schema(sampling, ANY_TEXT))
    inside, more = r"[A-Z][^\"\\\n?.!]", sentence_limit(cell.k, cell.length) - 1
    text = f"{inside}{{{min(SHORTEST_PER_SKILL * cell.k, 100)},200}}[?.!]"
    text += f"( {inside}{{15,200}}[?.!]){{0,{more}}}" if more else ""
    return object_schema(answer=text_schema(sampling, f"^{text}$"), explanation=text_schema(sampling, SHORT_REMARK))
