"""A taxonomy pulled out of the teacher: topics, then skills for each topic, then query types.

Instruct-SkillMix, stage 1 (arXiv 2408.14774), whose prompts are not published; these are ours. A list is
asked for many times, and a name counts once two answers agree on it (self-consistency): what a teacher says
once may be a slip, what it says again it knows. Each skill is then defined in a call of its own. All answers
are constrained by a schema and checked without trust in it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from skillmill.data.errors import TeacherError
from skillmill.skill_taxonomy.cells import derived_seed
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, same_name, stems, tidy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Message, Request, Sampling, Teacher, TurnFailed
from skillmill.teachers.prompts import render
from skillmill.teachers.structured import object_schema, parse_object

PROMPTS = Path(__file__).parent / "prompts"

NAMES = 5
"""Names in one answer: a small model that is asked for more starts to invent."""

KINDS = 3
"""Query types in one answer, which defines them too."""

AT_ONCE, ROUNDS = 6, 8
"""A list is asked for `AT_ONCE` times a round, in at most `ROUNDS` rounds."""

AGREED = 2
"""Answers that have to name a thing before it counts."""

QUIET_ROUNDS = 2
"""So many rounds that bring no new agreement end the asking: the teacher has said what it knows."""

TRIES = 3
"""How often a definition is asked for before its name is given up."""

LEAST_SKILLS, LEAST_TOPICS, LEAST_QUERY_TYPES = 4, 2, 2
"""Below this there is nothing to combine, and extraction fails."""

MAX_TOKENS = 200
TEMPERATURE = 0.6
"""At most: facts about the world, not fiction; above this a 135M model names things that do not exist."""
QUERY_TYPE_MIN_WORDS = 40

# Loose on purpose: a grammar that forces letters on a small model ("must end in -ing") makes it invent words.
# `names` checks what an answer has to be, for every engine.
_LONGEST = 200
_WORDS = rf"[^\n\"\\<>{{}}\[\]:;.!?_*#|/]{{20,{_LONGEST}}}\.$"
_SENTENCE = {"type": "string", "pattern": f"^[A-Z]{_WORDS}"}
_THE_USER_WANTS = {"type": "string", "pattern": f"^The user wants {_WORDS}"}
_NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( [a-z-]{2,14}){0,2}$"}
_SKILL_NAME = {"type": "string", "pattern": "^[A-Z][a-z-]{2,14}( [a-z-]{2,14}){1,2}$"}  # one word is mostly a thing


def _list_of(name: dict[str, str]) -> dict[str, Any]:
    return object_schema(names={"type": "array", "minItems": NAMES, "maxItems": NAMES, "items": name})


Turn = tuple[str, dict[str, Any]]


async def extract(config: TaxonomyConfig, teacher: Teacher, sampling: Sampling, seed: int) -> Taxonomy:
    """The taxonomy that the teacher names, in an order that its replies alone decide.

    A skill's category is the topic it was named for. Raises `TeacherError` where fewer than
    `LEAST_TOPICS`, `LEAST_SKILLS` or `LEAST_QUERY_TYPES` came out; otherwise goes on with what there is.
    """
    limits = {"max_tokens": MAX_TOKENS, "temperature": TEMPERATURE}
    lowered = {key: min(getattr(sampling, key), limit) for key, limit in limits.items()}
    ask = _Asker(teacher, sampling.model_copy(update=lowered), seed)
    topics = [name[0].upper() + name[1:] for name in await _topic_names(config, ask)]
    _enough("topics", len(topics), LEAST_TOPICS, config.topics)
    lists = await asyncio.gather(*(_skills(topic, config, ask) for topic in topics))
    skills = _merged([skill for named in lists for skill in named], topics)
    _enough("skills", len(skills), LEAST_SKILLS, config.topics * config.skills_per_topic)
    query_types = await _query_types(config, ask)
    _enough("query types", len(query_types), LEAST_QUERY_TYPES, config.query_types)
    return Taxonomy(
        name=config.domain or "extracted",
        source=f"asked of {teacher.name}, seed {seed}",
        skills=tuple(skills),
        topics=tuple(Topic(name=name) for name in topics),
        query_types=tuple(query_types),
    )


@dataclass(frozen=True, slots=True)
class _Asker:
    teacher: Teacher
    sampling: Sampling
    seed: int

    async def __call__(
        self, schema: dict[str, Any], shown: list[Turn], question: str, *place: object
    ) -> dict[str, Any] | None:
        """One answer, or None where this call has none: a failure costs the call, not the list."""
        seed = derived_seed(self.seed, "taxonomy", *place)
        try:
            reply = await self.teacher.chat(Request(_turns(shown, question), self.sampling, seed, schema, "taxonomy"))
        except TurnFailed:
            return None
        return parse_object(reply.text, tuple(schema["properties"]))

    def mixed(self, items: list[Any], *place: object) -> list[Any]:
        """The items in an order of this call's own: a small model's answers follow what it was shown last."""
        return random.Random(derived_seed(self.seed, *place)).sample(items, len(items))  # noqa: S311 (no secret)


async def _topic_names(config: TaxonomyConfig, ask: _Asker) -> list[str]:
    shown = _examples()["topics"]
    question = render(PROMPTS, "topics", domain=config.domain) if config.domain else render(PROMPTS, "others")

    async def names(*place: object) -> dict[str, Any] | None:
        turn = (render(PROMPTS, "topics", domain=None), {"names": ask.mixed(shown, *place)[:NAMES]})
        return await ask(_list_of(_NAME), [turn], question, *place)

    return await _agreed(names, "topic", config.topics, shown)


async def _skills(topic: str, config: TaxonomyConfig, ask: _Asker) -> list[Skill]:
    shown = _examples()["skills"]
    schema = object_schema(definition=_SENTENCE, example=_SENTENCE)

    async def names(*place: object) -> dict[str, Any] | None:
        turns = [
            (render(PROMPTS, "skills", topic=example["topic"]), {"names": ask.mixed(example["names"], *place)})
            for example in ask.mixed(shown, *place)
        ]
        return await ask(_list_of(_SKILL_NAME), turns, render(PROMPTS, "skills", topic=topic), *place)

    async def define(name: str) -> Skill | None:
        turns = [
            (render(PROMPTS, "skill", skill=example["names"][0], topic=example["topic"]), example["first"])
            for example in shown
        ]
        question = render(PROMPTS, "skill", skill=name, topic=topic)
        for attempt in range(TRIES):
            answer = await ask(schema, turns, question, "skill", topic, name, attempt)
            skill = _skill(name, topic, answer, [example["first"] for example in shown]) if answer else None
            if skill is not None:
                return skill
        return None

    taken = [topic, *(name for example in shown for name in example["names"])]
    found = await _agreed(names, f"skills of {topic}", config.skills_per_topic, taken)
    return [skill for skill in await asyncio.gather(*map(define, found)) if skill is not None]


async def _query_types(config: TaxonomyConfig, ask: _Asker) -> list[QueryType]:
    """Named and defined in one answer: without its definition the name of a query type says little."""
    shown = _examples()["query_types"]
    question = render(PROMPTS, "query_types", domain=config.domain, others=True)
    kind = object_schema(name=_NAME, definition=_THE_USER_WANTS)
    schema = object_schema(kinds={"type": "array", "minItems": KINDS, "maxItems": KINDS, "items": kind})

    async def kinds(*place: object) -> list[QueryType]:
        turn = render(PROMPTS, "query_types", domain=None, others=False), {"kinds": ask.mixed(shown, *place)[:KINDS]}
        answer = await ask(schema, [turn], question, *place)
        given = answer["kinds"] if answer and isinstance(answer["kinds"], list) else []
        return [found for entry in given if (found := _query_type(entry)) is not None]

    votes: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], QueryType] = {}
    taken = {tuple(stems(example["name"])) for example in shown}
    for attempt in range(ROUNDS):
        for answer in await asyncio.gather(*(kinds("query types", attempt, i) for i in range(AT_ONCE))):
            for found in answer:
                key = tuple(stems(found.name))
                if key not in taken:
                    votes[key] += 1
                    first.setdefault(key, found)
        if len(votes) >= config.query_types:
            break
    return [first[key] for key, _ in votes.most_common(config.query_types)]


async def _agreed(
    ask: Callable[..., Awaitable[dict[str, Any] | None]], what: str, wanted: int, taken: list[str]
) -> list[str]:
    """At most `wanted` names that `AGREED` answers or more gave, the most often given first, none as in `taken`."""
    votes: Counter[tuple[str, ...]] = Counter()
    spelled: dict[tuple[str, ...], str] = {tuple(stems(name)): "" for name in taken}
    quiet = agreed = 0
    for attempt in range(ROUNDS):
        answers = await asyncio.gather(*(ask(what, attempt, i) for i in range(AT_ONCE)))
        for answer in answers:
            given = [canonical(tidy(name)) for name in _texts(answer)]
            said = {tuple(stems(name)): name for name in reversed(given) if not bad_name(name)}
            for key, name in reversed(said.items()):
                votes[key] += bool(spelled.setdefault(key, name))
        before, agreed = agreed, sum(count >= AGREED for count in votes.values())
        quiet = 0 if agreed > before else quiet + 1
        if agreed >= wanted or quiet == QUIET_ROUNDS:
            break
    return [spelled[key] for key, count in votes.most_common(wanted) if count >= AGREED]


def _texts(answer: dict[str, Any] | None) -> list[str]:
    names = answer["names"] if answer else []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _skill(name: str, topic: str, answer: dict[str, Any], shown: list[dict[str, str]]) -> Skill | None:
    definition, example = tidy(answer["definition"]), tidy(answer["example"])
    if _no_sentence(definition, name) or _no_sentence(example):
        return None
    if any(same_name(definition, other["definition"]) or same_name(example, other["example"]) for other in shown):
        return None
    return Skill(name=name, category=topic, definition=definition, example=example)


def _query_type(entry: Any) -> QueryType | None:
    if not isinstance(entry, dict) or not entry.keys() >= {"name", "definition"}:
        return None
    name, definition = canonical(tidy(entry["name"])), tidy(entry["definition"])
    if bad_name(name) or _no_sentence(definition, name):
        return None
    return QueryType(name=name, definition=definition, min_words=QUERY_TYPE_MIN_WORDS)


def _no_sentence(text: str, name: str | None = None) -> bool:
    """Whether this is no definition; one that is as long as the schema lets it be was broken off."""
    return len(text) > _LONGEST or bool(bad_sentence(text, name))


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


def _turns(examples: list[Turn], question: str) -> list[Message]:
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
