"""Texts that repeat skillmill's own prompts."""

import pytest

from skillmill.data.records import Sample
from skillmill.filters.rows.prompt_fragment import PromptFragment
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import Skill

SKILLS = tuple(
    Skill(name=name) for name in ("risk assessment", "perspective taking", "planning", "root-cause analysis")
)
INSTRUCTION_CELL = Cell("instruct_skill_mix", 0, SKILLS, None, None, 1)
TEXT_CELL = Cell("skill_mix", 0, SKILLS, None, None, 1)

OURS = "say nothing that would fit any question, and waste no words"


@pytest.mark.parametrize(
    ("instruction", "response", "runs"),
    [
        ("How do I mend a net?", f"Well. Use details; {OURS}.", 4),
        (f"Tell me how to mend it, and {OURS.upper()}.", "Tie the ends.", 4),
        ("How do I mend a net?", "Say nothing that would fit any, and waste no words.", 0),
        ("How can I keep my bees from leaving the hive in May?", "Give them room.", 0),  # an example: prompt_copy
    ],
)
def test_eight_words_of_a_prompt_are_too_many(instruction: str, response: str, runs: int) -> None:
    found = PromptFragment().check(Sample(instruction, response), INSTRUCTION_CELL)
    assert found.signals["prompt_runs"] == runs
    assert bool(found.reasons) == (runs > 0)


def test_a_run_of_words_does_not_go_across_a_variable() -> None:
    request = "Write a short, natural text about bees in at most two sentences. Reply with the text alone."
    assert not PromptFragment().check(Sample("", request), TEXT_CELL).reasons
    assert (
        PromptFragment()
        .check(Sample("", "You write very short texts that show language skills at work."), TEXT_CELL)
        .reasons
    )
