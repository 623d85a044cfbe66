"""Extraction from scripted teachers that answer well, badly or not at all."""

import asyncio
import random
import re
import string
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_teacher import Scripted

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import CONTEXT_LENGTH
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.extraction.agreement import QUIET_ROUNDS, REQUESTS_PER_CATEGORY, REQUESTS_PER_ROUND
from skillmill.skill_taxonomy.extraction.context import Context
from skillmill.skill_taxonomy.extraction.from_teacher import extract
from skillmill.skill_taxonomy.extraction.saturation import Curves
from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, bad_skill_name, same_name
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy
from skillmill.teachers.base import RequestFailed, Sampling
from skillmill.teachers.engines.embedded import Embedded

CONFIG = TaxonomyConfig(source="teacher", topics=4, skills_per_topic=2, query_types=3)

TOPICS = ["Beer brewing", "Choir music", "Old maps", "Rowing", "Weaving", "Cave diving"]
SKILLS = ["risk assessment", "budget planning", "conflict mediation", "route choice", "note taking"]
KINDS = {
    "fact finding": "The user wants to know something that can be looked up.",
    "idea generation": "The user wants many suggestions to choose from.",
    "schedule making": "The user wants a list of days with what to do on each.",
}


def sensible(question: str, seed: int) -> object:
    if "five others" in question or "five subjects" in question:
        return {"names": random.Random(seed).sample(TOPICS, 5)}
    if topic := re.search(r"skills of people who are good at (.*)\.", question):
        return {"names": [f"{topic[1]} {name}".capitalize() for name in random.Random(seed).sample(SKILLS, 5)]}
    if "Define it" in question:
        return {"definition": "Judging what could go wrong and how bad.", "example": "She counted the exits first."}
    return {"kinds": [{"name": name.capitalize(), "definition": text} for name, text in KINDS.items()]}


def extracted(answer: Callable[[str, int], object], seed: int = 1, config: TaxonomyConfig = CONFIG) -> Taxonomy:
    return asyncio.run(extract(config, Scripted(answer), Sampling(), seed))


def test_a_sensible_teacher_fills_every_place() -> None:
    taxonomy = extracted(sensible)
    assert len(taxonomy.topics) == 4
    assert len(taxonomy.skills) == 8
    assert {query_type.name for query_type in taxonomy.query_types} == set(KINDS)
    assert {skill.category for skill in taxonomy.skills} == {topic.name for topic in taxonomy.topics}
    assert all(skill.definition and skill.example for skill in taxonomy.skills)
    assert all(query_type.min_words > 0 for query_type in taxonomy.query_types)
    assert "scripted" in taxonomy.source
    assert find_faults(taxonomy) == []


def test_the_order_of_replies_does_not_matter_and_the_seed_does() -> None:
    assert extracted(sensible) == extracted(sensible)
    assert extracted(sensible, seed=1) != extracted(sensible, seed=2)


def test_every_request_is_constrained_small_and_its_own() -> None:
    teacher = Scripted(sensible)
    asyncio.run(extract(CONFIG, teacher, Sampling(max_tokens=4000, top_p=0.9), 1))
    assert all(request.json_schema and request.sampling.max_tokens <= 200 for request in teacher.asked)
    assert {request.sampling.top_p for request in teacher.asked} == {0.9}
    assert len({request.seed for request in teacher.asked}) == len(teacher.asked)


def test_the_domain_is_asked_for() -> None:
    teacher = Scripted(sensible)
    taxonomy = asyncio.run(extract(CONFIG.model_copy(update={"domain": "astronomy"}), teacher, Sampling(), 1))
    assert "astronomy" in teacher.asked[0].messages[-1]["content"]
    assert taxonomy.name == "astronomy"


