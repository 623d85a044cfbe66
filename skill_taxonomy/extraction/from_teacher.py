"""A taxonomy pulled out of the teacher: topics, then skills for each topic, then query types.

Instruct-SkillMix, stage 1 (arXiv 2408.14774), whose prompts are not published; these are ours. A list is
asked for many times, and a name counts once two answers agree on it (self-consistency): what a teacher says
once may be a slip, what it says again it knows. Each skill is then defined in a call of its own. All answers
are constrained by a schema and checked without trust in it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.curation.merge import merge_groups
from skillmill.skill_taxonomy.extraction.asking import (
    NAME,
    SENTENCE,
    SKILL_NAME,
    THE_USER_WANTS,
    Asker,
    Curves,
    Note,
    Turn,
    asker,
    enough,
    list_schema,
    no_sentence,
    prompt,
    texts,
    worked,
)
from skillmill.skill_taxonomy.extraction.context import GENERAL, Context
from skillmill.skill_taxonomy.names import bad_name, bad_skill_name, same_name, stems, tidy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.structured import object_schema

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

QUERY_TYPE_MIN_WORDS = 40


async def extract(
    config: TaxonomyConfig,
    teacher: Teacher,
    sampling: Sampling,
    seed: int,
    context: Context | None = None,
    note: Note | None = None,
) -> Taxonomy:
    """The taxonomy that the teacher names, in an order that its replies alone decide.

    A skill's category is the topic it was named for. Skills of the `context` come first. `note` is told how each
    list grows. Raises `TeacherError` where fewer than `LEAST_TOPICS`, `LEAST_SKILLS` or `LEAST_QUERY_TYPES` came
    out; otherwise goes on with what there is.
    """
    ask, context = asker(teacher, sampling, seed, note or Curves().note), context or Context()
    topics = [name[0].upper() + name[1:] for name in await _topic_names(config, ask, context)]
    enough("teacher", "topics", len(topics), LEAST_TOPICS, config.topics)
    seeds, *lists = await asyncio.gather(
        _seeds(config, ask, context), *(_skills(topic, config, ask, context) for topic in topics)
    )
    skills = merged([*seeds, *(skill for named in lists for skill in named)], topics)
    enough("teacher", "skills", len(skills), LEAST_SKILLS, config.topics * config.skills_per_topic)
    query_types = await _query_types(config, ask, context)
    enough("teacher", "query types", len(query_types), LEAST_QUERY_TYPES, config.query_types)
    return Taxonomy(
        name=config.domain or "extracted",
        source=f"asked of {teacher.name}, seed {seed}",
        skills=tuple(skills),
        topics=tuple(Topic(name=name) for name in topics),
        query_types=tuple(query_types),
    )


async def _topic_names(config: TaxonomyConfig, ask: Asker, context: Context) -> list[str]:
    shown = worked()["topics"]
    like_this = bool(context)
    alone = not (config.domain or like_this)
    question = prompt("others") if alone else prompt("topics", domain=config.domain, like_this=like_this)

    async def names(*place: object) -> dict[str, Any] | None:
        turn = (prompt("topics", domain=None, like_this=False), {"names": ask.mixed(shown, *place)[:NAMES]})
        return await ask(_list_of(NAME), [turn], context.before(question, ask.seed, *place), *place)

    taken = [*shown, *(skill.name for skill in context.skills)]
    return await _agreed(names, "topic", config.topics, taken, ask.note)


async def _skills(topic: str, config: TaxonomyConfig, ask: Asker, context: Context) -> list[Skill]:
    shown = worked()["skills"]

    async def names(*place: object) -> dict[str, Any] | None:
        turns = [
            (prompt("skills", topic=example["topic"]), {"names": ask.mixed(example["names"], *place)})
            for example in ask.mixed(shown, *place)
        ]
        question = context.before(prompt("skills", topic=topic), ask.seed, *place)
        return await ask(_list_of(SKILL_NAME), turns, question, *place)

    taken = [topic, *(name for example in shown for name in example["names"])]
    taken += [skill.name for skill in context.skills]
    found = await _agreed(names, f"skills of {topic}", config.skills_per_topic, taken, ask.note, bad_skill_name)
    return await define([(name, topic) for name in found], ask)


async def _seeds(config: TaxonomyConfig, ask: Asker, context: Context) -> list[Skill]:
    """The skills of the context: those without a definition get one, or stay out."""
    about = config.domain or GENERAL
    bare = [(skill.name, about) for skill in context.skills if not skill.definition]
    defined = {canonical(skill.name): skill for skill in await define(bare, ask)}
    return [
        found
        for skill in context.skills
        if (found := skill if skill.definition else defined.get(canonical(skill.name))) is not None
    ]


async def define(names: Sequence[tuple[str, str]], ask: Asker) -> list[Skill]:
    """The skills of these (name, category) that the teacher could define within `TRIES`, in their order."""
    shown = worked()["skills"]
    schema = object_schema(definition=SENTENCE, example=SENTENCE)
    turns: list[Turn] = [
        (prompt("skill", skill=example["names"][0], topic=example["topic"]), example["first"]) for example in shown
    ]

    async def one(name: str, category: str) -> Skill | None:
        question = prompt("skill", skill=name, topic=category)
        for attempt in range(TRIES):
            answer = await ask(schema, turns, question, "skill", category, name, attempt)
            skill = _skill(name, category, answer, [example["first"] for example in shown]) if answer else None
            if skill is not None:
                return skill
        return None

    found = await asyncio.gather(*(one(name, category) for name, category in names))
    return [skill for skill in found if skill is not None]


async def _query_types(config: TaxonomyConfig, ask: Asker, context: Context) -> list[QueryType]:
    """Named and defined in one answer: without its definition the name of a query type says little."""
    shown = worked()["query_types"]
    question = prompt("query_types", domain=config.domain, others=True)
    schema = list_schema("kinds", object_schema(name=NAME, definition=THE_USER_WANTS), KINDS, KINDS)

    async def kinds(*place: object) -> list[QueryType]:
        turn = prompt("query_types", domain=None, others=False), {"kinds": ask.mixed(shown, *place)[:KINDS]}
        answer = await ask(schema, [turn], context.before(question, ask.seed, *place), *place)
        given = answer["kinds"] if answer and isinstance(answer["kinds"], list) else []
        return [found for entry in given if (found := query_type(entry)) is not None]

    return await most_named(kinds, config.query_types, [example["name"] for example in shown], ask.note)


async def most_named(
    kinds: Callable[..., Awaitable[list[QueryType]]], wanted: int, taken: list[str], note: Note
) -> list[QueryType]:
    """The query types that `kinds` gives most often, none as in `taken`, until nothing new comes."""
    votes: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], QueryType] = {}
    known = {tuple(stems(name)) for name in taken}
    quiet = 0
    for attempt in range(ROUNDS):
        before = len(votes)
        for answer in await asyncio.gather(*(kinds("query types", attempt, i) for i in range(AT_ONCE))):
            for found in answer:
                key = tuple(stems(found.name))
                if key not in known:
                    votes[key] += 1
                    first.setdefault(key, found)
        note("query types", (attempt + 1) * AT_ONCE, len(votes))
        quiet = 0 if len(votes) > before else quiet + 1
        if _enough(len(votes), wanted, quiet):
            break
    return [first[key] for key, _ in votes.most_common(wanted)]


async def _agreed(
    ask: Callable[..., Awaitable[dict[str, Any] | None]],
    what: str,
    wanted: int,
    taken: list[str],
    note: Note,
    bad: Callable[[str], str | None] = bad_name,
) -> list[str]:
    """At most `wanted` names that `AGREED` answers or more gave, the most often given first, none as in `taken`."""
    votes: Counter[tuple[str, ...]] = Counter()
    spelled: dict[tuple[str, ...], str] = {tuple(stems(name)): "" for name in taken}
    quiet = agreed = 0
    for attempt in range(ROUNDS):
        answers = await asyncio.gather(*(ask(what, attempt, i) for i in range(AT_ONCE)))
        for answer in answers:
            given = [canonical(tidy(name)) for name in texts(answer, "names")]
            said = {tuple(stems(name)): name for name in reversed(given) if not bad(name)}
            for key, name in reversed(said.items()):
                votes[key] += bool(spelled.setdefault(key, name))
        before, agreed = agreed, sum(count >= AGREED for count in votes.values())
        note(what, (attempt + 1) * AT_ONCE, agreed)
        quiet = 0 if agreed > before else quiet + 1
        if _enough(agreed, wanted, quiet):
            break
    return [spelled[key] for key, count in votes.most_common(wanted) if count >= AGREED]


def _enough(found: int, wanted: int, quiet: int) -> bool:
    """Whether asking for a list ends: it is there, or nothing new comes (one name alone is not left so)."""
    return found >= wanted or (found != 1 and quiet >= QUIET_ROUNDS)


def merged(skills: Sequence[Skill], topics: Sequence[str]) -> list[Skill]:
    """Each skill once: the first keeps its text, other spellings become its aliases; names of topics fall out."""
    kept = [skill for skill in skills if not any(same_name(skill.name, topic) for topic in topics)]
    return cast(list[Skill], list(merge_groups(kept, [sorted(group.places) for group in find_duplicates(kept)])))


def _list_of(name: dict[str, str]) -> dict[str, Any]:
    return list_schema("names", name, NAMES, NAMES)


def _skill(name: str, topic: str, answer: dict[str, Any], shown: list[dict[str, str]]) -> Skill | None:
    definition, example = tidy(answer["definition"]), tidy(answer["example"])
    if no_sentence(definition, name) or no_sentence(example):
        return None
    if any(same_name(definition, other["definition"]) or same_name(example, other["example"]) for other in shown):
        return None
    return Skill(name=name, category=topic, definition=definition, example=example)


def query_type(entry: Any) -> QueryType | None:
    """The query type in a part of an answer, None where it has no name or definition that will do."""
    if not isinstance(entry, dict) or not entry.keys() >= {"name", "definition"}:
        return None
    name, definition = canonical(tidy(entry["name"])), tidy(entry["definition"])
    if bad_name(name) or no_sentence(definition, name):
        return None
    return QueryType(name=name, definition=definition, min_words=QUERY_TYPE_MIN_WORDS)
