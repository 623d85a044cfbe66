"""Instructions that request nothing."""

import pytest
from example_rows import ANSWER, QUESTION, reasons


@pytest.mark.parametrize(
    ("instruction", "asks"),
    [
        (QUESTION, True),
        ("Write a note to my flatmates.", True),
        ("I live with three others. Help me write a note.", True),
        ("I need a note for my flatmates.", True),
        ("milk flatmates note example", True),  # keywords ask, as people type them
        ("Wie sage ich meinen Mitbewohnern, dass die Milch fehlt", True),  # other languages pass
        ("The kitchen was cold and the milk was gone.", False),
        ("I have been chosen to represent the world in my dream.", False),
    ],
)
def test_an_instruction_asks_for_something(instruction: str, asks: bool) -> None:
    assert ("no_request" in reasons(ANSWER, instruction=instruction)) != asks
