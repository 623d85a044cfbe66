"""A taxonomy from the teacher's knowledge: topics, then skills for each topic, then query types for each topic.

This is stage 1 of Instruct-SkillMix (arXiv 2408.14774), whose prompts are not published; the prompts are this
project's. All answers are constrained by a schema and checked as if they were not.
"""

import asyncio
from collections.abc import Iterable
from math import ceil
from typing import Any

from skillmill.skill_taxonomy.extraction.agreement import (
    MIN_QUERY_TYPES,
    MIN_SKILLS,
    MIN_TOPICS,
    REQUESTS_PER_CATEGORY,
    agreed_names,
    most_named,
    require_count,
    spread,
)
from skillmill.skill_taxonomy.extraction.context import GENERAL, Context
from skillmill.skill_taxonomy.extraction.definitions import define_skills, merge_skills, query_type_of
from skillmill.skill_taxonomy.extraction.requests import (
    Requester,
    list_schema,
    make_requester,
    prompt,
    worked_examples,
)
from skillmill.skill_taxonomy.extraction.saturation import Curves, Progress
from skillmill.skill_taxonomy.names import bad_skill_name
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.structured import object_schema

NAMES = 5
"""The number of names in one answer: a small model that has to give more starts to invent them."""

QUERY_TYPES = 3
"""The number of query types in one answer, which are longer because they include definitions."""


async def extract(
    config: TaxonomyConfig,
    teacher: Teacher,
    sampling: Sampling,
    seed: int,
    context: Context | None = None,
    progress: Progress | None = None,
) -> Taxonomy:
    """Return the taxonomy that the teacher names; the order in which its replies arrive does not matter.

    The category of a skill or a query type is the topic for which it was named, and each category has at least one
    query type. A query type that is named for several categories goes with all skills. A list that is shorter than
    configured is accepted.

    Args:
        config: The numbers of topics, skills and query types, and the domain.
        teacher: The teacher.
        sampling: The run's sampling, which is limited as `requests.make_requester` describes.
        seed: The seed of the extraction.
        context: Skills and documents that requests show; its skills are the first of the taxonomy.
        progress: Called after each step.

    Raises `TeacherError` for fewer than `MIN_TOPICS` topics, `MIN_SKILLS` skills or `MIN_QUERY_TYPES` query types.
    """
    context = context or Context()
    material = (config.domain or "", *context.material())
    requester = make_requester(teacher, sampling, seed, progress or Curves().add, material)
    topics = [name[0].upper() + name[1:] for name in await _topic_names(config, requester, context)]
    require_count("teacher", "topics", len(topics), MIN_TOPICS, config.topics)
    seeds, *lists = await asyncio.gather(
        _seed_skills(config, requester, context), *(_skills(topic, config, requester, context) for topic in topics)
    )
    skills = merge_skills([*seeds, *(skill for skills in lists for skill in skills)], topics)
    require_count("teacher", "skills", len(skills), MIN_SKILLS, config.topics * config.skills_per_topic)
    query_types = await _query_types([skill.category for skill in skills], config.query_types, requester, context)
    require_count("teacher", "query types", len(query_types), MIN_QUERY_TYPES, config.query_types)
    return Taxonomy(
        name=config.domain or "extracted",
        source=f"asked of {teacher.name}, seed {seed}",
        skills=tuple(skills),
        topics=tuple(Topic(name=name) for name in topics),
        query_types=tuple(query_types),
    )


async def _topic_names(config: TaxonomyConfig, requester: Requester, context: Context) -> list[str]:
    """Return the names of topics on which several answers agree."""
    examples = worked_examples()["topics"]
    like_this = bool(context)
    unrestricted = not (config.domain or like_this)
    question = prompt("others") if unrestricted else prompt("topics", domain=config.domain, like_this=like_this)

    async def request(*place: object) -> dict[str, Any] | None:
        answer = {"names": requester.shuffled(examples, place[-1])[:NAMES]}
        turn = (prompt("topics", domain=None, like_this=False), answer)
        return await requester(
            _names_schema(requester.forms.name), [turn], context.before(question, requester.seed, *place), *place
        )

    taken = [*examples, *(skill.name for skill in context.skills)]
    return await agreed_names(request, "topic", config.topics, taken, requester.progress)


