"""Skill-Mix: a very short text on a topic that shows k skills, drafted and then reviewed (papers.md 1.4)."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.filters.form import sentence_limit
from skillmill.generators.conversation import (
    PROMPTS,
    SHORT_REMARK,
    Asking,
    assistant,
    copies,
    number_of_sentences,
    system,
    text_schema,
    user,
)
from skillmill.generators.parsing import answer_and_explanation, clean
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Message, Sampling, Teacher
from skillmill.teachers.prompts import prompts_fingerprint, render
from skillmill.teachers.structured import object_schema

FOLDER = PROMPTS / "skill_mix"

SHORTEST_PER_SKILL = 25
"""Characters of the first sentence, in the short form: about the words that `filters.too_short` wants."""


@dataclass(frozen=True)
class SkillMix:
    """`generations` texts per cell, each its own conversation of two turns."""

    sampling: Sampling
    generations: int = 1
    kind: str = field(default="skill_mix", init=False)
    prompts: str = field(default_factory=lambda: prompts_fingerprint(FOLDER), init=False)

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """One sample per generation. Raises `TurnFailed` where the teacher gave no reply."""
        return [await self._one(cell, teacher, generation) for generation in range(self.generations)]

    async def _one(self, cell: Cell, teacher: Teacher, generation: int) -> Sample:
        asking = Asking(teacher, self.sampling)
        schema = text_and_explanation(self.sampling, cell.k)
        drafting = opening_messages(cell)
        first = await asking.chat(drafting, derived_seed(cell.seed, generation, "draft"), "draft", schema)
        reviewing = [*drafting, assistant(first.text), user(render(FOLDER, "review", **variables(cell)))]
        second = await asking.chat(reviewing, derived_seed(cell.seed, generation, "review"), "review", schema)
        draft, _ = answer_and_explanation(clean(first.text))
        answer, explanation = answer_and_explanation(clean(second.text))
        copied = answer is not None and copies(answer, [example()["answer"]])
        reasons = (Reason.UNPARSABLE,) if answer is None else (Reason.PROMPT_COPY,) if copied else ()
        return Sample(
            instruction=render(FOLDER, "request", **variables(cell)),
            response=answer or "",
            generation=generation,
            draft=clean(second.text) if answer is None else draft or clean(first.text),
            explanation=explanation,
            finish_reason=second.finish_reason,
            prompt_tokens=asking.spent.prompt_tokens,
            completion_tokens=asking.spent.completion_tokens,
            reasons=reasons,
        )


def opening_messages(cell: Cell) -> list[Message]:
    """The guidance, a worked example as an earlier turn, and the cell's task."""
    return [*_opening(), user(render(FOLDER, "draft", **variables(cell)))]


@cache
def _opening() -> list[Message]:
    shown = example()
    task = render(FOLDER, "draft", skills=shown["skills"], topic=shown["topic"], sentences=number_of_sentences(1))
    reply = {key: shown[key] for key in ("answer", "explanation")}
    return [system(render(FOLDER, "guidance")), user(task), assistant(orjson.dumps(reply).decode())]


def variables(cell: Cell) -> dict[str, Any]:
    """What the prompts of a cell are rendered with."""
    return {
        "skills": cell.skills,
        "topic": cell.topic.name if cell.topic else "anything",
        "sentences": number_of_sentences(sentence_limit(cell.k)),
    }


def text_and_explanation(sampling: Sampling, k: int) -> dict[str, Any]:
    """The schema of both turns. A small token budget holds the text to its sentence limit; else only the words do."""
    inside, more = r"[A-Z][^\"\\\n?.!]", sentence_limit(k) - 1
    text = f"{inside}{{{min(SHORTEST_PER_SKILL * k, 100)},200}}[?.!]"
    text += f"( {inside}{{15,200}}[?.!]){{0,{more}}}" if more else ""
    return object_schema(answer=text_schema(sampling, f"^{text}$"), explanation=text_schema(sampling, SHORT_REMARK))


@cache
def example() -> dict[str, Any]:
    """The worked example: topic, skills, answer, explanation."""
    shown: dict[str, Any] = orjson.loads(render(FOLDER, "example"))
    return shown
