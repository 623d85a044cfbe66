"""A taxonomy pulled out of a dataset: label, cluster, label again (Metacognitive Capabilities, arXiv 2405.12205).

The teacher names the skills that each example takes in its own words; these fine labels are put into groups by
likeness, the teacher names each group and defines it, and each example gets the one to three coarse skills that it
takes. The subjects that the teacher sees on the way become topics. Prompts are ours; all answers are checked.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skillmill.skill_taxonomy.curation.similarity import skill_vectors
from skillmill.skill_taxonomy.extraction.asking import (
    NAME,
    SKILL_NAME,
    THE_USER_WANTS,
    Asker,
    Curves,
    Note,
    Turn,
    asker,
    enough,
    in_order,
    list_schema,
    prompt,
    texts,
    worked,
)
from skillmill.skill_taxonomy.extraction.clusters import Clusters, cluster
from skillmill.skill_taxonomy.extraction.context import GENERAL
from skillmill.skill_taxonomy.extraction.examples import Examples, Labelled
from skillmill.skill_taxonomy.extraction.from_teacher import (
    AGREED,
    AT_ONCE,
    LEAST_QUERY_TYPES,
    LEAST_SKILLS,
    LEAST_TOPICS,
    define,
    merged,
    most_named,
    query_type,
)
from skillmill.skill_taxonomy.names import bad_name, same_name, stems, tidy
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, canonical
from skillmill.teachers.base import Sampling, Teacher
from skillmill.teachers.structured import object_schema

REQUEST_CHARS = 1200
"""Of a request in one question: some 300 tokens."""

MOST_SKILLS = 3
"""Labels of one example."""

CLUSTERED = 5000
"""Fine labels that are clustered, the most frequent ones; the rest are slips, and their examples are labelled again."""

NAMINGS = 4
"""How often a group of labels is to be named: what a small model makes up, it seldom makes up twice."""

EXAMPLE_CHARS = 200


@dataclass(frozen=True)
class _Coarse:
    """The skills of the taxonomy, and for each fine label the places of the likeliest of them, in that order."""

    skills: list[Skill]
    nearest: dict[str, list[int]]

    @property
    def names(self) -> list[str]:
        return [skill.name for skill in self.skills]


async def extract_from_dataset(
    config: TaxonomyConfig,
    examples: Examples,
    teacher: Teacher,
    sampling: Sampling,
    seed: int,
    note: Note | None = None,
) -> tuple[Taxonomy, list[Labelled]]:
    """The taxonomy of the `examples`, and what was said of each of them, in their order.

    A skill's category is the subject most of its examples have, its example a request that takes it. An example
    that the teacher did not answer for has no labels or no skills. `note` is told how far it is. Raises
    `TeacherError` where too little came out, as `extract` does.
    """
    ask = asker(teacher, sampling, seed, note or Curves().note)
    labelled = await _label(examples, ask)
    topics = _topics(labelled, config.topics)
    enough("dataset", "topics", len(topics), LEAST_TOPICS, config.topics)
    coarse = await _group(labelled, topics, config, ask)
    enough("dataset", "skills", len(coarse.skills), LEAST_SKILLS, config.skills)
    labelled = await _choose(examples, labelled, coarse, config.batch, ask)
    query_types = await _query_types(examples, config.query_types, ask)
    enough("dataset", "query types", len(query_types), LEAST_QUERY_TYPES, config.query_types)
    taxonomy = Taxonomy(
        name=config.domain or Path(examples.name).stem[:100],
        source=f"{len(examples)} examples of {examples.name}, labelled by {teacher.name}, seed {seed}",
        skills=tuple(_with_requests(coarse.skills, examples, labelled)),
        topics=tuple(Topic(name=name) for name in topics),
        query_types=tuple(query_types),
    )
    return taxonomy, labelled


async def _label(examples: Examples, ask: Asker) -> list[Labelled]:
    """Step 1: a subject and fine labels for each example."""
    shown = [(prompt("label", request=each["request"]), each["answer"]) for each in worked()["labelled"]]
    schema = object_schema(subject=NAME, **list_schema("skills", SKILL_NAME, 1, MOST_SKILLS)["properties"])
    spelled: dict[tuple[str, ...], str] = {}

    async def one(place: int) -> dict[str, Any] | None:
        example = examples[place]
        if not example.request:
            return None
        question = prompt("label", request=example.request[:REQUEST_CHARS])
        return await ask(schema, shown, question, "label", example.row)

    labelled: list[Labelled] = []
    async for answer in in_order(one, range(len(examples))):
        given = [canonical(tidy(name)) for name in texts(answer, "skills")]
        labels = [spelled.setdefault(tuple(stems(name)), name) for name in given if not bad_name(name)]
        subject = canonical(tidy(answer["subject"])) if answer else ""
        subject = "" if bad_name(subject) else subject[0].upper() + subject[1:]
        labelled.append(Labelled(subject, tuple(dict.fromkeys(labels))[:MOST_SKILLS]))
        ask.note("fine labels", len(labelled), len(spelled))
    return labelled


def _topics(labelled: Iterable[Labelled], wanted: int) -> list[str]:
    """The subjects that most examples have, in one spelling each."""
    spelled: dict[tuple[str, ...], str] = {}
    subjects = [each.subject for each in labelled if each.subject]
    counts = Counter(spelled.setdefault(tuple(stems(subject)), subject) for subject in subjects)
    return [subject for subject, _ in counts.most_common(wanted)]


async def _group(labelled: Sequence[Labelled], topics: list[str], config: TaxonomyConfig, ask: Asker) -> _Coarse:
    """Step 2: groups of labels that are alike, named and defined by the teacher."""
    counts = Counter(label for each in labelled for label in each.labels)
    fine = merged([Skill(name=label) for label, _ in counts.most_common(CLUSTERED)], topics)
    if not fine:
        return _Coarse([], {})
    found = cluster(skill_vectors(fine), config.skills, ask.seed)
    members = [[fine[place].name for place in places] for places in found.members]
    names: list[str] = []

    async def name(labels: list[str]) -> str:
        return await _name(labels[: config.batch], topics, ask)

    async for each in in_order(name, members):
        names.append(each)
        ask.note("coarse skills", len(names), len({tuple(stems(name)) for name in names}))
    categories = _categories(labelled, fine, found, topics)
    first: dict[str, str] = {}
    for each, category in zip(names, categories, strict=True):
        first.setdefault(each, category)
    skills = merged(await define(list(first.items()), ask), topics)
    place_of = {canonical(name): i for i, skill in enumerate(skills) for name in (skill.name, *skill.aliases)}
    places = [place_of.get(name) for name in names]
    nearest: dict[str, list[int]] = {}
    for place, entry in enumerate(fine):
        order = [i for number in found.nearest[place].tolist() if (i := places[number]) is not None]
        nearest |= dict.fromkeys((entry.name, *entry.aliases), list(dict.fromkeys(order))[: config.batch])
    return _Coarse(skills, nearest)


async def _name(labels: list[str], topics: list[str], ask: Asker) -> str:
    """A name for a group of labels: one that `AGREED` answers of `NAMINGS` gave, else the group's first label."""
    if len(labels) == 1:
        return labels[0]
    shown = [(prompt("cluster", labels=each["labels"]), {"name": each["name"]}) for each in worked()["clusters"]]
    taken = [*topics, *(each["name"] for each in worked()["clusters"])]
    question, schema = prompt("cluster", labels=labels), object_schema(name=SKILL_NAME)
    answers = await asyncio.gather(*(ask(schema, shown, question, "cluster", *labels, i) for i in range(NAMINGS)))
    votes: Counter[tuple[str, ...]] = Counter()
    spelled: dict[tuple[str, ...], str] = {}
    for answer in answers:
        name = canonical(tidy(answer["name"])) if answer else ""
        if not bad_name(name) and not any(same_name(name, other) for other in taken):
            votes[tuple(stems(name))] += 1
            spelled.setdefault(tuple(stems(name)), name)
    return next((spelled[key] for key, count in votes.most_common(1) if count >= AGREED), labels[0])