def test_seeds_and_documents_stand_before_every_list_and_seeds_come_first(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Oars are feathered between strokes. " * 100)
    defined = Skill(name="oar feathering", definition="Turning the blade flat above the water.", category="rowing")
    teacher = Scripted(sensible)
    context = Context((defined, Skill(name="stroke timing")), (path,))
    taxonomy = asyncio.run(extract(CONFIG, teacher, Sampling(), 1, context))
    assert taxonomy.skills[0] == defined
    assert taxonomy.skills[1].name == "stroke timing"
    assert taxonomy.skills[1].definition
    assert len(taxonomy.skills) == 10
    lists = [r.messages[-1]["content"] for r in teacher.asked if "Define it" not in r.messages[-1]["content"]]
    assert all("feathered between" in question and "oar feathering" in question for question in lists)
    assert "like those above" in lists[0]


def test_a_seed_that_is_named_again_stays_one_skill() -> None:
    seed = Skill(name="assessment of risks", definition="Judging dangers.", category="any")
    config = CONFIG.model_copy(update={"skills_per_topic": 5})

    def plain(question: str, seed: int) -> object:
        return {"names": SKILLS} if "skills of people" in question else sensible(question, seed)

    taxonomy = asyncio.run(extract(config, Scripted(plain), Sampling(), 1, Context((seed,))))
    assert [skill.name for skill in taxonomy.skills if "risk" in skill.name] == ["assessment of risks"]
    assert len(taxonomy.skills) == 5


def test_a_seed_that_the_teacher_takes_for_a_topic_stays_a_skill() -> None:
    seed = Skill(name="cave diving", definition="Finding a way under water.")
    taxonomy = asyncio.run(extract(CONFIG, Scripted(sensible), Sampling(), 1, Context((seed,))))
    assert taxonomy.skills[0] == seed
    assert len(taxonomy.topics) == 4
    assert "Cave diving" not in {topic.name for topic in taxonomy.topics}


def test_a_query_type_goes_with_the_skills_of_the_topic_it_was_named_for() -> None:
    def topical(question: str, seed: int) -> object:
        if topic := re.search(r"requests about (.*) that users", question):
            first = {"name": f"{topic[1]} history".capitalize(), "definition": "The user wants to know how it began."}
            second = {"name": "Fact finding", "definition": KINDS["fact finding"]}
            third = {"name": f"{topic[1]} costs".capitalize(), "definition": "The user wants to know what to pay."}
            return {"kinds": [first, second, third]}
        return sensible(question, seed)

    taxonomy = extracted(topical, config=CONFIG.model_copy(update={"query_types": 6}))
    categories = {skill.category for skill in taxonomy.skills}
    of_name = {query_type.name: query_type.category for query_type in taxonomy.query_types}
    assert of_name.pop("fact finding") is None
    assert of_name == {f"{category.lower()} history": category for category in categories} | {
        name: category for name, category in of_name.items() if name.endswith("costs")
    }
    cells = Combinations(taxonomy, "instruct_skill_mix", "query_type", {2: 1.0}, 1)
    for cell in cells.cells():
        assert cell.query_type is not None
        assert cell.query_type.category in {None, *(skill.category for skill in cell.skills)}
    assert cells.size == cells.survivors > 0


def test_seed_skills_of_no_topic_get_query_types_that_go_with_all_skills() -> None:
    teacher = Scripted(sensible)
    context = Context((Skill(name="stroke timing", definition="Pulling with the others."),))
    asyncio.run(extract(CONFIG, teacher, Sampling(), 1, context))
    assert any("kinds of requests that users" in request.messages[-1]["content"] for request in teacher.asked)


def test_lists_share_their_worked_examples_so_that_a_prefix_cache_serves_them() -> None:
    teacher = Scripted(sensible)
    asyncio.run(extract(CONFIG, teacher, Sampling(), 1))
    openings: dict[str, set[str]] = {"skills of people": set(), "kinds of requests": set(), "Define it": set()}
    for request in teacher.asked:
        *opening, question = request.messages
        for part, seen in openings.items():
            if part in question["content"]:
                seen.add(str(opening))
    most = [REQUESTS_PER_ROUND, REQUESTS_PER_CATEGORY, 1]
    assert [1 <= len(seen) <= least for seen, least in zip(openings.values(), most, strict=True)] == [True] * 3


def test_curves_tell_how_each_list_grew() -> None:
    curves = Curves()
    asyncio.run(extract(CONFIG, Scripted(sensible), Sampling(), 1, progress=curves.add))
    kinds = {name: REQUESTS_PER_CATEGORY for name in curves if name.startswith("query types of ")}
    names = {name: REQUESTS_PER_ROUND for name in curves if name.startswith("skills of ")}
    assert len(kinds) == len(names) == 4
    assert set(curves) == {"topic", *kinds, *names}
    for name, points in curves.items():
        per_round = {"topic": REQUESTS_PER_ROUND, **kinds, **names}[name]
        assert [answers for answers, _ in points] == [per_round * (i + 1) for i in range(len(points))]
        assert points == sorted(points, key=lambda point: point[1])
    assert curves["topic"][-1][1] >= 4


def test_a_name_counts_once_two_answers_agree_on_it_and_the_most_agreed_come_first() -> None:
    def one_knows_more(question: str, seed: int) -> object:
        if "five others" not in question:
            return sensible(question, seed)
        slip = "".join(random.Random(seed).choices(string.ascii_lowercase, k=9))
        return {"names": ["Rowing", "Weaving" if seed % 3 else f"{slip} flying", f"{slip} diving"]}

    taxonomy = extracted(one_knows_more)
    assert [topic.name for topic in taxonomy.topics] == ["Rowing", "Weaving"]


def test_asking_ends_when_nothing_new_is_agreed_on() -> None:
    teacher = Scripted(lambda question, seed: {"names": ["Rowing", "Weaving"]} if "five" in question else "?")
    with pytest.raises(TeacherError, match="usable skills"):
        asyncio.run(extract(CONFIG, teacher, Sampling(), 1))
    about_topics = [request for request in teacher.asked if "five others" in request.messages[-1]["content"]]
    assert len(about_topics) == REQUESTS_PER_ROUND * (1 + QUIET_ROUNDS)


def test_failures_garbage_and_copies_cost_their_call_alone() -> None:
    calls = iter(range(10_000))
    bad = [
        RequestFailed(CONTEXT_LENGTH, "too long"),
        "I am sorry, but",
        {"names": 3, "definition": [], "example": None, "kinds": {"name": "x"}},
        {"names": [None, 3, "Skill 1", "one, two"], "definition": "An act.", "example": "", "kinds": [None, {}]},
        {"names": ["Beekeeping", "Swarm prevention", "Skill 1"]}
        | {"definition": "Keeping a colony from leaving its hive.", "example": "An example."}
        | {"kinds": [{"name": "Trip planning", "definition": "The user wants a plan for a journey with stages."}]},
    ]

    def often_bad(question: str, seed: int) -> object:
        call = next(calls)
        return bad[call % 9] if call % 9 < len(bad) else sensible(question, seed)

    taxonomy = extracted(often_bad)
    names = [entry.name for entry in (*taxonomy.skills, *taxonomy.topics, *taxonomy.query_types)]
    assert len(names) >= 8
    assert not {"Beekeeping", "swarm prevention", "trip planning", "Skill 1", "3"} & set(names)
    assert find_faults(taxonomy) == []


def test_the_same_skill_of_two_topics_is_one_with_its_other_spelling_as_alias() -> None:
    def general(question: str, seed: int) -> object:
        if "skills of people" not in question:
            return sensible(question, seed)
        spelling = "Meal planning skills" if len(question) % 2 else "Meals planning"
        return {"names": [spelling, "Sleep tracking", "Soil testing", "Ink mixing"]}

    taxonomy = extracted(general, config=CONFIG.model_copy(update={"skills_per_topic": 4, "topics": 6}))
    names = {name for skill in taxonomy.skills for name in (skill.name, *skill.aliases)}
    assert len(taxonomy.skills) == 4
    assert names == {"meal planning skills", "meals planning", "sleep tracking", "soil testing", "ink mixing"}


def test_a_skill_named_like_a_topic_is_dropped() -> None:
    def topical(question: str, seed: int) -> object:
        if "skills of people" in question:
            return {"names": ["Old maps", "Rowing skills", *(f"{name} here" for name in SKILLS)]}
        return sensible(question, seed)

    taxonomy = extracted(topical, config=CONFIG.model_copy(update={"topics": 6, "skills_per_topic": 7}))
    assert not {"old maps", "rowing skills"} & {skill.name for skill in taxonomy.skills}


@pytest.mark.parametrize("garbage", ["", "no", "{}", '{"names": ""}', "[1, 2]"])
def test_a_useless_teacher_ends_in_one_line_after_a_bounded_number_of_calls(garbage: str) -> None:
    teacher = Scripted(lambda question, seed: garbage)
    with pytest.raises(TeacherError, match="named 0 usable topics of 4 asked for, at least 2 are needed"):
        asyncio.run(extract(CONFIG, teacher, Sampling(), 1))
    assert len(teacher.asked) == REQUESTS_PER_ROUND * QUIET_ROUNDS


def test_a_teacher_that_is_gone_stops_at_once() -> None:
    with pytest.raises(TeacherError, match="engine is closed"):
        extracted(lambda question, seed: TeacherError("the engine is closed"))


@pytest.mark.parametrize("name", ["risk assessment", "how-to", "Children's books", "R&D planning", "C++", "Yoga"])
def test_names(name: str) -> None:
    assert bad_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "q", "x" * 30, "skill 1", "Skills", "question type", "year 2023", "planning planning"),
        *("bread, butter", "a very long name of a skill indeed", "cook the", "of mice", "a\tb{}"),
    ],
)
def test_no_names(name: str) -> None:
    assert bad_name(name)


