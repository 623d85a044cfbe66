"""What a text must not tell: its skills, its task, skillmill's own prompts."""

import pytest

from skillmill.data.records import Sample
from skillmill.filters.config import FilterOptions, PromptFragment, SkillNamed
from skillmill.filters.rows.leak import meta_talk, prompt_fragment, skill_named
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill

SKILLS = tuple(
    Skill(name=name) for name in ("risk assessment", "perspective taking", "planning", "root-cause analysis")
)
ASKED = Cell("instruct_skill_mix", 0, SKILLS, None, None, 1)
TOLD = Cell("skill_mix", 0, SKILLS, None, None, 1)


@pytest.mark.parametrize(
    ("instruction", "named"),
    [
        ("Which risk assessments does my kitchen need?", True),
        ("How do root causes analysed by others help me?", False),  # another word than analysis
        ("Is root cause analysis right for my leaking tap?", True),
        ("What do I do about the risks assessed by my landlord?", False),
        ("Is perspective-taking something for children?", True),
        ("Are perspectives taken by children of use?", False),  # irregular: another base
        ("Does perspective takes patience?", True),
        ("How are plans made for a wedding in May?", False),  # one word: its inflections are ordinary words
        ("What is at risk when an assessment of my roof is late?", False),
        ("Is a risk\u2013assessment or a risk\u2011assessment due for my kitchen?", True),
        ("Is a risk\u00a0assess\u00adment due for my kit\u200bchen?", True),
        ("Are brisk assessments of use?", False),
        ("What perspective does a taxi driver take?", False),
    ],
)
def test_names_of_several_words_count_in_any_inflection(instruction: str, named: bool) -> None:
    assert bool(skill_named(Sample(instruction, ""), ASKED, SkillNamed()).reasons) == named


@pytest.mark.parametrize(
    ("name", "instruction", "named"),
    [
        ("planning trips", "How do I plan trips for a class?", True),
        ("planning trips", "How do planes trip a sensor?", False),
        ("critical thinking", "Does thinking critically help?", False),
        ("critical thinking", "Is critically thinking tiring?", True),
        ("storytelling & pacing", "What is storytelling and pacing?", True),
        ("cause and effect", "Is it cause & effect?", True),
        ("naïve realism", "Is nai\u0308ve realism right?", True),
        ("C++", "Is C++ hard?", True),
        ("C++", "Is C hard?", False),
        ("metaphor", "Is *metaphor* or meta\u00adphor meant?", True),
        ("metaphor", "Is it metaphorical?", False),
    ],
)
def test_names_in_other_dress(name: str, instruction: str, named: bool) -> None:
    cell = Cell("instruct_skill_mix", 0, (Skill(name=name),), None, None, 1)
    assert bool(skill_named(Sample(instruction, ""), cell, SkillNamed()).reasons) == named


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
    assert bool(meta_talk(Sample(instruction, response), ASKED, FilterOptions()).reasons) == rejected


def test_a_skill_mix_instruction_may_speak_of_skills_but_its_text_may_not() -> None:
    request = "Write a short text. The text has to show all of these skills without naming them."
    assert not meta_talk(Sample(request, "The sea was a bed."), TOLD, FilterOptions()).reasons
    assert meta_talk(Sample(request, "This text shows all the skills."), TOLD, FilterOptions()).reasons


OURS = "say nothing that would fit any question, and waste no words"


@pytest.mark.parametrize(
    ("instruction", "response", "runs"),
    [
        ("How do I mend a net?", f"Well. Use details; {OURS}.", 4),
        (f"Tell me how to mend it, and {OURS.upper()}.", "Tie the ends.", 4),
        ("How do I mend a net?", "Say nothing that would fit any, and waste no words.", 0),
        ("How can I keep my bees from leaving the hive in May?", "Give them room.", 0),  # prompt_copy sees to examples
    ],
)
def test_eight_words_of_a_prompt_are_too_many(instruction: str, response: str, runs: int) -> None:
    found = prompt_fragment(Sample(instruction, response), ASKED, PromptFragment())
    assert found.signals["prompt_runs"] == runs
    assert bool(found.reasons) == (runs > 0)


def test_a_run_of_words_does_not_go_across_a_variable() -> None:
    request = "Write a short, natural text about bees in at most two sentences. Reply with the text alone."
    assert not prompt_fragment(Sample("", request), TOLD, PromptFragment()).reasons
    assert prompt_fragment(
        Sample("", "You write very short texts that show language skills at work."), TOLD, PromptFragment()
    ).reasons