def _categories(labelled: Iterable[Labelled], fine: list[Skill], found: Clusters, topics: list[str]) -> list[str]:
    """For each cluster the topic that most of the examples with its labels have."""
    number_of = {
        name: number
        for number, places in enumerate(found.members)
        for place in places
        for name in (fine[place].name, *fine[place].aliases)
    }
    topic_of = {tuple(stems(topic)): topic for topic in topics}
    counts: list[Counter[str]] = [Counter() for _ in found.members]
    for each in labelled:
        topic = topic_of.get(tuple(stems(each.subject)))
        if topic is not None:
            for number in {number_of[label] for label in each.labels if label in number_of}:
                counts[number][topic] += 1
    return [max(count, key=count.__getitem__) if count else GENERAL for count in counts]


async def _choose(
    examples: Examples, labelled: list[Labelled], coarse: _Coarse, batch: int, ask: Asker
) -> list[Labelled]:
    """Step 3: the skills of the taxonomy that each example takes, out of the `batch` that its labels are nearest to."""
    shown: list[Turn] = [
        (prompt("choose", **{key: each[key] for key in ("request", "labels", "skills")}), {"skills": each["answer"]})
        for each in worked()["chosen"]
    ]
    names = coarse.names
    # one schema for all: servers compile each that they have not seen
    schema = list_schema("skills", {"type": "string", "enum": names}, 1, MOST_SKILLS)
    frequent = Counter(
        place for each in labelled for label in each.labels for place in coarse.nearest.get(label, [])[:1]
    )
    usual = sorted(range(len(coarse.skills)), key=lambda place: (-frequent[place], place))

    async def one(place: int) -> dict[str, Any] | None:
        example = examples[place]
        if not example.request:
            return None
        skills = [names[i] for i in _likely(labelled[place].labels, coarse, usual)[:batch]]
        request, labels = example.request[:REQUEST_CHARS], labelled[place].labels
        question = prompt("choose", request=request, labels=labels, skills=skills)
        return await ask(schema, shown, question, "choose", example.row)

    named = {canonical(name): name for name in names}
    chosen: list[Labelled] = []
    used: set[str] = set()
    async for answer in in_order(one, range(len(examples))):
        skills = [named[name] for text in texts(answer, "skills") if (name := canonical(tidy(text))) in named]
        used.update(skills)
        chosen.append(replace(labelled[len(chosen)], skills=tuple(dict.fromkeys(skills))[:MOST_SKILLS]))
        ask.note("skills of examples", len(chosen), len(used))
    return chosen


