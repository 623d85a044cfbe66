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


ADVICE = "How can I plan a week of meals for a family of four on a small budget?"
MEALS = "Plan on Sunday.\n\n- Monday: chili\n- Tuesday: fried rice\n\nFreeze what is left."


@pytest.mark.parametrize(
    "opening",
    [
        "Certainly! Here's the polished and concise version of the meal plan:",
        "Of course! Here is a more focused, complete rewrite of the answer:",
        "Sure, here’s a tightened version of the response that stays within the length limit:",
        "Absolutely! Here's a condensed, fully complete answer:",
        "Here is an improved guide to weekly meal planning:",
        "Certainly! Let me present a refined, succinct response:",
        "---\n\n**Improved Version**\n\n",
        "**\n\nStart with a list.",
        "Based on the feedback, here's a sharper plan:",
        "Certainly! Here’s an enhanced, concise, and complete response:",
        "Certainly! Here’s a succinct refinement of the guide:",
        "Certainly, here's the finalized and concise response for your family:",
        "Absolutely! Let’s refine the response to be concise and complete:",
        "Certainly! Here’s a concise and complete response that addresses the weaknesses:",
        "Certainly! Here's a clear and complete version of the improved guide:",
    ],
)
def test_the_grammar_of_revision_finds_any_adjectives_before_any_noun_of_text(opening: str) -> None:
    assert "critique_residue" in reasons(f"{opening} {MEALS}", instruction=ADVICE)


@pytest.mark.parametrize(
    "sentence",
    [
        "This refined response keeps the plan short and adds examples.",
        "This version preserves the core strengths of the initial draft while adding examples.",
        "This refined guide offers practical steps and prices.",
        "In this improved response, I have added prices.",
        "This response maintains clarity and incorporates specific examples.",
        "(This response is within the length limit.)",
        "Here’s a refined plan:",
        "Below is a refined approach that includes specific examples:",
        "**Refined Response:**",
    ],
)
def test_talk_about_a_revision_is_found_in_the_middle_and_at_the_end(sentence: str) -> None:
    assert "critique_residue" in reasons(f"{MEALS}\n\n{sentence}", instruction=ADVICE)
    assert "critique_residue" in reasons(f"{MEALS}\n\n{sentence}\n\n{MEALS}", instruction=ADVICE)


@pytest.mark.parametrize(
    "sentence",
    [
        "A concise response to a complaint takes three sentences.",
        "The improved immune response after a second dose lasts longer.",
        "The revised version of 1885 was received coolly.",
        "Here's a complete guide to cheap meals.",
        "Here's a concise overview.",
        "The improved version of the pan is lighter than the previous version.",
        "This version of the sauce keeps for a week.",
        "Revise the plan each month, and keep the previous version in case you need it.",
        "Collect feedback, and publish a revised version of the policy.",
        "This response of the body is normal.",
    ],
)
def test_sentences_about_other_revisions_are_no_residue(sentence: str) -> None:
    for answer in (f"{sentence} {MEALS}", f"{MEALS} {sentence}"):
        assert "critique_residue" not in reasons(answer, instruction=ADVICE)


@pytest.mark.parametrize(
    "instruction",
    [
        "Can you make my email sound friendlier?\n\nHi Bob, send me the report by noon. I need it.",
        "Correct the grammar: She go to school by the bus every days.",
        "Shorten the paragraph “I would like to take this opportunity to thank you all.”",
        "Rewrite the following sentence in the passive voice.\nThe dog bit the man.",
        "Please proofread my cover letter.",
    ],
)
def test_a_user_who_gives_a_text_may_get_a_revised_version(instruction: str) -> None:
    answer = f"Here is a revised and more concise version: {MEALS}"
    assert "critique_residue" not in reasons(answer, instruction=instruction)


@pytest.mark.parametrize(
    "instruction",
    [
        "How can improvisation help me improve my team's drafting of grant proposals?",
        "I am drafting a policy report. Can you help me create an outline?",
        "Could you help me draft an email that invites doctors to give feedback?",
    ],
)
def test_a_word_such_as_improve_gives_no_text_to_edit(instruction: str) -> None:
    answer = f"Certainly! Here's the improved and concise version of the outline:\n\n{MEALS}"
    assert "critique_residue" in reasons(answer, instruction=instruction)


def test_an_instruction_cut_from_a_reply_has_the_rest_of_a_label() -> None:
    assert "critique_residue" in reasons(MEALS, instruction=f"**\n{ADVICE}")
    assert "critique_residue" in reasons(MEALS, instruction=f"{ADVICE}\n\n Revised")
    assert "critique_residue" not in reasons(MEALS, instruction=f"**Task**\n{ADVICE}\n\nIs my plan final?")
