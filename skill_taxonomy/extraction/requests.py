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
SENTENCE = {"type": "string", "pattern": f"^[A-Z]{_WORDS}"}
THE_USER_WANTS = {"type": "string", "pattern": f"^The user wants {_WORDS}"}
NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){0,2}$"}
# A skill has at least two words, because a single word mostly names a thing.
SKILL_NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){1,2}$"}

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
    """

    teacher: Teacher
    sampling: Sampling
    seed: int
    progress: Progress

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
        messages = _messages(examples, question)
        try:
            reply = await self.teacher.chat(Request(messages, self.sampling, seed, schema, "taxonomy"))
        except RequestFailed:
            return None
        return parse_object(reply.text, tuple(schema["properties"]))

    def shuffled(self, items: Sequence[Any], *place: object) -> list[Any]:
        """Return the items in a random order for the request at `place`.

        The answers of a small model depend on the last items that it is shown, so each request shows another order.
        """
        return random.Random(derived_seed(self.seed, *place)).sample(items, len(items))  # noqa: S311 (no secret)


def make_requester(teacher: Teacher, sampling: Sampling, seed: int, progress: Progress) -> Requester:
    """Return a requester with the run's sampling, limited to `MAX_TOKENS` and `MAX_TEMPERATURE`."""
    limits = {"max_tokens": MAX_TOKENS, "temperature": MAX_TEMPERATURE}
    lowered = {key: min(getattr(sampling, key), limit) for key, limit in limits.items()}
    return Requester(teacher, sampling.model_copy(update=lowered), seed, progress)


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
