"""Answers that talk about their own revision."""

import pytest
from example_rows import ANSWER, reasons


@pytest.mark.parametrize(
    "response",
    [
        "Here is the refined response: " + ANSWER,
        "Based on your feedback, I made it more concrete. " + ANSWER,
        "Response: " + ANSWER,
        ANSWER + "\nA reader liked this about them: It is short.\n" + ANSWER,
        "The previous answer was too vague. " + ANSWER,
        "The answer is too wordy and needs more detail. " + ANSWER,
    ],
)
def test_residue_is_rejected(response: str) -> None:
    assert "critique_residue" in reasons(response)


@pytest.mark.parametrize(
    "opening",
    [
        "Here's the refined response:",
        "**Revised Answer:**",
        "Revised:",
        "Final version:",
        "Response (revised):",
        "[Revised]",
        "As you suggested, I have shortened this.",
        "As requested, I've made the tone warmer.",
        "Here is my second draft:",
        "I've revised the answer to be more concise.",
        "I have rewritten it to address the weaknesses.",
        "Changes made: more.",
        "Taking your suggestions into account, here it is.",
        "Following your feedback, here it is.",
        "Thanks for the critique!",
        "In response to your critique, here it is.",
        "Certainly, here's a more detailed version:",
        "I addressed the reader's concerns.",
        "This version is more concise.",
        "You're right, I left out the fridge.",
        "With your comments in mind, here it is.",
        "To address these weaknesses, I add a list.",
        "I made the following changes: none.",
        "The response lacks detail.",
        "The previous answer did not mention it.",
        "Strengths and weaknesses: none.",
        "Feedback: too long.",
        "The response should provide a list.",
        "Thanks for pointing that out.",
    ],
)
def test_talk_about_a_revision_is_residue_however_it_is_worded(opening: str) -> None:
    assert "critique_residue" in reasons(f"{opening.strip()} {ANSWER}")


@pytest.mark.parametrize(
    "opening",
    [
        "As you suggested, the door of the fridge will do.",
        "Final answer: 42.",
        "The updated version of the fridge keeps it colder, the previous version of it did not.",
        "The answer is not very complicated.",
        "A better answer would come from your dairy, and a better answer would be to ask it.",
        "The response was swift: the crowd stormed the Bastille.",
        "The body's first response is to sweat. The response is quick.",
        "Your response should be calm when they shout; your first answer to them should be no.",
        "The draft was reinstated in 1940, and the draft is coming from under the door.",
        "An improved response to stress comes with practice.",
        "The rewritten text of the treaty came in 1919.",
        "Incorporate this feedback into your routine.",
        "An earlier version of it was insecure; the updated version is 1.3.",
        "Your first draft is always rough.",
        "Thank you for asking!",
    ],
)
def test_ordinary_sentences_with_the_same_words_are_none(opening: str) -> None:
    assert reasons(f"{opening} {ANSWER}") == set()


def test_feedback_of_others_is_no_residue() -> None:
    assert reasons(ANSWER + " Thank them for their feedback.") == set()


def test_each_paragraph_may_open_with_talk_about_a_revision() -> None:
    assert "critique_residue" in reasons(f"{ANSWER}\n\nHere's a revised version: {ANSWER}")
    assert "critique_residue" in reasons(f"{ANSWER}\n\n**Here is a more detailed answer:** {ANSWER}")
    assert "critique_residue" not in reasons(f"{ANSWER}\n\nHere is a cheaper version: a box with your name on it.")
    assert "critique_residue" not in reasons(f"{ANSWER}\n\nHere is an improved version of the note: no milk today.")


def test_labels_that_the_instruction_asks_for_are_no_residue() -> None:
    answer = "Strengths: it is cheap.\nWeaknesses: it is slow.\n" + ANSWER
    assert reasons(answer, instruction="Compare a shared fridge with one of my own for the milk.") == set()
    assert reasons("Notes: " + ANSWER, instruction="Take notes on how flatmates share milk.") == set()
    assert "critique_residue" in reasons(answer)


def test_a_revision_that_was_asked_for_is_no_residue() -> None:
    rewrite = "Please rewrite my note to the flatmates."
    assert reasons("Here is a revised version: " + ANSWER, instruction=rewrite) == set()
