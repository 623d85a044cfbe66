"""Coarse skills: clusters of the fine labels of a dataset's examples, named and defined by the teacher."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skillmill.skill_taxonomy.curation.similarity import skill_vectors
from skillmill.skill_taxonomy.extraction.agreement import MIN_VOTES, StemKey, stem_key
from skillmill.skill_taxonomy.extraction.clusters import Clusters, cluster
from skillmill.skill_taxonomy.extraction.context import GENERAL
from skillmill.skill_taxonomy.extraction.definitions import define_skills, merge_skills
from skillmill.skill_taxonomy.extraction.examples import ExampleLabels
from skillmill.skill_taxonomy.extraction.requests import Requester, map_in_order, prompt, worked_examples
from skillmill.skill_taxonomy.names import bad_name, same_name, tidy_name
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill, canonical
from skillmill.teachers.structured import object_schema

MAX_CLUSTERED_LABELS = 5000
"""The number of fine labels that are clustered, the most frequent ones; rarer ones are mostly slips of the teacher.

The examples of the rarer labels get coarse skills too.
"""

NAMING_REQUESTS = 4
"""The number of requests for the name of a cluster: a small model rarely invents the same name twice."""


@dataclass(frozen=True)
class CoarseSkills:
    """The skills of a taxonomy from a dataset.

    Attributes:
        skills: The skills of the taxonomy.
        nearest: For each fine label, the positions of the skills that are likely to include it, nearest first.
    """

    skills: list[Skill]
    nearest: dict[str, list[int]]

    @property
    def names(self) -> list[str]:
        """The names of the skills."""
        return [skill.name for skill in self.skills]


async def group_labels(
    labels: Sequence[ExampleLabels], topics: list[str], config: TaxonomyConfig, requester: Requester
) -> CoarseSkills:
    """Return the clusters of fine labels as skills that the teacher named and defined.

    Args:
        labels: The labels of the examples.
        topics: The names of the topics, which are the categories of the skills; no skill is named like one.
        config: The number of skills, and `batch`.
        requester: Sends the requests.
    """
    counts = Counter(label for each in labels for label in each.labels)
    fine = merge_skills([Skill(name=label) for label, _ in counts.most_common(MAX_CLUSTERED_LABELS)], topics)
    if not fine:
        return CoarseSkills([], {})
    clusters = cluster(skill_vectors(fine), config.skills, requester.seed)
    members = [[fine[place].name for place in places] for places in clusters.members]
    names: list[str] = []

    async def request(fine_labels: list[str]) -> str:
        return await _name(fine_labels[: config.batch], topics, requester)

    async for name in map_in_order(request, members):
        names.append(name)
        requester.progress("coarse skills", len(names), len({stem_key(name) for name in names}))
    category_of: dict[str, str] = {}
    for name, category in zip(names, _categories(labels, fine, clusters, topics), strict=True):
        category_of.setdefault(name, category)
    skills = merge_skills(await define_skills(list(category_of.items()), requester), topics)
    place_of = {canonical(name): i for i, skill in enumerate(skills) for name in (skill.name, *skill.aliases)}
    skill_of_cluster = [place_of.get(canonical(name)) for name in names]
    nearest: dict[str, list[int]] = {}
    for place, entry in enumerate(fine):
        order = [i for number in clusters.nearest[place].tolist() if (i := skill_of_cluster[number]) is not None]
        nearest |= dict.fromkeys((entry.name, *entry.aliases), list(dict.fromkeys(order))[: config.batch])
    return CoarseSkills(skills, nearest)


async def _name(fine_labels: list[str], topics: list[str], requester: Requester) -> str:
    """Return a name for a cluster: one that `MIN_VOTES` answers contain, otherwise its most frequent label."""
    if len(fine_labels) == 1:
        return fine_labels[0]
    examples = worked_examples()["clusters"]
    turns = [(prompt("cluster", labels=each["labels"]), {"name": each["name"]}) for each in examples]
    taken = [*topics, *(each["name"] for each in examples)]
    question, schema = prompt("cluster", labels=fine_labels), object_schema(name=requester.forms.skill_name)
    answers = await asyncio.gather(
        *(requester(schema, turns, question, "cluster", *fine_labels, i) for i in range(NAMING_REQUESTS))
    )
    votes: Counter[StemKey] = Counter()
    spelling: dict[StemKey, str] = {}
    for answer in answers:
        name = tidy_name(answer["name"]) if answer else ""
        if not bad_name(name) and not any(same_name(name, other) for other in taken):
            votes[stem_key(name)] += 1
            spelling.setdefault(stem_key(name), name)
    return next((spelling[key] for key, count in votes.most_common(1) if count >= MIN_VOTES), fine_labels[0])


def _categories(labels: Iterable[ExampleLabels], fine: list[Skill], clusters: Clusters, topics: list[str]) -> list[str]:
    """Return for each cluster the most frequent topic of the examples with its labels; `GENERAL` if there is none."""
    cluster_of = {
        name: number
        for number, places in enumerate(clusters.members)
        for place in places
        for name in (fine[place].name, *fine[place].aliases)
    }
    topic_of = {stem_key(topic): topic for topic in topics}
    counts: list[Counter[str]] = [Counter() for _ in clusters.members]
    for each in labels:
        topic = topic_of.get(stem_key(each.subject))
        if topic is not None:
            for number in {cluster_of[label] for label in each.labels if label in cluster_of}:
                counts[number][topic] += 1
    return [max(count, key=count.__getitem__) if count else GENERAL for count in counts]
