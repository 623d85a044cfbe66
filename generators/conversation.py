"""What the generators share: turns of a conversation, and what they cost."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from skillmill.data.records import Message
from skillmill.data.text.measures import covered_share, words
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.teachers.base import Reply, Request, Sampling, Teacher

SHORT_BUDGET = 400
"""Tokens a turn. Below, instructions are one sentence and answers one paragraph, and the schema holds the form: a
small model in a small budget keeps to a question that it is led into, and loses itself in a longer text."""
SHORT_REMARK = r"^[A-Z][^\"\\\n]{10,200}[.]$"
"""The form of a critique's halves and of an explanation in the short form."""
ANY_TEXT = r"^[^\"\\\n]{10,400}$"
"""The short form in any language."""

PARAGRAPH = {"stop": ["\n\n"]}
"""Ends a short answer where its one paragraph ends; every chat API knows `stop`."""

PROMPTS = Path(__file__).parent / "prompts"


def user(content: str) -> Message:
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def system(content: str) -> Message:
    return {"role": "system", "content": content}


@dataclass(slots=True)
class Spent:
    """Token counts over the turns of one sample."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, reply: Reply) -> Reply:
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        return reply


@dataclass(slots=True)
class Asking:
    """A teacher with the sampling of a run, counting what each question costs. `chat` may raise `RequestFailed`."""

    teacher: Teacher
    sampling: Sampling
    spent: Spent = field(default_factory=Spent)

    async def chat(
        self, messages: list[Message], seed: int, stage: str, json_schema: dict[str, Any] | None = None
    ) -> Reply:
        return self.spent.add(await self.teacher.chat(Request(messages, self.sampling, seed, json_schema, stage)))


def described(skill: Skill) -> str:
    """A skill without its name, where it has a definition."""
    return (skill.definition or skill.name).rstrip(".")


def is_short(sampling: Sampling) -> bool:
    """Whether the token budget of a turn asks for the short form."""
    return sampling.max_tokens < SHORT_BUDGET


def answer_sampling(sampling: Sampling) -> Sampling:
    """How answers are decoded: as all turns, but a short one is a single paragraph."""
    given = sampling.model_extra or {}
    return sampling.model_copy(update={**PARAGRAPH, **given}) if is_short(sampling) else sampling


def text_schema(sampling: Sampling, short_pattern: str) -> dict[str, object]:
    """A string that ends before the tokens do: a constrained reply must not break off inside its JSON."""
    if is_short(sampling):
        return {"type": "string", "pattern": short_pattern}
    return {"type": "string", "minLength": 1, "maxLength": 2 * sampling.max_tokens}


def copies(text: str, examples: list[str]) -> bool:
    """Whether half of the words stand in 8-word runs of a worked example: small models copy.

    A shorter run would take "Can you help me plan a …" for a copy.
    """
    said = words(text)
    return any(
        2 * sum(map(_vocabulary(example).__contains__, said)) >= len(said)  # a rough look, a tenth of the time
        and covered_share(said, _words(example), 8) >= 0.5
        for example in examples
    )


_words = cache(words)


@cache
def _vocabulary(example: str) -> frozenset[str]:
    return frozenset(_words(example))
