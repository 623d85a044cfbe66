"""A taxonomy pulled out of the teacher: topics, then skills for each topic, then query types.

Instruct-SkillMix, stage 1 (arXiv 2408.14774), whose prompts are not published; these are ours. One
item a call after worked examples, so that a 135M model follows too; answers are constrained by a schema
and then checked without trust in it, and a place is asked for again until it is filled or the calls run out.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar

import orjson
import yaml

from skillmill.data.errors import TeacherError
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, same_name, tidy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Message, Request, Sampling, Teacher, TurnFailed
from skillmill.teachers.prompts import render
from skillmill.teachers.structured import object_schema, parse_object

PROMPTS = Path(__file__).parent / "prompts"

ROUNDS = 6
"""A list is asked for at most this many times; every round asks for what is still missing."""

LEAST_SKILLS, LEAST_TOPICS, LEAST_QUERY_TYPES = 4, 2, 2
"""Below this there is nothing to combine, and extraction fails."""

MAX_TOKENS = 160
QUERY_TYPE_MIN_WORDS = 40
_ARTICLES = {"a", "an", "the"}  # "caught the thief" is a clause, not a skill
LETTERS = "abcdefghilmnoprst"
"""First letters that later answers are asked to have, where free ones keep coming out the same."""

FREE_ROUNDS = 2
"""Rounds without letters: a free answer is the better one, a letter makes a small model reach too far."""

TEMPERATURE = 0.6
"""At most: facts about the world, not fiction; above this a 135M model names things that do not exist."""

# Loose on purpose: a grammar that forces letters on a small model ("must end in -ing") makes it invent words.
# Short words must be allowed for the same reason: without " of " it writes "ofthe". `names` checks what an
# answer has to be, for every engine. Names get their first letter from `_starting`.
_WORDS = r"[^\n\"\\<>{}\[\]:;.!?_*#|/]{20,150}\.$"
_SENTENCE = {"type": "string", "pattern": f"^[A-Z]{_WORDS}"}
_THE_USER_WANTS = {"type": "string", "pattern": f"^The user wants {_WORDS}"}
_NAME = {"type": "string", "pattern": "[a-z-]{2,13}( [a-z-]{1,14}){0,3}$"}
_SKILL_KEYS = ("skill", "definition", "example")
_SKILL_NAME = {"type": "string", "pattern": "[a-z-]{2,13}( [a-z-]{1,14}){1,3}$"}  # one word is mostly a thing

Item = TypeVar("Item", Topic, Skill, QueryType)


async def extract(config: TaxonomyConfig, teacher: Teacher, sampling: Sampling, seed: int) -> Taxonomy:
    """The taxonomy that the teacher names, in an order that its replies alone decide.

    A skill's category is the topic it was named for. Raises `TeacherError` where fewer than
    `LEAST_TOPICS`, `LEAST_SKILLS` or `LEAST_QUERY_TYPES` came out; otherwise goes on with what there is.
    """
    limits = {"max_tokens": MAX_TOKENS, "temperature": TEMPERATURE}
    lowered = {key: min(getattr(sampling, key), limit) for key, limit in limits.items()}
    asker = _Asker(teacher, sampling.model_copy(update=lowered), seed)
    topics = await _topics(config, asker)
    _enough("topics", len(topics), LEAST_TOPICS, config.topics)
    lists = await asyncio.gather(*(_skills(topic, config, asker) for topic in topics))
    skills = _merged([skill for named in lists for skill in named], [topic.name for topic in topics])
    _enough("skills", len(skills), LEAST_SKILLS, config.topics * config.skills_per_topic)
    query_types = await _query_types(config, asker)
    _enough("query types", len(query_types), LEAST_QUERY_TYPES, config.query_types)
    return Taxonomy(
        name=config.domain or "extracted",
        source=f"asked of {teacher.name}, seed {seed}",
        skills=tuple(skills),
        topics=tuple(topics),
        query_types=tuple(query_types),
    )


@dataclass(frozen=True, slots=True)
class _Asker:
    teacher: Teacher
    sampling: Sampling
    seed: int

    async def __call__(self, schema: dict[str, Any], messages: list[Message], *place: object) -> dict[str, Any] | None:
        """One item, or None where this call has none: a failure costs the call, not the list."""
        seed = derived_seed(self.seed, "taxonomy", *place)
        try:
            reply = await self.teacher.chat(Request(messages, self.sampling, seed, schema, "taxonomy"))
        except TurnFailed:
            return None
        return parse_object(reply.text, tuple(schema["properties"]))


async def _topics(config: TaxonomyConfig, ask: _Asker) -> list[Topic]:
    shown = _examples()["topics"]

    async def one(letter: str, *place: int) -> Topic | None:
        # the examples vary too: a small model's topics follow them
        turns = [(_topic_turn(None, letter and name[0]), {"topic": name}) for name in _some(shown, ask.seed, *place)]
        schema = object_schema(topic=_starting(_NAME, letter.upper() or "[A-Z]"))
        answer = await ask(schema, _turns(turns, _topic_turn(config.domain, letter)), "topic", *place)
        return _topic(answer, shown) if answer else None

    return await _collect(one, config.topics, derived_seed(ask.seed, "topics"))


async def _skills(topic: Topic, config: TaxonomyConfig, ask: _Asker) -> list[Skill]:
    shown = _examples()["skills"]

    async def one(letter: str, *place: int) -> Skill | None:
        turns = [
            (
                _skill_turn(example["topic"], letter and example["skill"][0]),
                {key: example[key] for key in _SKILL_KEYS},
            )
            for example in shown
        ]
        schema = object_schema(skill=_starting(_SKILL_NAME, letter), definition=_SENTENCE, example=_SENTENCE)
        answer = await ask(schema, _turns(turns, _skill_turn(topic.name, letter)), "skill", topic.name, *place)
        return _skill(answer, topic.name, shown) if answer else None

    return await _collect(one, config.skills_per_topic, derived_seed(ask.seed, "skills", topic.name))


async def _query_types(config: TaxonomyConfig, ask: _Asker) -> list[QueryType]:
    shown = _examples()["query_types"]

    async def one(letter: str, *place: int) -> QueryType | None:
        turns = [
            (_query_type_turn(None, letter and example["query_type"][0]), example)
            for example in _some(shown, ask.seed, *place)
        ]
        schema = object_schema(query_type=_starting(_NAME, letter), definition=_THE_USER_WANTS)
        answer = await ask(schema, _turns(turns, _query_type_turn(config.domain, letter)), "query type", *place)
        return _query_type(answer, shown) if answer else None

    return await _collect(one, config.query_types, derived_seed(ask.seed, "query types"))


async def _collect(one: Callable[..., Awaitable[Item | None]], wanted: int, seed: int) -> list[Item]:
    """Ask for what is missing, all at once, until there are `wanted` different items or the rounds are over."""
    letters = cycle(random.Random(seed).sample(LETTERS, len(LETTERS)))  # noqa: S311 (a draw, no secret)
    found: list[Item] = []
    for attempt in range(ROUNDS):
        missing = wanted - len(found)
        if missing <= 0:
            break
        drawn = [next(letters) if attempt >= FREE_ROUNDS else "" for _ in range(missing)]
        items = await asyncio.gather(*(one(letter, attempt, position) for position, letter in enumerate(drawn)))
        for item in items:
            if item is not None and not any(same_name(item.name, other.name) for other in found):
                found.append(item)
    return found


def _topic_turn(domain: str | None, letter: str) -> str:
    return render(PROMPTS, "topics", domain=domain, letter=letter.upper())


def _skill_turn(topic: str, letter: str) -> str:
    return render(PROMPTS, "skills", topic=topic, letter=letter.upper())


def _query_type_turn(domain: str | None, letter: str) -> str:
    return render(PROMPTS, "query_types", domain=domain, letter=letter.upper())


def _some(examples: list[Any], *place: object) -> list[Any]:
    """Four of the worked examples, drawn for one call."""
    return random.Random(derived_seed(*place)).sample(examples, 4)  # noqa: S311 (a draw, no secret)


def _starting(name: dict[str, str], letter: str) -> dict[str, str]:
    """The schema of a name that starts with `letter`, or with any where it is ""."""
    return {**name, "pattern": f"^{letter or '[a-z]'}{name['pattern']}"}


def _topic(answer: dict[str, Any], shown: list[str]) -> Topic | None:
    name = tidy(answer["topic"])
    if bad_name(name) or any(same_name(name, example) for example in shown):
        return None
    return Topic(name=name[0].upper() + name[1:])


def _skill(answer: dict[str, Any], topic: str, shown: list[dict[str, str]]) -> Skill | None:
    name, definition, example = (tidy(answer[key]) for key in ("skill", "definition", "example"))
    name = canonical(name)
    if (
        _ARTICLES & set(name.split())
        or bad_name(name)
        or same_name(name, topic)
        or bad_sentence(definition, name)
        or bad_sentence(example)
    ):
        return None
    if any(_copies(answer, other) for other in shown):
        return None
    return Skill(name=name, category=topic, definition=definition, example=example)


def _query_type(answer: dict[str, Any], shown: list[dict[str, str]]) -> QueryType | None:
    name, definition = canonical(tidy(answer["query_type"])), tidy(answer["definition"])
    if bad_name(name) or bad_sentence(definition, name) or any(_copies(answer, other) for other in shown):
        return None
    return QueryType(name=name, definition=definition, min_words=QUERY_TYPE_MIN_WORDS)


def _copies(answer: dict[str, Any], example: dict[str, str]) -> bool:
    """Whether any field says what a worked example says in the same field."""
    return any(same_name(str(answer[key]), example[key]) for key in answer if key in example)


def _merged(skills: Iterable[Skill], topics: list[str]) -> list[Skill]:
    """Each skill once: the first keeps its text, other spellings become its aliases; names of topics fall out."""
    kept: list[Skill] = []
    for skill in skills:
        if any(same_name(skill.name, topic) for topic in topics):
            continue
        same = next((i for i, other in enumerate(kept) if same_name(skill.name, other.name)), None)
        if same is None:
            kept.append(skill)
        elif skill.name not in (kept[same].name, *kept[same].aliases):
            kept[same] = kept[same].model_copy(update={"aliases": (*kept[same].aliases, skill.name)})
    return kept


def _turns(examples: list[tuple[str, dict[str, str]]], question: str) -> list[Message]:
    messages: list[Message] = []
    for asked, answer in examples:
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": orjson.dumps(answer).decode()})
    return [*messages, {"role": "user", "content": question}]


def _enough(what: str, found: int, least: int, wanted: int) -> None:
    if found < least:
        raise TeacherError(
            f"taxonomy.source: teacher named {found} usable {what} of {wanted} asked for, at least {least} are "
            "needed; try another seed or a larger teacher, or use builtin:language"
        )


@cache
def _examples() -> dict[str, Any]:
    examples: dict[str, Any] = yaml.safe_load((PROMPTS / "examples.yaml").read_text(encoding="utf-8"))
    return examples