def test_a_skill_is_no_person() -> None:
    assert bad_skill_name("soccer players") == "names a person"
    assert bad_skill_name("team management") is None
    assert bad_skill_name("dance dancing") == "says a word twice"


def test_sentences() -> None:
    assert bad_sentence("Deciding what to do first and why.", "planning") is None
    assert bad_sentence("The management of a stallion.", "stallion management")
    assert bad_sentence("Planning is what planning does.", "planning")
    assert bad_sentence("Too short.", "planning")
    assert bad_sentence("the sea the sea the sea the sea the sea")


def test_the_same_name() -> None:
    assert same_name("conflict resolution skills", "Conflict_Resolution techniques")
    assert same_name("meal planning", "meals plan")
    assert not same_name("meal planning", "deal planning")
    assert not same_name("planning of meals", "meal planning")


@pytest.mark.model
def test_the_embedded_model_names_something_to_combine(tmp_path: Path) -> None:
    teacher = Embedded(None, 4, {})
    try:
        config = TaxonomyConfig(source="teacher", topics=2, skills_per_topic=2, query_types=2)
        taxonomy = asyncio.run(extract(config, teacher, Sampling(), 42))
    finally:
        teacher.close()
    assert len(taxonomy.topics) == 2
    assert 3 <= len(taxonomy.skills) <= 4
    assert len(taxonomy.query_types) == 2
    assert not [finding for finding in find_faults(taxonomy) if finding.severity == "error"]
    path = tmp_path / "taxonomy.yaml"
    save_taxonomy(taxonomy, path)
    assert load_taxonomy(path) == taxonomy
