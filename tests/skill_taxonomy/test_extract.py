"""Extraction against teachers that answer by looking at the request: well, badly, or not at all."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from skillmill.data.errors import TeacherError
from skillmill.data.reasons import Reason
from skillmill.skill_taxonomy.check import check
from skillmill.skill_taxonomy.extract import ROUNDS, extract
from skillmill.skill_taxonomy.names import bad_name, bad_sentence, same_name
from skillmill.skill_taxonomy.sources import TaxonomyConfig
from skillmill.skill_taxonomy.taxonomy import Taxonomy, load_taxonomy, save_taxonomy
from skillmill.teachers.base import Reply, Request, Sampling, TurnFailed
from skillmill.teachers.embedded import Embedded

CONFIG = TaxonomyConfig(source="teacher", topics=4, skills_per_topic=2, query_types=3)

SKILLS = {
    "risk assessment": ("Judging what could go wrong and how bad it would be.", "She counted the exits first."),
    "budget planning": ("Deciding before the month starts what money is for.", "He put the rent aside on payday."),
    "conflict mediation": ("Helping two sides to hear what the other needs.", "She let both of them finish."),
}
QUERY_TYPES = {
    "troubleshooting help": "The user wants a thing that stopped working to work again.",
    "fact finding": "The user wants to know something that can be looked up.",
    "idea generation": "The user wants many suggestions to choose from.",
}


@dataclass
class Scripted:
    """Answers each question by `answer(question, seed)`: an object, raw text, or an exception to raise."""

    answer: Callable[[str, int], object]
    name: str = "scripted"
    asked: list[Request] = field(default_factory=list)

    async def chat(self, request: Request) -> Reply:
        self.asked.append(request)
        await asyncio.sleep(random.random() / 1000)  # replies come in any order
        answer = self.answer(request.messages[-1]["content"], request.seed)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer if isinstance(answer, str) else orjson.dumps(answer).decode(), "stop", 1, 1)


def sensible(question: str, seed: int) -> object:
    if "often ask questions about" in question:
        letter = re.search(r"the letter (\w)", question)
        return {"topic": f"{letter[1] if letter else 'T'}{'aeiou'[seed % 5]}llo{'l' * (seed % 2)}ogy"}
    if topic := re.search(r"Topic: (.*)", question):
        name = list(SKILLS)[seed % len(SKILLS)]
        definition, example = SKILLS[name]
        return {"skill": f"{topic[1].lower()} {name}", "definition": definition, "example": example}
    name = list(QUERY_TYPES)[seed % len(QUERY_TYPES)]
    return {"query_type": name, "definition": QUERY_TYPES[name]}


def extracted(answer: Callable[[str, int], object], seed: int = 1, config: TaxonomyConfig = CONFIG) -> Taxonomy:
    return asyncio.run(extract(config, Scripted(answer), Sampling(), seed))


def test_a_sensible_teacher_fills_every_place() -> None:
    taxonomy = extracted(sensible)
    assert len(taxonomy.topics) == 4
    assert len(taxonomy.skills) == 8
    assert len(taxonomy.query_types) == 3
    assert {skill.category for skill in taxonomy.skills} == {topic.name for topic in taxonomy.topics}
    assert all(skill.definition and skill.example for skill in taxonomy.skills)
    assert all(query_type.min_words > 0 for query_type in taxonomy.query_types)
    assert "scripted" in taxonomy.source
    assert check(taxonomy) == []


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


def test_failures_garbage_and_copies_cost_their_call_alone() -> None:
    calls = iter(range(10_000))
    bad = [
        TurnFailed(Reason.CONTEXT_LENGTH, "too long"),
        "I am sorry, but",
        '{"topic": 3, "skill": null, "query_type": [], "definition": {}, "example": ""}',
        {"topic": "Beekeeping", "skill": "swarm prevention", "query_type": "trip planning"}
        | {"definition": "Keeping a colony from leaving its hive.", "example": "She added a box in May."},
        {"topic": "Skill 1", "skill": "skill one, skill two", "query_type": "query type 3"}
        | {"definition": "The act of skill one.", "example": "An example."},
    ]

    def often_bad(question: str, seed: int) -> object:
        call = next(calls)
        return bad[call % 7] if call % 7 < len(bad) else sensible(question, seed)

    taxonomy = extracted(often_bad, config=CONFIG.model_copy(update={"topics": 6, "skills_per_topic": 3}))
    names = [entry.name for entry in (*taxonomy.skills, *taxonomy.topics, *taxonomy.query_types)]
    assert len(names) >= 8
    assert not {"Beekeeping", "swarm prevention", "trip planning", "Skill 1", "3"} & set(names)
    assert check(taxonomy) == []


def test_the_same_skill_of_two_topics_is_one_with_its_other_spelling_as_alias() -> None:
    def general(question: str, seed: int) -> object:
        answer = sensible(question, seed)
        assert isinstance(answer, dict)
        if "skill" in answer:
            spelling = "meal planning skills" if len(question) % 2 else "meals planning"
            answer["skill"] = (spelling, "sleep tracking", "soil testing", "ink mixing")[seed % 4]
        return answer

    taxonomy = extracted(general, config=CONFIG.model_copy(update={"skills_per_topic": 4}))
    names = {name for skill in taxonomy.skills for name in (skill.name, *skill.aliases)}
    assert len(taxonomy.skills) == 4
    assert names == {"meal planning skills", "meals planning", "sleep tracking", "soil testing", "ink mixing"}


def test_a_skill_named_like_a_topic_is_dropped() -> None:
    def topical(question: str, seed: int) -> object:
        answer = sensible(question, seed)
        if isinstance(answer, dict) and "skill" in answer and seed % 2:
            answer["skill"] = re.search(r"Topic: (.*)", question)[1]  # type: ignore[index]
        return answer

    taxonomy = extracted(topical)
    assert not {skill.name.lower() for skill in taxonomy.skills} & {topic.name.lower() for topic in taxonomy.topics}


@pytest.mark.parametrize("garbage", ["", "no", "{}", '{"topic": ""}', "[1, 2]"])
def test_a_useless_teacher_ends_in_one_line_after_a_bounded_number_of_calls(garbage: str) -> None:
    teacher = Scripted(lambda question, seed: garbage)
    with pytest.raises(TeacherError, match="named 0 usable topics of 4 asked for, at least 2 are needed"):
        asyncio.run(extract(CONFIG, teacher, Sampling(), 1))
    assert len(teacher.asked) == ROUNDS * CONFIG.topics


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
        config = TaxonomyConfig(source="teacher", topics=2, skills_per_topic=3, query_types=2)
        taxonomy = asyncio.run(extract(config, teacher, Sampling(), 42))
    finally:
        teacher.close()
    assert len(taxonomy.topics) == 2
    assert 4 <= len(taxonomy.skills) <= 6
    assert len(taxonomy.query_types) == 2
    assert not [finding for finding in check(taxonomy) if finding.severity == "error"]
    path = tmp_path / "taxonomy.yaml"
    save_taxonomy(taxonomy, path)
    assert load_taxonomy(path) == taxonomy
