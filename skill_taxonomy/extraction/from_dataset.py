"""A taxonomy from a dataset: label, cluster and label again (Metacognitive Capabilities, arXiv 2405.12205).

1. The teacher names the subject of each example and the skills that it needs, in its own words (fine labels).
2. Fine labels are clustered by similarity, and the teacher names and defines each cluster (coarse skills). The paper
   lets the teacher merge the labels instead.
3. The teacher chooses one to three coarse skills for each example.

The most frequent subjects become topics. The prompts are this project's, and all answers are checked.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

from skillmill.skill_taxonomy.extraction.agreement import (
    MIN_QUERY_TYPES,
    MIN_SKILLS,
    MIN_TOPICS,
    REQUESTS_PER_CATEGORY,
    StemKey,
    most_named,
    require_count,
    spread,
    stem_key,
)
from skillmill.skill_taxonomy.extraction.coarse_skills import CoarseSkills, group_labels
from skillmill.skill_taxonomy.extraction.context import GENERAL
from skillmill.skill_taxonomy.extraction.definitions import query_type_of
from skillmill.skill_taxonomy.extraction.examples import ExampleLabels, Examples
from skillmill.skill_taxonomy.extraction.requests import (
    Requester,
    Turn,
    list_schema,
    make_requester,
    map_in_order,
    prompt,
    strings_in,
    worked_examples,
)
from skillmill.skill_taxonomy.extraction.saturation import Curves, Progress
from skillmill.skill_taxonomy.names import bad_name, tidy_name
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.structured import object_schema

MAX_REQUEST_CHARS = 1200
"""The length to which an example's request is cut in a question: some 300 tokens."""

MATERIAL_EXAMPLES = 100
"""The number of examples from which the language of the replies is decided."""

MAX_SKILLS_PER_EXAMPLE = 3
"""The most fine labels, and the most coarse skills, of one example."""

MAX_EXAMPLE_CHARS = 200
"""The length to which a request is cut when it becomes the example of a skill."""


async def extract_from_dataset(
    config: TaxonomyConfig,
    examples: Examples,
    teacher: Teacher,
    sampling: Sampling,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Taxonomy, list[ExampleLabels]]:
    """Return the taxonomy of the examples and the labels of each example, in their order.

    The category of a skill is the most frequent subject of its examples, and its example is a request that needs it.
    An example for which a request failed has no labels or no skills.

    Args:
        config: The numbers of topics, skills and query types, and `batch`.
        examples: The examples.
        teacher: The teacher.
        sampling: The run's sampling, which is limited as `requests.make_requester` describes.
        seed: The seed of the extraction.
        progress: Called after each step.

    Raises `TeacherError` for fewer than `MIN_TOPICS` topics, `MIN_SKILLS` skills or `MIN_QUERY_TYPES` query types.
    """
    material = (examples[i].request[:MAX_REQUEST_CHARS] for i in range(min(len(examples), MATERIAL_EXAMPLES)))
    requester = make_requester(teacher, sampling, seed, progress or Curves().add, material)
    labels = await _label(examples, requester)
    topics = _topics(labels, config.topics)
    require_count("dataset", "topics", len(topics), MIN_TOPICS, config.topics)
    coarse = await group_labels(labels, topics, config, requester)
    require_count("dataset", "skills", len(coarse.skills), MIN_SKILLS, config.skills)
    labels = await _choose(examples, labels, coarse, config.batch, requester)
    query_types = await _query_types(examples, labels, coarse.skills, config.query_types, requester)
    require_count("dataset", "query types", len(query_types), MIN_QUERY_TYPES, config.query_types)
    taxonomy = Taxonomy(
        name=config.domain or Path(examples.name).stem[:100],
        source=f"{len(examples)} examples of {examples.name}, labelled by {teacher.name}, seed {seed}",
        license=examples.license,
        skills=tuple(_with_requests(coarse.skills, examples, labels)),
        topics=tuple(Topic(name=name) for name in topics),
        query_types=tuple(query_types),
    )
    return taxonomy, labels


async def _label(examples: Examples, requester: Requester) -> list[ExampleLabels]:
    """Return a subject and fine labels for each example (step 1)."""
    turns = [(prompt("label", request=each["request"]), each["answer"]) for each in worked_examples()["labelled"]]
    schema = object_schema(
        subject=requester.forms.name,
        **list_schema("skills", requester.forms.skill_name, 1, MAX_SKILLS_PER_EXAMPLE)["properties"],
    )
    spelling: dict[StemKey, str] = {}

    async def request(place: int) -> dict[str, Any] | None:
        example = examples[place]
        if not example.request:
            return None
        question = prompt("label", request=example.request[:MAX_REQUEST_CHARS])
        return await requester(schema, turns, question, "label", example.row)

    labels: list[ExampleLabels] = []
    async for answer in map_in_order(request, range(len(examples))):
        names = [tidy_name(name) for name in strings_in(answer, "skills")]
        fine = [spelling.setdefault(stem_key(name), name) for name in names if not bad_name(name)]
        subject = tidy_name(answer["subject"]) if answer else ""
        subject = "" if bad_name(subject) else subject[0].upper() + subject[1:]
        labels.append(ExampleLabels(subject, tuple(dict.fromkeys(fine))[:MAX_SKILLS_PER_EXAMPLE]))
        requester.progress("fine labels", len(labels), len(spelling))
    return labels


def _topics(labels: Iterable[ExampleLabels], wanted: int) -> list[str]:
    """Return the most frequent subjects, each in one spelling."""
    spelling: dict[StemKey, str] = {}
    subjects = [each.subject for each in labels if each.subject]
    counts = Counter(spelling.setdefault(stem_key(subject), subject) for subject in subjects)
    return [subject for subject, _ in counts.most_common(wanted)]


