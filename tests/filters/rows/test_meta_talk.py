"""Texts that talk about the task that they were made from."""

import pytest

from skillmill.data.records import Sample
from skillmill.filters.rows.meta_talk import MetaTalk
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill

SKILLS = tuple(
    Skill(name=name) for name in ("risk assessment", "perspective taking", "planning", "root-cause analysis")
)
INSTRUCTION_CELL = Cell("instruct_skill_mix", 0, SKILLS, None, None, 1)
TEXT_CELL = Cell("skill_mix", 0, SKILLS, None, None, 1)


@pytest.mark.parametrize(
    ("instruction", "response", "rejected"),
    [
        ("How do I mend a net?", "This answer uses both skills: first, tie the ends.", True),
        ("How do I mend a net?", "Demonstrating the given skills, I would tie the ends.", True),
        ("How do I mend a net?", "As requested in the prompt, here are three steps.", True),
        ("How do I mend a net?", "The prompt asks for a short text, so tie the ends.", True),
        ("How do I mend a net?", "Skills used: planning. Tie the ends.", True),
        ("How do I mend a net?", "The skills used here are planning and care.", True),
        ("How do I mend a net?", "I have used the skill of planning here.", True),
        ("How do I mend a net?", "Here is a response that combines the two skills: tie it.", True),
        ("How do I mend a net?", "**Query type:** how-to. Tie the ends.", True),
        ("How do I mend a net?", "The user asks how to mend a net. Tie the ends.", True),
        ("How do I mend a net?", "The instruction asks for a net. Tie the ends.", True),
        ("How do I mend a net?", "The task requires me to be brief. Tie the ends.", True),
        ("How do I mend a net?", "Following the instructions in the system prompt, tie the ends.", True),
        ("How do I mend a net?", "This task requires patience, skill and two people.", False),
        ("How do I mend a net?", "It combines the skills of a weaver and a sailor.", False),
        (
            "How do I mend a net?",
            "Follow the instructions. The user of the net wants it dry. Combine your skills.",
            False,
        ),
        ("How do I design a form for a user?", "The user wants few fields.", False),
        ("Write a question that combines all of the required skills.", "Tie the ends.", True),
        ("How do I mend a net as specified by the task?", "Tie the ends.", True),
        (
            "How do I mend a net?",
            "Mending takes skill, and the skills you need come with time. As requested, a list.",
            False,
        ),
        ("What should my CV say about skills?", "Show the required skills in the text.", False),
        (
            "My essay: the prompt asks me to write about nets. How do I begin?",
            "The prompt asks for nets: begin there.",
            False,
        ),
        ("How do I finish this on Friday?", "Do the task that your team needs most, then the others.", False),
    ],
)
def test_talk_about_skills_and_task(instruction: str, response: str, rejected: bool) -> None:
    assert bool(MetaTalk().check(Sample(instruction, response), INSTRUCTION_CELL).reasons) == rejected


def test_a_skill_mix_instruction_may_speak_of_skills_but_its_text_may_not() -> None:
    request = "Write a short text. The text has to show all of these skills without naming them."
    assert not MetaTalk().check(Sample(request, "The sea was a bed."), TEXT_CELL).reasons
    assert MetaTalk().check(Sample(request, "This text shows all the skills."), TEXT_CELL).reasons
