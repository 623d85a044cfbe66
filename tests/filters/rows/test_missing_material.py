"""An instruction brings along what it is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.records import Sample
from skillmill.filters.apply import apply_filters
from skillmill.filters.config import FiltersConfig
from skillmill.filters.rows.missing_material import MissingMaterial, lacks_material
from skillmill.skill_taxonomy.cells import Cell
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill

ADVICE = Cell("instruct_skill_mix", 0, (Skill(name="proofreading"),), None, QueryType(name="Advice"), 1)

MISSING = [
    "Can you fix the code below? It crashes when the list is empty.",
    "My function is given below and returns None. Why?",
    "Can you compare the two tables below and say which plan is cheaper?",
    "I'd like you to translate the following letter into French and keep its tone.",
    "Rank the following universities.",
    "Please review the attached essay and tell me where it drags.",
    "I have attached a photo of my rash. What is it?",
    "Look at the data in the attached spreadsheet and forecast March.",
    "I pasted my cover letter. Is it too long?",
    "Here is my poem about the sea. Which lines are weak?",
    "Paraphrase the given text in an academic style.",
    "Based on the table above, which plan is cheaper?",
    "Using the data provided, compute the mean.",
    "Look at this picture and describe it.",
    "Summarize this article for my team in three bullet points.",
    "Which one of these can be used for healing? How can I use this product?",
    "I've drafted an email to motivate my team. Could you analyze the semantic content to ensure it encourages?",
    "I recently conducted a survey on poems. Using this data, can you identify trends?",
    "Review the examples provided from the module below and identify any issues.",
    "Describe what is happening in the picture.",
    "According to the passage, why did Anna leave?",
    "Can you spot the bug in the snippet I pasted?",
    "What does this error message mean?",
    "Translate the English sentence into Chinese.",
    "Read the passage and answer the question.",
    "As you can see in the screenshot, the button is gone. How do I fix it?",
    "Which of the options below is correct?",
    "In the image above, which animal is largest?",
    "Please check my essay for grammar.",
    "Solve this equation for x.",
    "You are given a list of features of a product, and you need to create its description.",
    'Summarize the article. It is from "The Daily Post" of May.',
]
COMPLETE = [
    "Fix the code below:\n\ndef f(): pass",
    "The code below crashes when the list is empty: `total / len(rows)`. Why?",
    "Can you improve this email: Dear Anna, I will be late.",
    "Explain this sentence to my son, who is six: 'me and him went home'.",
    "Is the following sentence right? “Me and him went home.”",
    "Provide a formula for the following numbers, 5, 14, 23, 32, 41.",
    "Rank the following companies by price: Apple, Google.",
    "Which of these is a fruit, an apple or a stone?",
    "Paraphrase the given text.\n\nLots of papers have been published.",
]
ABOUT_NOTHING = [
    "Summarize the story of Cinderella.",
    "Explain the poem The Road Not Taken.",
    'Analyze the poem "The Oil Change," which uses metaphors.',
    "Determine the length of the list in Python.",
    "Describe the picture that Vermeer is best known for.",
    "I've written a novel. How do I publish it?",
    "I've collected stamps for years. How do I check their value?",
    "In a given week, how many hours should I sleep?",
    "Write a function that returns the longest word of the given string.",
    "Which word in the following sentence is a verb? Some small dogs are loud every time they bark.",
    "What do the following have in common? 1) green 2) light 3) dog 4) ware",
    "In the following weeks I will train for a run. Write a plan.",
    "I grew attached to a story that my aunt told. How do I write it down?",
    "I am attached to my old notes. How do I throw papers away?",
    "How do I write the following up with a client?",
    "How do I make the picture above my sofa hang straight?",
    "How do I attach files to a message?",
    "I have attached a shelf to a hollow wall and it came loose. Which plug holds 20 kg?",
    "Should the attached garage have its own fuse box?",
    "The temperature fell below the average in the report I read. Why?",
    "Write a story about a letter found below the floor.",
    "We live in the flat below a drummer. What can I write in a note to him?",
    "My landlord wrote to me yesterday that the rent goes up by 12% in May because of the new windows that nobody "
    "asked for. Can you check this letter for mistakes in law?",  # it was told
    "Bitte fasse den folgenden Text zusammen.",  # English only
]


@pytest.mark.parametrize("instruction", MISSING)
def test_what_an_instruction_points_at_and_does_not_bring(instruction: str) -> None:
    assert lacks_material(instruction)
    judged = apply_filters(Sample(instruction, "It is fine."), ADVICE, FiltersConfig())
    assert MissingMaterial.reason in judged.reasons


@pytest.mark.parametrize("instruction", COMPLETE + ABOUT_NOTHING)
def test_what_is_there_or_not_spoken_of(instruction: str) -> None:
    assert not lacks_material(instruction)


@given(st.sampled_from(MISSING) | st.text(max_size=300), st.text(st.characters(categories=["L"]), min_size=1))
def test_another_paragraph_is_what_was_meant(instruction: str, material: str) -> None:
    assert not lacks_material(f"I need help.{instruction}\n\n{material}")
