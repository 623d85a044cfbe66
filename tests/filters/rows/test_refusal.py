"""Answers that decline, and answers that only sound so."""

import pytest
from example_rows import ANSWER, reasons


@pytest.mark.parametrize(
    "response",
    [
        "I'm sorry, but I can't help with that. " + ANSWER,
        "As an AI language model, I cannot drink milk. " + ANSWER,
    ],
)
def test_a_refusal_is_rejected(response: str) -> None:
    assert "refusal" in reasons(response)


def test_a_caveat_is_no_refusal() -> None:
    assert reasons(ANSWER.replace("Then", "I cannot say what they think. Then")) == set()
    assert reasons("As an AI, I cannot taste milk, but I can tell you what works. " + ANSWER) == set()
