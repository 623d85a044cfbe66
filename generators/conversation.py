"""Parts of a conversation that all generators share: messages, token counts, the short form, copies of examples."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from skillmill.data.records import Message
from skillmill.data.text.repetition import covered_share
from skillmill.data.text.words import words
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.teachers.base import Reply, Request, Sampling, Teacher
from skillmill.teachers.structured import clean

SHORT_FORM_TOKENS = 400
"""Below this `max_tokens` a conversation has the short form: an instruction is one sentence, an answer one paragraph,
and patterns in the JSON schema enforce it. Small models answer a guided question better than they write long texts."""
SHORT_EXPLANATION = r"^[A-Z][^\"\\\n]{10,200}[.]$"
"""Pattern of the short form for an explanation."""
SHORT_REMARK = r"^[A-Z][^\"\\\n]{10,80}[.]$"
"""Pattern of the short form for each field of a critique: small models wander off in a longer one."""
ANY_TEXT = r"^[^\"\\\n]{10,400}$"
"""Pattern of the short form for a text in any language."""

ONE_PARAGRAPH = {"stop": ["\n\n"]}
"""Sampling parameter that ends an answer of the short form after its paragraph. All supported chat APIs have `stop`."""

PROMPTS = Path(__file__).parent / "prompts"

COPY_NGRAM = 8
"""Words. Shorter n-grams would mark common openings such as "Can you help me plan a …" as copies."""
COPY_SHARE = 0.5


def user(content: str) -> Message:
    """Return a message with the role "user"."""
    return {"role": "user", "content": content}


def assistant(content: str) -> Message:
    """Return a message with the role "assistant"."""
    return {"role": "assistant", "content": content}


def system(content: str) -> Message:
    """Return a message with the role "system"."""
    return {"role": "system", "content": content}


@dataclass(slots=True)
class TokenCounts:
    """Token counts, summed over the turns of one sample."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, reply: Reply) -> None:
        """Add the token counts of one reply."""
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens


@dataclass(slots=True)
class CountingTeacher:
    """A teacher with the sampling of a run, which sums the tokens of its requests in `tokens`."""

    teacher: Teacher
    sampling: Sampling
    tokens: TokenCounts = field(default_factory=TokenCounts)

    async def chat(
        self, messages: list[Message], seed: int, stage: str, json_schema: dict[str, Any] | None = None
    ) -> Reply:
        """Send one request and count its tokens. Raises `RequestFailed` if it gets no reply."""
        reply = await self.teacher.chat(Request(messages, self.sampling, seed, json_schema, stage))
        self.tokens.add(reply)
        return reply


def lost_to_thinking(reply: Reply, sampling: Sampling) -> str | None:
    """Return what to say about a reply whose reasoning took all its tokens; None if it has a text.

    The filters reject such a reply as cut off; it is not one in a wrong form.
    """
    if not reply.lost_to_thinking:
        return None
    return (
        f"max_tokens went into thinking: no text came within the {sampling.max_tokens:,} tokens of "
        "teacher.sampling.max_tokens; raise it, or switch the model's thinking off"
    )


def thinking_of(*replies: Reply) -> str | None:
    """Return what a reasoning model thought before the replies, separated by blank lines, None if it did not."""
    return "\n\n".join(filter(None, (clean(reply.thinking).strip() for reply in replies))) or None


def definition_or_name(skill: Skill) -> str:
    """Return the skill's definition without its final full stop, or its name if it has no definition."""
    return (skill.definition or skill.name).rstrip(".")


def is_short_form(sampling: Sampling) -> bool:
    """Return whether `max_tokens` is below `SHORT_FORM_TOKENS`."""
    return sampling.max_tokens < SHORT_FORM_TOKENS


def answer_sampling(sampling: Sampling) -> Sampling:
    """Return the sampling for free-text answers: in the short form `stop` ends them after one paragraph.

    A configured `stop` takes precedence.
    """
    configured = sampling.model_extra or {}
    return sampling.model_copy(update={**ONE_PARAGRAPH, **configured}) if is_short_form(sampling) else sampling


def text_schema(sampling: Sampling, short_pattern: str) -> dict[str, object]:
    """Return the JSON schema of a string field: `short_pattern` in the short form, else only a maximum length.

    Both limits keep the string below `max_tokens`, because a constrained reply that is cut off is invalid JSON.
    """
    if is_short_form(sampling):
        return {"type": "string", "pattern": short_pattern}
    return {"type": "string", "minLength": 1, "maxLength": 2 * sampling.max_tokens}


def copies_example(text: str, examples: list[str]) -> bool:
    """Return whether at least half of the text's words are in 8-word n-grams of one worked example."""
    tokens = words(text)
    return any(
        # The vocabulary check is cheap and excludes most texts: it takes a tenth of the time of the n-gram check.
        2 * sum(map(_vocabulary(example).__contains__, tokens)) >= len(tokens)
        and covered_share(tokens, _words(example), COPY_NGRAM) >= COPY_SHARE
        for example in examples
    )


_words = cache(words)


@cache
def _vocabulary(example: str) -> frozenset[str]:
    return frozenset(_words(example))
