"""Extraction from a dataset by scripted teachers that answer well, badly or not at all."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_teacher import Scripted

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import CONTEXT_LENGTH
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.curation.similarity import LEXICAL, SkillVectors, skill_vectors
from skillmill.skill_taxonomy.extraction.clusters import cluster
from skillmill.skill_taxonomy.extraction.examples import ExampleLabels, Examples
from skillmill.skill_taxonomy.extraction.from_dataset import extract_from_dataset
from skillmill.skill_taxonomy.extraction.requests import WINDOW, map_in_order
from skillmill.skill_taxonomy.extraction.saturation import Curves
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy
from skillmill.teachers.base import RequestFailed, Sampling

CONFIG = TaxonomyConfig(source="dataset", dataset="trees.jsonl", topics=2, skills=4, query_types=2, batch=3)

# what an example says, the subject it has, the fine labels that are given for it in turn, the coarse skill behind them
KINDS = {
    "soup": ("Cooking", ["spice choice", "spice blending", "spice pairing"], "seasoning"),
    "dough": ("Cooking", ["dough kneading", "dough resting", "dough shaping"], "baking"),
    "sum": ("Arithmetic", ["column addition", "mental addition", "carried addition"], "adding"),
    "fraction": ("Arithmetic", ["fraction reduction", "fraction expansion", "fraction ordering"], "fraction handling"),
}
QUERY_TYPES = {
    "Fact finding": "The user wants to know something that can be looked up.",
    "Schedule making": "The user wants a list of days with what to do on each.",
}


def table(rows: int) -> list[dict[str, str]]:
    return [{"text": f"Request {row} about a {list(KINDS)[row % 4]}, please."} for row in range(rows)]


def sample(rows: int) -> Examples:
    return Examples("trees.jsonl", table(rows), (("text",), ()), rows, 1)


def asked_about(question: str) -> tuple[int, str]:
    found = re.search(r"Request (\d+) about a (\w+)", question)
    assert found
    return int(found[1]), found[2]


def sensible(question: str, seed: int) -> object:
    if question.startswith("Name the subject"):
        number, about = asked_about(question)
        subject, labels, _ = KINDS[about]
        return {"subject": subject, "skills": [labels[number // 4 % 3].capitalize()]}
    if question.startswith("Name the one skill"):
        return {"name": next(name for _, labels, name in KINDS.values() if any(label in question for label in labels))}
    if "Choose from the list" in question:
        return {"skills": [KINDS[asked_about(question)[1]][2]]}
    if "Define it" in question:
        return {"definition": "Judging what could go wrong and how bad.", "example": "She counted the exits first."}
    name = list(QUERY_TYPES)[seed % 2]
    return {"name": name, "definition": QUERY_TYPES[name]}


def extracted(
    answer: Callable[[str, int], object], rows: int = 48, config: TaxonomyConfig = CONFIG
) -> tuple[Taxonomy, list[ExampleLabels], Scripted, Curves]:
    teacher, curves = Scripted(answer), Curves()
    found = asyncio.run(extract_from_dataset(config, sample(rows), teacher, Sampling(), 1, curves.add))
    return *found, teacher, curves


def test_examples_become_named_skills_with_topics_and_an_example_each() -> None:
    taxonomy, labelled, _, _ = extracted(sensible)
    assert {skill.name for skill in taxonomy.skills} == {coarse for _, _, coarse in KINDS.values()}
    assert {topic.name for topic in taxonomy.topics} == {"Cooking", "Arithmetic"}
    assert {skill.name: skill.category for skill in taxonomy.skills} == {name: s for s, _, name in KINDS.values()}
    assert {query_type.name for query_type in taxonomy.query_types} == {"fact finding", "schedule making"}
    for skill in taxonomy.skills:
        about = next(about for about, (_, _, coarse) in KINDS.items() if coarse == skill.name)
        assert re.fullmatch(rf"Request \d+ about a {about}, please\.", skill.example)
    assert not [finding for finding in find_faults(taxonomy) if finding.severity == "error"]
    assert taxonomy.source == "48 examples of trees.jsonl, labelled by scripted, seed 1"
    assert taxonomy.name == "trees"
    for example, said in zip(sample(48), labelled, strict=True):
        subject, fine, coarse = KINDS[asked_about(example.request)[1]]
        assert (said.subject, said.skills) == (subject, (coarse,))
        assert set(said.labels) <= set(fine)


def test_query_types_go_with_the_skills_of_the_examples_they_were_named_for() -> None:
    def by_subject(question: str, seed: int) -> object:
        if not question.startswith("Name the kind"):
            return sensible(question, seed)
        name = "Recipe question" if KINDS[asked_about(question)[1]][0] == "Cooking" else "Result check"
        return {"name": name, "definition": QUERY_TYPES["Fact finding"]}

    taxonomy, _, _, _ = extracted(by_subject)
    of_name = {query_type.name: query_type.category for query_type in taxonomy.query_types}
    assert of_name == {"recipe question": "Cooking", "result check": "Arithmetic"}
    plain, _, _, _ = extracted(sensible)
    assert {query_type.category for query_type in plain.query_types} <= {None, "Cooking", "Arithmetic"}


def test_the_order_of_replies_does_not_matter() -> None:
    assert extracted(sensible)[:2] == extracted(sensible)[:2]


def test_a_larger_sample_asks_again_nothing_that_a_smaller_one_asked_about_its_examples() -> None:
    small, large = Examples("t", table(40), (("text",), ()), 16, 1), Examples("t", table(40), (("text",), ()), 40, 1)
    asked = []
    for examples in (small, large):
        teacher = Scripted(sensible)
        asyncio.run(extract_from_dataset(CONFIG, examples, teacher, Sampling(), 1))
        labelling = [r for r in teacher.asked if r.messages[-1]["content"].startswith("Name the subject")]
        asked.append({(request.seed, request.messages[-1]["content"]) for request in labelling})
    assert len(asked[0]) == 16
    assert asked[0] < asked[1]


def test_questions_are_bounded_and_share_one_schema() -> None:
    config = CONFIG.model_copy(update={"skills": 12})
    long = [{"text": f"Request {row} about a {list(KINDS)[row % 4]}, please." + "x" * 50_000} for row in range(48)]
    teacher = Scripted(sensible)
    examples = Examples("t", long, (("text",), ()), 48, 1)
    asyncio.run(extract_from_dataset(config, examples, teacher, Sampling(), 1))
    assert max(len(str(request.messages)) for request in teacher.asked) < 4000
    choosing = [r for r in teacher.asked if "Choose from the list" in r.messages[-1]["content"]]
    assert len({orjson.dumps(request.json_schema) for request in choosing}) == 1
    for request in choosing:
        shown = request.messages[-1]["content"].split("\n")[0].removeprefix("Skills: ").split(", ")
        assert len(shown) <= config.batch
    assert len({request.seed for request in teacher.asked}) == len(teacher.asked)


def test_the_nearest_skills_of_an_examples_own_labels_stand_first() -> None:
    _, _, teacher, _ = extracted(sensible)
    for request in teacher.asked:
        question = request.messages[-1]["content"]
        if "Choose from the list" in question:
            assert question.startswith(f"Skills: {KINDS[asked_about(question)[1]][2]}")


def test_curves_say_how_the_labels_grew() -> None:
    _, _, _, curves = extracted(sensible)
    assert curves["fine labels"][0] == (1, 1)
    assert curves["fine labels"][-1] == (48, 12)
    assert curves["skills of examples"][-1] == (48, 4)


def test_failures_and_garbage_cost_their_example_alone() -> None:
    bad = [
        RequestFailed(CONTEXT_LENGTH, "too long"),
        "I am sorry, but",
        {"subject": 3, "skills": 3, "name": [], "definition": None, "example": 1},
        {
            "subject": "",
            "skills": [None, "one, two", "{{ 7 * 7 }}"],
            "name": "Skill 1",
            "definition": "",
            "example": "",
        },
    ]

    def often_bad(question: str, seed: int) -> object:
        return bad[seed % 11] if seed % 11 < len(bad) else sensible(question, seed)

    taxonomy, labelled, _, _ = extracted(often_bad, rows=88)
    assert len(taxonomy.skills) == 4
    assert 0 < sum(not each.labels for each in labelled) < 44
    names = {skill.name for skill in taxonomy.skills}
    assert all(set(each.skills) <= names for each in labelled)
    assert not [finding for finding in find_faults(taxonomy) if finding.severity == "error"]


def test_a_group_that_the_teacher_cannot_name_takes_its_most_frequent_label() -> None:
    def nameless(question: str, seed: int) -> object:
        return {"name": "Skill 1"} if question.startswith("Name the one skill") else sensible(question, seed)

    fine = Counter(label for each in extracted(nameless)[1] for label in each.labels)
    taxonomy, labelled, _, _ = extracted(nameless)
    assert len(taxonomy.skills) == 4
    for skill in taxonomy.skills:
        group = next(labels for _, labels, _ in KINDS.values() if skill.name in labels)
        assert fine[skill.name] == max(fine[label] for label in group)
    assert all(each.skills == () for each in labelled)  # this teacher goes on to choose names that are not there


def test_a_useless_teacher_ends_in_one_line() -> None:
    with pytest.raises(TeacherError, match=r"taxonomy\.source: dataset named 0 usable topics of 2 asked for"):
        extracted(lambda question, seed: "{}")


def test_a_teacher_that_is_gone_stops_at_once() -> None:
    teacher = Scripted(lambda question, seed: TeacherError("the engine is closed"))
    with pytest.raises(TeacherError, match="engine is closed"):
        asyncio.run(extract_from_dataset(CONFIG, sample(2000), teacher, Sampling(), 1))
    assert len(teacher.asked) <= WINDOW


def test_text_of_a_dataset_is_data() -> None:
    rows = [{"text": f"{{{{ 7 * 7 }}}} {{% raw %}} Request {row} about a {list(KINDS)[row % 4]}"} for row in range(24)]
    teacher = Scripted(sensible)
    examples = Examples("t", rows, (("text",), ()), 24, 1)
    asyncio.run(extract_from_dataset(CONFIG, examples, teacher, Sampling(), 1))
    questions = [request.messages[-1]["content"] for request in teacher.asked]
    assert sum("{{ 7 * 7 }} {% raw %} Request" in question for question in questions) >= 48


def test_an_example_is_one_short_line_in_any_script() -> None:
    rows = [{"text": f"Request {row} about a {list(KINDS)[row % 4]}:\n{'好' * 500}"} for row in range(24)]
    examples = Examples("t", rows, (("text",), ()), 24, 1)
    taxonomy, _ = asyncio.run(extract_from_dataset(CONFIG, examples, Scripted(sensible), Sampling(), 1))
    assert all(re.fullmatch("Request .* 好+ …", skill.example) for skill in taxonomy.skills)
    assert max(len(skill.example) for skill in taxonomy.skills) <= 202


# Groups of labels


def test_labels_that_are_alike_are_one_cluster() -> None:
    labels = [label for _, fine, _ in KINDS.values() for label in fine]
    found = cluster(skill_vectors([Skill(name=label) for label in labels], LEXICAL), 4, seed=1)
    groups = {frozenset(labels[place] for place in places) for places in found.members}
    assert groups == {frozenset(fine) for _, fine, _ in KINDS.values()}


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 3))
def test_clusters_part_the_labels_and_a_label_is_nearest_to_its_own(labels: int, wanted: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(labels, 5))
    found = cluster(SkillVectors(rows, "chance", 0.5), wanted, seed)
    assert sorted(place for places in found.members for place in places) == list(range(labels))
    assert len(found.members) == min(labels, wanted)
    for number, places in enumerate(found.members):
        assert (found.nearest[places, 0] == number).all()
    assert (np.sort(found.nearest, axis=1) == np.arange(len(found.members))).all()


# Many questions at once


@given(st.lists(st.integers(), max_size=30))
def test_results_come_in_the_order_of_the_items(items: list[int]) -> None:
    async def made() -> list[int]:
        async def slow(item: int) -> int:
            await asyncio.sleep(item % 3 / 10_000)
            return -item

        return [each async for each in map_in_order(slow, items)]

    assert asyncio.run(made()) == [-item for item in items]


def test_no_more_than_a_window_is_under_way() -> None:
    running = most = 0

    async def made() -> int:
        async def one(_: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

        return len([None async for _ in map_in_order(one, range(4 * WINDOW))])

    assert asyncio.run(made()) == 4 * WINDOW
    assert most <= WINDOW


@given(st.lists(st.integers(1, 50), min_size=1, max_size=300))
def test_a_curve_is_short_rises_and_ends_exactly(steps: list[int]) -> None:
    curves, asked = Curves(), 0
    for step in steps:
        asked += step
        curves.add("names", asked, asked // 2)
    points = curves["names"]
    assert points[-1] == (asked, asked // 2)
    assert points == sorted(set(points))
    assert len(points) <= 3 + 25 * np.log10(asked + 1)
