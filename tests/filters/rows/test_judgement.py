"""Answers that judge an answer, or that are data where the instruction requests none."""

from dataclasses import replace

import pytest
from example_rows import ADVICE_CELL, ANSWER, QUESTION, reasons

from skillmill.data.records import Sample
from skillmill.filters.rows.judgement import Judgement

REST = "It names the milk and the shelf, and it says when to speak and what to offer to the others in the flat."


@pytest.mark.parametrize(
    "answer",
    [
        "The answer provides a clear and concise explanation of the health benefits of milk and is well-researched.",
        "This response effectively combines kindness with a practical plan.",
        "Your answer is well-structured and easy to follow.",
        "The assistant's reply covers the main point, but it is generic.\nThe reply is helpful overall.",
        "The provided answer offers a comprehensive overview of how to share a fridge.",
        "Overall, the response is helpful but could use more concrete examples.",
        "The draft does a good job of addressing the flatmates.",
        "The answer lacks specific examples.",
        "The explanation fails to mention the fridge.",
        "**Evaluation:** The answer is good.",
        "Rating: 8/10.",
        "8/10.",
        "I found this answer helpful because it is short.",
        "I like how the response explains the shelf.",
        "Great answer! It helped a lot.",
        "Thank you for the detailed answer!",
        "What helps me: the shelf.\nWhat is missing: the jar.",
        "The strengths of the answer are its tone and its length.",
    ],
)
def test_a_judgement_of_an_answer_is_rejected(answer: str) -> None:
    assert "judgement" in reasons(f"{answer} {REST}")


@pytest.mark.parametrize(
    "answer",
    [
        '{"strengths": "It is clear.", "weaknesses": "It has no example."}',
        '{"Strengths": ["clear", "short"], "Weaknesses": ["no example"]}',
        '```json\n{"strengths": "It is clear."}\n```',
        'Here is the answer in JSON:\n\n{"answer": "Talk to them."}',
        '{\n  "answer": "Talk to them.",\n  "tone": "kind"\n',
        "{'answer': 'Talk to them.'}",
        '[{"step": 1, "do": "Talk to them."}]',
        "```yaml\nanswer: Talk to them.\n```",
        "<answer>Talk to them.</answer>",
        f'{ANSWER}\n\n{{"strengths": "It is kind.", "weaknesses": "None."}}',
        f"{ANSWER}\n\n### Strengths\n- kind\n\n### Weaknesses\n- long",
        f"{ANSWER} And then once more. {ANSWER}\n\n**Strengths:** It is kind.\n**Areas for improvement:** It is long.",
    ],
)
def test_a_form_that_nothing_requests_is_rejected(answer: str) -> None:
    assert "judgement" in reasons(answer)


@pytest.mark.parametrize(
    ("instruction", "answer"),
    [
        ("Please review my essay on milk.", "The answer provides a clear explanation of milk."),
        ("Which of these two answers would you grade higher, and why?", "This response effectively explains milk."),
        ("Give me feedback on the reply that I wrote to my flatmate.", "The reply is clear, but it lacks an example."),
        ("Show me the settings of the fridge as JSON.", '{"shelf": 1, "jar": "coffee"}'),
        ("How does a config file for my smart fridge look?", "```yaml\nshelf: 1\n```\nSave it."),
        ("Compare my fridge with a shared one.", "**Strengths:** It is mine.\n**Weaknesses:** It is small."),
        ("Make a SWOT table for our flat.", "Strengths: milk.\nWeaknesses: no shelf."),
    ],
)
def test_what_the_instruction_requests_passes(instruction: str, answer: str) -> None:
    assert "judgement" not in reasons(f"{answer} {REST}", instruction=instruction)


@pytest.mark.parametrize(
    "answer",
    [
        "The answer is a shelf for each of you.",
        "The answer to your question is good news for the milk.",
        "The answer lies in a shared jar.",
        "Their response provides you with a chance to talk.",
        "The body's response is a strong one.",
        "Thank you for asking!",
        "A clear answer helps: ask for one.",
        "If their reply is that they forgot, offer a jar.",
        "Your strengths: patience. Use it.",
        "[Tuesday] The carton was empty.",
        "{milk} is what I write on the door.",
        'Write a note: "The milk is mine".',
        "10 minutes of talk will do.",
    ],
)
def test_ordinary_sentences_with_the_same_words_pass(answer: str) -> None:
    assert "judgement" not in reasons(f"{answer} {ANSWER}")


CRITIQUE = (
    '{"strengths": "It says what was seen and not what is thought of the flatmates", '
    '"weaknesses": "It could say how to begin the talk and what to do when nobody owns up to it"}'
)


def check(response: str, **columns: str | None) -> bool:
    sample = replace(Sample(QUESTION, response, draft="Talk to them.", critique=CRITIQUE), **columns)  # type: ignore[arg-type]
    return bool(Judgement().check(sample, ADVICE_CELL).reasons)


def test_an_answer_that_consists_of_its_critiques_words_is_rejected() -> None:
    copied = "It says what was seen and not what is thought of the flatmates. Say how to begin the talk and what to do."
    assert check(copied)
    assert not check(ANSWER)
    assert not check(f"{ANSWER} {ANSWER} Decide what to do when nobody owns up to it.")  # a remark that was followed


def test_words_that_the_draft_had_before_its_critique_do_not_count() -> None:
    copied = "It says what was seen and not what is thought of the flatmates."
    assert not check(copied, draft=copied)
    assert not check(copied, kept="draft")