async def _query_types(examples: Examples, wanted: int, ask: Asker) -> list[QueryType]:
    """What kind of request each of some examples is, until enough kinds are named or nothing new comes."""
    shown: list[Turn] = [
        (prompt("kind", request=each["request"]), {key: each[key] for key in ("name", "definition")})
        for each in worked()["kinds"]
    ]
    schema = object_schema(name=NAME, definition=THE_USER_WANTS)

    async def kinds(what: str, attempt: int, i: int) -> list[QueryType]:
        example = examples[(attempt * AT_ONCE + i) % len(examples)]
        if not example.request:
            return []
        question = prompt("kind", request=example.request[:REQUEST_CHARS])
        found = query_type(await ask(schema, shown, question, what, attempt, i))
        return [found] if found else []

    return await most_named(kinds, wanted, [each["name"] for each in worked()["kinds"]], ask.note)


def _likely(labels: Sequence[str], coarse: _Coarse, usual: list[int]) -> list[int]:
    """Places of skills: those nearest to each of the labels in turn, then the most frequent ones."""
    orders = [coarse.nearest[label] for label in labels if label in coarse.nearest]
    turns = (order[i] for i in range(max(map(len, orders), default=0)) for order in orders if i < len(order))
    return list(dict.fromkeys([*turns, *usual]))


def _with_requests(skills: Iterable[Skill], examples: Examples, labelled: Sequence[Labelled]) -> Iterable[Skill]:
    """Each skill with a request that takes it as its example, best one that names it first; else the teacher's own."""
    best: dict[str, tuple[int, int]] = {}  # rank of the skill among those of the example, place of the example
    for place, each in enumerate(labelled):
        for rank, name in enumerate(each.skills):
            best[name] = min((rank, place), best.get(name, (rank, place)))
    for skill in skills:
        if skill.name in best:
            request = _one_line(examples[best[skill.name][1]].request)
            skill = skill.model_copy(update={"example": request})
        yield skill


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXAMPLE_CHARS else f"{line[:EXAMPLE_CHARS].rstrip()} …"
