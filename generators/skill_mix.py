"""Skill-Mix (arXiv 2310.17567): a very short text on a topic that shows k skills, in a draft and a review turn."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from skillmill.data.reasons import PROMPT_COPY, UNPARSABLE, Reason
from skillmill.data.records import Message, Sample
from skillmill.data.text.lengths import sentence_limit, sentences_in_words
from skillmill.generators.conversation import (
    ANY_TEXT,
    PROMPTS,
    SHORT_EXPLANATION,
    CountingTeacher,
    assistant,
    copies_example,
    lost_to_thinking,
    system,
    text_schema,
    thinking_of,
    user,
)
from skillmill.generators.examples import TextExample, read_examples
from skillmill.generators.parsing import answer_and_explanation
from skillmill.generators.targets import with_targets
from skillmill.skill_taxonomy.cells import Cell, derived_seed
from skillmill.teachers.base import Reply, Sampling, Teacher
from skillmill.teachers.prompts import Prompts, shipped
from skillmill.teachers.structured import clean, object_schema

FOLDER = PROMPTS / "skill_mix"

MIN_CHARACTERS_PER_SKILL = 25
"""Length of the first sentence in the short form, about the number of words that the filter `too_short` requires."""

Order = Literal["limit_first", "paper"]


@dataclass(frozen=True)
class SkillMix:
    """Generator of `generations` texts per cell, each in a conversation of its own.

    The teacher may be any model; a student is evaluated with the same requests.

    `turns`: 2 is a draft and its review, 1 is the draft alone. `order`: "paper" follows the paper, with no system
    message, no worked example and no JSON schema, with marks before text and explanation, and with the sentence limit
    in the review turn only. "limit_first" states the limit in both turns, requests JSON and shows a worked example.
    """

    sampling: Sampling
    generations: int = 1
    turns: Literal[1, 2] = 2
    order: Order = "limit_first"
    templates: Prompts = field(default_factory=lambda: shipped(FOLDER))
    kind: str = field(default="skill_mix", init=False)

    @property
    def prompts(self) -> str:
        """The fingerprint of the prompt files."""
        return self.templates.fingerprint

    async def make(self, cell: Cell, teacher: Teacher) -> list[Sample]:
        """Return one sample per generation. Raises `RequestFailed` if a request gets no reply."""
        return [await self._sample(cell, teacher, generation) for generation in range(self.generations)]

    async def _sample(self, cell: Cell, teacher: Teacher, generation: int) -> Sample:
        counting = CountingTeacher(teacher, self.sampling)
        schema = reply_schema(self.sampling, cell) if self.order == "limit_first" else None
        draft_messages = self.draft_messages(cell)
        last_reply = await counting.chat(draft_messages, derived_seed(cell.seed, generation, "draft"), "draft", schema)
        draft = draft_thinking = None
        if self.turns == 2:
            first_text = clean(last_reply.text)
            draft = answer_and_explanation(first_text, last_reply.finish_reason != "length")[0] or first_text
            draft_thinking = thinking_of(last_reply)
            review_messages = [*draft_messages, assistant(first_text), user(self._task("review", cell))]
            review_seed = derived_seed(cell.seed, generation, "review")
            last_reply = await counting.chat(review_messages, review_seed, "review", schema)
        answer, explanation = answer_and_explanation(clean(last_reply.text), last_reply.finish_reason != "length")
        return Sample(
            instruction=self._with_targets(self.templates.render("request", **prompt_variables(cell)), cell),
            response=answer or "",
            generation=generation,
            draft=clean(last_reply.text) if answer is None else draft,
            explanation=explanation or lost_to_thinking(last_reply, self.sampling),
            finish_reason=last_reply.finish_reason,
            thinking=thinking_of(last_reply),
            draft_thinking=draft_thinking,
            prompt_tokens=counting.tokens.prompt_tokens,
            completion_tokens=counting.tokens.completion_tokens,
            reasons=self._reasons(answer, last_reply),
        )

    def _reasons(self, answer: str | None, reply: Reply) -> tuple[Reason, ...]:
        if answer is None:
            return () if reply.lost_to_thinking else (UNPARSABLE,)
        return (PROMPT_COPY,) if copies_example(answer, [self.example.answer]) else ()

    def draft_messages(self, cell: Cell) -> list[Message]:
        """Return the messages of turn 1: the cell's task, after guidance and worked example in "limit_first" order."""
        return [*self._opening, user(self._with_targets(self._task("draft", cell), cell))]

    def _with_targets(self, prompt: str, cell: Cell) -> str:
        return with_targets(prompt, self.templates, "text", difficulty=cell.difficulty, language=cell.language)

    def _task(self, turn: str, cell: Cell) -> str:
        return self.templates.render(f"paper_{turn}" if self.order == "paper" else turn, **prompt_variables(cell))

    @cached_property
    def _opening(self) -> list[Message]:
        if self.order == "paper":
            return []
        example = self.example
        sentences = sentences_in_words(1)
        task = self.templates.render("draft", skills=example.skills, topic=example.topic, sentences=sentences)
        reply = orjson.dumps({"answer": example.answer, "explanation": example.explanation}).decode()
        return [system(self.templates.render("guidance")), user(task), assistant(reply)]

    @cached_property
    def example(self) -> TextExample:
        """The worked example. Raises `ConfigError` if a user's prompt file holds no valid example."""
        return read_examples(self.templates, "example", TextExample)[0]

    def __post_init__(self) -> None:
        _ = self.example  # raise `ConfigError` before the first request


def prompt_variables(cell: Cell) -> dict[str, Any]:
    """Return the variables of the Skill-Mix prompts for a cell."""
    return {
        "skills": cell.skills,
        "topic": cell.topic.name if cell.topic else "anything",
        "sentences": sentences_in_words(sentence_limit(cell.k, cell.length)),
    }


def reply_schema(sampling: Sampling, cell: Cell) -> dict[str, Any]:
    """Return the JSON schema of both turns' replies: `answer` and `explanation`.

    In the short form a pattern enforces the sentence limit of `answer`; otherwise only the prompt states the limit. The
    pattern recognises sentences by Latin capitals and full stops, so cells in other languages get `ANY_TEXT`.
    """
    if not cell.english:
        return object_schema(answer=text_schema(sampling, ANY_TEXT), explanation=text_schema(sampling, ANY_TEXT))
    inside, more = r"[A-Z][^\"\\\n?.!]", sentence_limit(cell.k, cell.length) - 1
    text = f"{inside}{{{min(MIN_CHARACTERS_PER_SKILL * cell.k, 100)},200}}[?.!]"
    text += f"( {inside}{{15,200}}[?.!]){{0,{more}}}" if more else ""
    return object_schema(
        answer=text_schema(sampling, f"^{text}$"), explanation=text_schema(sampling, SHORT_EXPLANATION)
    )
