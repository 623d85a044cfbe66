"""How a taxonomy is asked for: constrained answers, checked without trust, many at once, and a curve of them."""

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

from skillmill.data.errors import TeacherError
from skillmill.data.records import Message
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.names import bad_sentence
from skillmill.teachers.base import Request, RequestFailed, Sampling, Teacher
from skillmill.teachers.prompts import render
from skillmill.teachers.structured import object_schema, parse_object

PROMPTS = Path(__file__).parent / "prompts"

MAX_TOKENS = 200
TEMPERATURE = 0.6
"""At most: facts about the world, not fiction; above this a 135M model names things that do not exist."""

WINDOW = 256
"""Questions that `in_order` keeps going; the teacher's slots bound how many of them are really asked at once."""

# Loose on purpose: a grammar that forces letters on a small model ("must end in -ing") makes it invent words.
# `names` checks what an answer has to be, for every engine.
_LONGEST = 200
_WORDS = rf"[^\n\"\\<>{{}}\[\]:;.!?_*#|/]{{20,{_LONGEST}}}\.$"
SENTENCE = {"type": "string", "pattern": f"^[A-Z]{_WORDS}"}
THE_USER_WANTS = {"type": "string", "pattern": f"^The user wants {_WORDS}"}
NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){0,2}$"}
SKILL_NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( (a )?[a-z-]{2,14}){1,2}$"}  # one word is mostly a thing

Turn = tuple[str, dict[str, Any]]
"""A worked example: what was asked and the answer to it."""

Note = Callable[[str, int, int], None]
"""Told after each step: which list is asked for, answers so far, distinct names so far."""

Item = TypeVar("Item")
Made = TypeVar("Made")


class Curves(dict[str, list[tuple[int, int]]]):
    """Saturation: for each list, points of (answers asked, distinct names). A flat end says that it is complete.

    The last point is exact; before it they lie a tenth apart, so that a million answers make some 150 points.
    """

    def note(self, what: str, asked: int, found: int) -> None:
        points = self.setdefault(what, [])
        if len(points) > 1 and points[-1][0] < 1.1 * points[-2][0]:
            points.pop()
        points.append((asked, found))


@dataclass(frozen=True, slots=True)
class Asker:
    """A teacher with what all questions share; `place` names a question and gives it a seed of its own."""

    teacher: Teacher
    sampling: Sampling
    seed: int
    note: Note

    async def __call__(
        self, schema: dict[str, Any], shown: list[Turn], question: str, *place: object
    ) -> dict[str, Any] | None:
        """One answer, or None where this call has none: a failure costs the call, not the list."""
        seed = derived_seed(self.seed, "taxonomy", *place)
        try:
            reply = await self.teacher.chat(Request(_turns(shown, question), self.sampling, seed, schema, "taxonomy"))
        except RequestFailed:
            return None
        return parse_object(reply.text, tuple(schema["properties"]))

    def mixed(self, items: Sequence[Any], *place: object) -> list[Any]:
        """The items in an order of this call's own: a small model's answers follow what it was shown last."""
        return random.Random(derived_seed(self.seed, *place)).sample(items, len(items))  # noqa: S311 (no secret)


def asker(teacher: Teacher, sampling: Sampling, seed: int, note: Note) -> Asker:
    """An `Asker` with the run's sampling, at most as long and as warm as facts need."""
    limits = {"max_tokens": MAX_TOKENS, "temperature": TEMPERATURE}
    lowered = {key: min(getattr(sampling, key), limit) for key, limit in limits.items()}
    return Asker(teacher, sampling.model_copy(update=lowered), seed, note)


async def in_order(make: Callable[[Item], Awaitable[Made]], items: Iterable[Item]) -> AsyncIterator[Made]:
    """What `make` makes of each item, in their order, `WINDOW` under way: memory does not grow with the items."""
    running: deque[asyncio.Future[Made]] = deque()
    try:
        for item in items:
            running.append(asyncio.ensure_future(make(item)))
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
    return render(PROMPTS, turn, **variables)


@cache
def worked() -> dict[str, Any]:
    """The worked examples of `prompts/examples.yaml`."""
    examples: dict[str, Any] = yaml.safe_load((PROMPTS / "examples.yaml").read_text(encoding="utf-8"))
    return examples


def list_schema(key: str, item: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    """For an object with one list."""
    return object_schema(**{key: {"type": "array", "minItems": least, "maxItems": most, "items": item}})


def no_sentence(text: str, name: str | None = None) -> bool:
    """Whether this is no definition; one that is as long as the schema lets it be was broken off."""
    return len(text) > _LONGEST or bool(bad_sentence(text, name))


def texts(answer: dict[str, Any] | None, key: str) -> list[str]:
    """The strings of a list in an answer that may be anything."""
    given = answer[key] if answer else []
    return [text for text in given if isinstance(text, str)] if isinstance(given, list) else []


def enough(source: str, what: str, found: int, least: int, wanted: int) -> None:
    """Raises `TeacherError` where a taxonomy would have nothing to combine."""
    if found < least:
        raise TeacherError(
            f"taxonomy.source: {source} named {found} usable {what} of {wanted} asked for, at least {least} are "
            "needed; try another seed or a larger teacher, or use builtin:language"
        )


def _turns(examples: list[Turn], question: str) -> list[Message]:
    messages: list[Message] = []
    for asked, answer in examples:
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": orjson.dumps(answer).decode()})
    return [*messages, {"role": "user", "content": question}]