async def _choose(
    examples: Examples, labels: list[ExampleLabels], coarse: CoarseSkills, batch: int, requester: Requester
) -> list[ExampleLabels]:
    """Return the labels with the coarse skills of each example (step 3), out of the `batch` likeliest."""
    turns: list[Turn] = [
        (prompt("choose", **{key: each[key] for key in ("request", "labels", "skills")}), {"skills": each["answer"]})
        for each in worked_examples()["chosen"]
    ]
    names = coarse.names
    # All requests share one schema, because servers compile each new one.
    schema = list_schema("skills", {"type": "string", "enum": names}, 1, MAX_SKILLS_PER_EXAMPLE)
    frequency = Counter(
        place for each in labels for label in each.labels for place in coarse.nearest.get(label, [])[:1]
    )
    by_frequency = sorted(range(len(coarse.skills)), key=lambda place: (-frequency[place], place))

    async def request(place: int) -> dict[str, Any] | None:
        example = examples[place]
        if not example.request:
            return None
        skills = [names[i] for i in _likely(labels[place].labels, coarse, by_frequency)[:batch]]
        question = prompt(
            "choose", request=example.request[:MAX_REQUEST_CHARS], labels=labels[place].labels, skills=skills
        )
        return await requester(schema, turns, question, "choose", example.row)

    skill_named = {canonical(name): name for name in names}
    chosen: list[ExampleLabels] = []
    used: set[str] = set()
    async for answer in map_in_order(request, range(len(examples))):
        answered = [canonical(tidy_name(text)) for text in strings_in(answer, "skills")]
        skills = [skill_named[name] for name in answered if name in skill_named]
        used.update(skills)
        chosen.append(replace(labels[len(chosen)], skills=tuple(dict.fromkeys(skills))[:MAX_SKILLS_PER_EXAMPLE]))
        requester.progress("skills of examples", len(chosen), len(used))
    return chosen


async def _query_types(
    examples: Examples, labels: Sequence[ExampleLabels], skills: Sequence[Skill], wanted: int, requester: Requester
) -> list[QueryType]:
    """Return the most frequent query types of the first examples of each category of skills, with this category.

    The category of an example is its subject if skills have it, otherwise that of its first skill.
    """
    category_of = {canonical(skill.name): skill.category for skill in skills}
    known = {stem_key(category): category for category in category_of.values()}
    places: dict[str, list[int]] = {}
    for place, each in enumerate(labels):
        first_skill = category_of[canonical(each.skills[0])] if each.skills else None
        if category := known.get(stem_key(each.subject), first_skill):
            places.setdefault(category, []).append(place)
    of_each = ceil(wanted / max(1, len(places)))
    lists = await asyncio.gather(
        *(
            _of_category(name, examples, of_name, max(of_each, MIN_QUERY_TYPES), requester)
            for name, of_name in places.items()
        )
    )
    return spread(lists, wanted, of_each)


async def _of_category(
    category: str, examples: Examples, places: Sequence[int], wanted: int, requester: Requester
) -> list[QueryType]:
    """Return the most frequent query types of the examples at `places`."""
    worked = worked_examples()["kinds"]
    turns: list[Turn] = [
        (prompt("kind", request=each["request"]), {key: each[key] for key in ("name", "definition")}) for each in worked
    ]
    schema = object_schema(name=requester.forms.name, definition=requester.forms.query_definition)
    of_category = None if category == GENERAL else category

    async def request(list_name: str, attempt: int, i: int) -> list[QueryType]:
        example = examples[places[(attempt * REQUESTS_PER_CATEGORY + i) % len(places)]]
        question = prompt("kind", request=example.request[:MAX_REQUEST_CHARS])
        query_type = query_type_of(await requester(schema, turns, question, list_name, attempt, i))
        return [query_type.model_copy(update={"category": of_category})] if query_type else []

    taken = [each["name"] for each in worked]
    return await most_named(
        request, f"query types of {category}", wanted, taken, requester.progress, REQUESTS_PER_CATEGORY
    )


def _likely(fine_labels: Sequence[str], coarse: CoarseSkills, by_frequency: list[int]) -> list[int]:
    """Return the positions of all skills: in turn those nearest to each label, then the others by frequency."""
    orders = [coarse.nearest[label] for label in fine_labels if label in coarse.nearest]
    in_turn = (order[i] for i in range(max(map(len, orders), default=0)) for order in orders if i < len(order))
    return list(dict.fromkeys([*in_turn, *by_frequency]))


def _with_requests(skills: Iterable[Skill], examples: Examples, labels: Sequence[ExampleLabels]) -> Iterator[Skill]:
    """Yield the skills, each with the request of an example that needs it as its example.

    Of several examples the one whose chosen skills list the skill earliest is used. A skill without examples keeps the
    teacher's example.
    """
    best: dict[str, tuple[int, int]] = {}  # rank of the skill in the example, place of the example
    for place, each in enumerate(labels):
        for rank, name in enumerate(each.skills):
            best[name] = min((rank, place), best.get(name, (rank, place)))
    for skill in skills:
        if skill.name in best:
            request = _one_line(examples[best[skill.name][1]].request)
            skill = skill.model_copy(update={"example": request})
        yield skill


def _one_line(text: str) -> str:
    """Return the text on one line, cut to `MAX_EXAMPLE_CHARS`."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_EXAMPLE_CHARS else f"{line[:MAX_EXAMPLE_CHARS].rstrip()} …"
