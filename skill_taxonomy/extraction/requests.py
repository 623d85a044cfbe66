"""Requests of the extraction: prompts with worked examples, schemas for the replies, and many requests at once."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
import yaml

from skillmill.data.records import Message
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.extraction.saturation import Progress
from skillmill.teachers.base import Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.prompts import render
from skillmill.teachers.structured import object_schema, parse_object

PROMPTS = Path(__file__).parent / "prompts"

MAX_TOKENS = 200
MAX_TEMPERATURE = 0.6
"""The upper limit of the temperature: above it a 135M model names things that do not exist."""

WINDOW = 256
"""The number of calls that `map_in_order` keeps running; the teacher limits how many requests are sent at once."""

# The patterns are loose, because a small model invents words under a strict one (such as "must end in -ing").
# `names` and `definitions` check every answer of every engine.
MAX_SENTENCE_CHARS = 200
_WORDS = rf"[^\n\"\\<>{{}}\[\]:;.!?_*#|/]{{20,{MAX_SENTENCE_CHARS}}}\.$"


@dataclass(frozen=True, slots=True)
class Forms:
    """The JSON schemas of names and sentences in the replies.

    Attributes:
        name: A name of a topic or query type.
        skill_name: A name of a skill.
        sentence: A definition or an example of a skill.
        query_definition: A definition of a query type.
    """

    name: dict[str, str]
    skill_name: dict[str, str]
    sentence: dict[str, str]
    query_definition: dict[str, str]


def _text_schema(pattern: str) -> dict[str, str]:
    return {"type": "string", "pattern": pattern}


ENGLISH = Forms(
    name=_text_schema("^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){0,2}$"),
    # A skill has at least two words, because a single word mostly names a thing.
    skill_name=_text_schema("^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){1,2}$"),
    sentence=_text_schema(f"^[A-Z]{_WORDS}"),
    query_definition=_text_schema(f"^The user wants {_WORDS}"),
)
_ANY_NAME = _text_schema(r"^[^\n\"\\<>{}\[\]:;,.!?_*|/。，、；：！？]{2,40}$")
_ANY_SENTENCE = _text_schema(rf"^[^\n\"\\<>{{}}\[\]]{{6,{MAX_SENTENCE_CHARS}}}$")
ANY_LANGUAGE = Forms(_ANY_NAME, _ANY_NAME, _ANY_SENTENCE, _ANY_SENTENCE)
OTHER_LETTERS = 0.01
"""The share of letters outside A to Z from which a text is not English: French and German have 2 to 4 %."""

Turn = tuple[str, dict[str, Any]]
"""A worked example: the text of a user message and the JSON object that answers it."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Requester:
    """Sends the requests of one extraction.

    Attributes:
        teacher: The teacher that answers.
        sampling: The sampling parameters of all requests.
        seed: The seed of the extraction.
        progress: Called after each step of the extraction.
        forms: The schemas of names and sentences. Questions for replies in other languages than English say so.
    """

    teacher: Teacher
    sampling: Sampling
    seed: int
    progress: Progress
    forms: Forms = ENGLISH

    async def __call__(
        self, schema: dict[str, Any], examples: list[Turn], question: str, *place: object
    ) -> dict[str, Any] | None:
        """Return the JSON object that answers a question, or None if the request fails or the reply is not one.

        Args:
            schema: The JSON schema of the answer.
            examples: Worked examples, which precede the question as earlier turns.
            question: The text of the user message.
            place: What identifies the request within the extraction; its seed is derived from it.
        """
        seed = derived_seed(self.seed, "taxonomy", *place)
        if self.forms is not ENGLISH:
            question = f"{question}\n\n{prompt('language')}"
        messages = _messages(examples, question)
        try:
            reply = await self.teacher.chat(Request(messages, self.sampling, seed, schema, "taxonomy"))
        except RequestFailed:
            return None
        return parse_object(reply.text, tuple(schema["properties"]), whole=reply.finish_reason != "length")

    def shuffled(self, items: Sequence[Any], *place: object) -> list[Any]:
        """Return the items in a random order that is drawn from `place`.

        The answers of a small model depend on the last items that it is shown, so the requests of a round show
        different orders. All rounds and lists show the same orders, so that a prefix cache serves them.
        """
        return random.Random(derived_seed(self.seed, *place)).sample(items, len(items))  # noqa: S311 (no secret)


def make_requester(
    teacher: Teacher, sampling: Sampling, seed: int, progress: Progress, material: Iterable[str] = ()
) -> Requester:
    """Return a requester with the run's sampling, limited to `MAX_TOKENS` and `MAX_TEMPERATURE`.

    `material` is text that requests show, such as the domain; its language decides the form of the replies.
    """
    limits = {"max_tokens": MAX_TOKENS, "temperature": MAX_TEMPERATURE}
    lowered = {key: min(getattr(sampling, key), limit) for key, limit in limits.items()}
    return Requester(teacher, sampling.model_copy(update=lowered), seed, progress, forms_for(material))


def forms_for(material: Iterable[str]) -> Forms:
    """Return `ENGLISH` if fewer than `OTHER_LETTERS` of the letters are outside A to Z, otherwise `ANY_LANGUAGE`."""
    letters = [char for text in material for char in text if char.isalpha()]
    other = sum(not char.isascii() for char in letters)
    return ANY_LANGUAGE if other > OTHER_LETTERS * len(letters) else ENGLISH


async def map_in_order(function: Callable[[Item], Awaitable[Result]], items: Iterable[Item]) -> AsyncIterator[Result]:
    """Yield the result of an asynchronous function for each item, in order, with `WINDOW` calls running at once.

    Memory does not grow with the number of items. An exception cancels the other calls.
    """
    running: deque[asyncio.Future[Result]] = deque()
    try:
        for item in items:
            running.append(asyncio.ensure_future(function(item)))
            if len(running) == WINDOW:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*running, return_exceptions=True)


def prompt(turn: str, **variables: Any) -> str:
    """Return the prompt `prompts/<turn>.jinja` with its variables filled in."""
    return render(PROMPTS, turn, **variables)


@cache
def worked_examples() -> dict[str, Any]:
    """Return the worked examples in `prompts/examples.yaml`, by kind of request."""
    examples: dict[str, Any] = yaml.safe_load((PROMPTS / "examples.yaml").read_text(encoding="utf-8"))
    return examples


def list_schema(key: str, item: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    """Return the schema of an object whose one key is a list of `least` to `most` items."""
    return object_schema(**{key: {"type": "array", "minItems": least, "maxItems": most, "items": item}})


def strings_in(answer: dict[str, Any] | None, key: str) -> list[str]:
    """Return the strings in the list `key` of an answer; an empty list if there is no answer or no list."""
    values = answer[key] if answer else []
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _messages(examples: list[Turn], question: str) -> list[Message]:
    """Return the worked examples as pairs of user and assistant messages, followed by the question."""
    messages: list[Message] = []
    for text, answer in examples:
        messages.append({"role": "user", "content": text})
        messages.append({"role": "assistant", "content": orjson.dumps(answer).decode()})
    return [*messages, {"role": "user", "content": question}]
