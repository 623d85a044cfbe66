"""The targets of a cell in the prompts of both kinds; without targets the prompts do not change."""

import asyncio
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import orjson
import pytest

from skillmill.data.records import Message
from skillmill.generators import instruct_skill_mix, skill_mix
from skillmill.generators.instruct_skill_mix import InstructSkillMix
from skillmill.generators.skill_mix import SkillMix
from skillmill.generators.targets import FOLDER, with_targets
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Topic
from skillmill.teachers.base import Reply, Request, Sampling
from skillmill.teachers.prompts import Prompts, shipped

SKILLS = (Skill(name="metaphor", definition="naming another thing"), Skill(name="hyperbole"))
PLAIN = Cell("instruct_skill_mix", 0, SKILLS, None, QueryType(name="Advice", definition="the user wants advice"), 7)
TEXT = Cell("skill_mix", 0, SKILLS, Topic(name="chess"), None, 7)
QUESTION = "Wie sage ich meinem Vermieter vor dem Winter, dass die Miete zu hoch ist?"


class Writer:
    """A teacher that answers every turn in its form and records its requests."""

    name = "writer"

    def __init__(self) -> None:
        self.requests = list[Request]()

    async def chat(self, request: Request) -> Reply:
        self.requests.append(request)
        keys = list(request.json_schema["properties"]) if request.json_schema else []
        reply = orjson.dumps(dict.fromkeys(keys, QUESTION)).decode() if keys else "Bleiben Sie freundlich."
        return Reply(reply, "stop", prompt_tokens=10, completion_tokens=5)

    def messages(self, stage: str) -> list[list[Message]]:
        return [request.messages for request in self.requests if request.stage == stage]


def answered(
    cell: Cell, max_tokens: int = 1024, with_targets: bool = True, order: skill_mix.Order = "limit_first"
) -> Writer:
    kind = skill_mix if cell.kind == "skill_mix" else instruct_skill_mix
    templates = shipped(kind.FOLDER, FOLDER) if with_targets else shipped(kind.FOLDER)
    sampling, teacher = Sampling(max_tokens=max_tokens), Writer()
    generator = (
        SkillMix(sampling, order=order, templates=templates)
        if cell.kind == "skill_mix"
        else InstructSkillMix(sampling, templates=templates)
    )
    (sample,) = asyncio.run(generator.make(cell, teacher))
    assert not sample.reasons
    teacher.sample = sample  # type: ignore[attr-defined]
    return teacher


@pytest.mark.parametrize(("cell", "max_tokens"), [*product((PLAIN, TEXT), (200, 1024))])
def test_a_cell_without_targets_is_asked_for_as_ever(cell: Cell, max_tokens: int) -> None:
    assert (
        answered(cell, max_tokens, with_targets=True).requests
        == answered(cell, max_tokens, with_targets=False).requests
    )


@pytest.mark.parametrize("max_tokens", [200, 1024])
def test_the_language_is_told_where_instruction_and_answers_are_written(max_tokens: int) -> None:
    teacher = answered(replace(PLAIN, language="German"), max_tokens)
    assert teacher.messages("instruction")[0][-1]["content"].splitlines()[-1].startswith("Language: German")
    for stage in ("response", "refine"):
        assert all("Write it in German." in messages[0]["content"] for messages in teacher.messages(stage))


def test_difficulty_and_length_are_told_with_the_task_and_the_length_where_it_is_answered() -> None:
    teacher = answered(replace(PLAIN, difficulty="hard", length="long"))
    task = teacher.messages("instruction")[0][-1]["content"]
    assert "Difficulty: hard." in task and "Wanted answer: long, 200 to 400 words." in task
    assert all("Answer in 200 to 400 words" in messages[0]["content"] for messages in teacher.messages("response"))


def test_what_comes_before_the_task_is_the_same_with_and_without_targets() -> None:
    """So that the prefix cache serves both."""
    aiming, plain = answered(replace(PLAIN, difficulty="easy", language="German")), answered(PLAIN)
    assert aiming.messages("instruction")[0][:-1] == plain.messages("instruction")[0][:-1]
    task = plain.messages("instruction")[0][-1]["content"]
    assert aiming.messages("instruction")[0][-1]["content"].startswith(task)


def test_a_short_answer_fits_the_short_form() -> None:
    teacher = answered(replace(PLAIN, length="short"), max_tokens=200)
    assert all("one or two sentences" in messages[0]["content"] for messages in teacher.messages("response"))
    assert "Wanted answer: short, at most 80 words." in teacher.messages("instruction")[0][-1]["content"]


@pytest.mark.parametrize("order", ["limit_first", "paper"])
def test_a_skill_mix_text_and_the_request_in_its_row_tell_the_targets(order: skill_mix.Order) -> None:
    cell = replace(TEXT, difficulty="hard", length="medium", language="German")
    if order == "limit_first":
        teacher = answered(cell, order=order)
        request = teacher.sample.instruction  # type: ignore[attr-defined]
        assert "at most four sentences" in request and request.endswith("Write the text in German.")
        assert "closely woven" in request
    generator = SkillMix(Sampling(), order=order, templates=shipped(skill_mix.FOLDER, FOLDER))
    task = generator.draft_messages(cell)[-1]["content"]
    assert "closely woven" in task and task.endswith("Write the text in German.")


@pytest.mark.parametrize("cell", [PLAIN, TEXT])
def test_the_short_form_takes_other_scripts(cell: Cell) -> None:
    schemas = [
        request.json_schema
        for request in answered(replace(cell, language="Russian"), 200).requests
        if request.json_schema
    ]
    pattern = next(iter(schemas[0]["properties"].values()))["pattern"]
    assert re.search(pattern, "Как мне сказать хозяину квартиры, что аренда слишком высока?")
    english = answered(cell, 200).requests[0].json_schema
    assert not re.search(next(iter(english["properties"].values()))["pattern"], "Как мне сказать об этом хозяину?")  # type: ignore[index]


@pytest.mark.parametrize("values", [*product(("easy", "medium", "hard"), (None, "short"), (None, "German"))])
def test_every_target_prompt_renders(values: tuple[str, str | None, str | None]) -> None:
    difficulty, length, language = values
    templates = shipped(FOLDER)
    task = with_targets("Task.", templates, "instruction", difficulty=difficulty, length=length, language=language)
    assert task.startswith("Task.\nDifficulty: ") and "\n\n" not in task
    text = with_targets("Task.", templates, "text", difficulty=difficulty, language=language)
    assert (
        len({with_targets("", templates, "text", difficulty=d, language=None) for d in ("easy", "medium", "hard")}) == 3
    )
    assert "\n\n" not in text


def test_a_target_prompt_can_be_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "target_answer.jinja").write_text("Auf {{ language }}, bitte.")
    templates = Prompts(instruct_skill_mix.FOLDER, FOLDER, own=tmp_path)
    assert with_targets("Answer.", templates, "answer", language="German") == "Answer.\nAuf German, bitte."
    assert templates.fingerprint != shipped(instruct_skill_mix.FOLDER, FOLDER).fingerprint