async def _skills(topic: str, config: TaxonomyConfig, requester: Requester, context: Context) -> list[Skill]:
    """Return the skills for a topic on whose names several answers agree, with definitions."""
    examples = worked_examples()["skills"]

    async def request(*place: object) -> dict[str, Any] | None:
        turns = [
            (prompt("skills", topic=example["topic"]), {"names": requester.shuffled(example["names"], place[-1])})
            for example in requester.shuffled(examples, place[-1])
        ]
        question = context.before(prompt("skills", topic=topic), requester.seed, *place)
        return await requester(_names_schema(requester.forms.skill_name), turns, question, *place)

    taken = [topic, *(name for example in examples for name in example["names"])]
    taken += [skill.name for skill in context.skills]
    names = await agreed_names(
        request, f"skills of {topic}", config.skills_per_topic, taken, requester.progress, bad_skill_name
    )
    return await define_skills([(name, topic) for name in names], requester)


async def _seed_skills(config: TaxonomyConfig, requester: Requester, context: Context) -> list[Skill]:
    """Return the skills of the context; those without a definition get one from the teacher or are left out."""
    category = config.domain or GENERAL
    undefined = [(skill.name, category) for skill in context.skills if not skill.definition]
    defined = {canonical(skill.name): skill for skill in await define_skills(undefined, requester)}
    seeds = [skill if skill.definition else defined.get(canonical(skill.name)) for skill in context.skills]
    return [skill for skill in seeds if skill is not None]


async def _query_types(
    categories: Iterable[str], wanted: int, requester: Requester, context: Context
) -> list[QueryType]:
    """Return the query types of all categories of skills, about `wanted` in all and at least one for each category.

    Those for skills of the category `GENERAL` have no category.
    """
    distinct = list(dict.fromkeys(categories))
    of_each = ceil(wanted / len(distinct))
    lists = await asyncio.gather(
        *(_of_category(name, max(of_each, QUERY_TYPES), requester, context) for name in distinct)
    )
    return spread(lists, wanted, of_each)


async def _of_category(category: str, wanted: int, requester: Requester, context: Context) -> list[QueryType]:
    """Return the query types that most answers name; an answer defines them too, because a name alone is vague."""
    examples = worked_examples()["query_types"]
    topic = None if category == GENERAL else category
    question = prompt("query_types", topic=topic)
    schema = list_schema(
        "kinds",
        object_schema(name=requester.forms.name, definition=requester.forms.query_definition),
        QUERY_TYPES,
        QUERY_TYPES,
    )

    async def request(*place: object) -> list[QueryType]:
        turns = [
            (prompt("query_types", topic=example["topic"]), {"kinds": requester.shuffled(example["kinds"], place[-1])})
            for example in requester.shuffled(examples, place[-1])
        ]
        answer = await requester(schema, turns, context.before(question, requester.seed, *place), *place)
        entries = answer["kinds"] if answer and isinstance(answer["kinds"], list) else []
        query_types = [query_type_of(entry) for entry in entries]
        return [each.model_copy(update={"category": topic}) for each in query_types if each is not None]

    taken = [category, *(kind["name"] for example in examples for kind in example["kinds"])]
    return await most_named(
        request, f"query types of {category}", wanted, taken, requester.progress, REQUESTS_PER_CATEGORY
    )


def _names_schema(name: dict[str, str]) -> dict[str, Any]:
    """Return the schema of an object with a list of `NAMES` names, each of the schema `name`."""
    return list_schema("names", name, NAMES, NAMES)
