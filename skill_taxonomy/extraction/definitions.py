"""Skills and query types from a teacher's answers: definitions are requested and checked, duplicates merged."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.curation.merge import merge_groups
from skillmill.skill_taxonomy.extraction.requests import (
    MAX_SENTENCE_CHARS,
    Requester,
    Turn,
    prompt,
    worked_examples,
)
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, same_name, tidy, tidy_name
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill
from skillmill.teachers.structured import object_schema

DEFINITION_ATTEMPTS = 3
"""The number of requests for a definition after which a name is dropped."""

QUERY_TYPE_MIN_WORDS = 40
"""`min_words` of the query types that a teacher names."""


async def define_skills(names: Sequence[tuple[str, str]], requester: Requester) -> list[Skill]:
    """Return skills for (name, category) pairs, in order, with the teacher's definitions and examples.

    A name without a usable definition after `DEFINITION_ATTEMPTS` requests is left out.
    """
    examples = worked_examples()["skills"]
    schema = object_schema(definition=requester.forms.sentence, example=requester.forms.sentence)
    turns: list[Turn] = [
        (prompt("skill", skill=example["names"][0], topic=example["topic"]), example["first"]) for example in examples
    ]

    async def define(name: str, category: str) -> Skill | None:
        question = prompt("skill", skill=name, topic=category)
        for attempt in range(DEFINITION_ATTEMPTS):
            answer = await requester(schema, turns, question, "skill", category, name, attempt)
            skill = _skill(name, category, answer, [example["first"] for example in examples]) if answer else None
            if skill is not None:
                return skill
        return None

    skills = await asyncio.gather(*(define(name, category) for name, category in names))
    return [skill for skill in skills if skill is not None]


def merge_skills(skills: Sequence[Skill], topics: Sequence[str]) -> list[Skill]:
    """Return the skills with duplicates merged and without those named like a topic.

    The first of several duplicates keeps its text, and the other spellings become its aliases.
    """
    kept = [skill for skill in skills if not any(same_name(skill.name, topic) for topic in topics)]
    return cast(list[Skill], list(merge_groups(kept, [sorted(group.places) for group in find_duplicates(kept)])))


def query_type_of(entry: object) -> QueryType | None:
    """Return the query type in a part of an answer, or None if its name or definition cannot be used."""
    if not isinstance(entry, dict) or not entry.keys() >= {"name", "definition"}:
        return None
    name, definition = tidy_name(entry["name"]), tidy(entry["definition"])
    if bad_name(name) or _is_unusable(definition, name):
        return None
    return QueryType(name=name, definition=definition, min_words=QUERY_TYPE_MIN_WORDS)


def _skill(name: str, category: str, answer: dict[str, Any], worked: list[dict[str, str]]) -> Skill | None:
    """Return the skill that an answer defines, or None if its texts cannot be used or copy a worked example."""
    definition, example = tidy(answer["definition"]), tidy(answer["example"])
    if _is_unusable(definition, name) or _is_unusable(example):
        return None
    if any(same_name(definition, each["definition"]) or same_name(example, each["example"]) for each in worked):
        return None
    return Skill(name=name, category=category, definition=definition, example=example)


def _is_unusable(text: str, name: str | None = None) -> bool:
    """Return whether a text cannot be an example, or with `name` its definition.

    A text longer than the schema's limit for its words was cut off.
    """
    return len(text) > MAX_SENTENCE_CHARS or bool(bad_sentence(text, name))
