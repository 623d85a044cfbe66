"""Texts that stop in the middle."""

import pytest
from example_rows import ANSWER, reasons
from hypothesis import given
from hypothesis import strategies as st

from skillmill.filters.rows.cut_off import BROKEN_END, LONGEST_END, LOOSE_STOP, stops_in_the_middle


@pytest.mark.parametrize(
    "response",
    [
        ANSWER + " And after that you could",
        ANSWER + " These are the steps:",
        ANSWER + " If they object, you could ask your .",
        ANSWER + "\n```python\nprint('milk')",
    ],
)
def test_an_answer_that_stops_in_the_middle_is_rejected(response: str) -> None:
    assert "cut_off" in reasons(response)


@pytest.mark.parametrize(
    "end",
    [
        "\n\n1. Talk\n2. Label the shelves\n3. Buy a jar",  # a list may end in a word
        "\n\nBest wishes,\nAnna",
        "\n\n```python\nprint('milk')\n```",
        "\n\nDo you want me to draft a note?",
    ],
)
def test_a_list_a_signature_and_code_may_end_in_any_letter(end: str) -> None:
    assert reasons(ANSWER + end) == set()


def test_the_token_limit_cuts_off_whatever_the_last_character_is() -> None:
    assert reasons(ANSWER, finish_reason="length") == {"cut_off"}


def test_an_instruction_that_breaks_off_is_cut_off() -> None:
    assert reasons(ANSWER, instruction="How can I tell my flatmates about the milk without any .") == {"cut_off"}


@given(st.text("abes, n\n", max_size=14), st.sampled_from([" because.", "an.", " x .", " the?", "\nor!"]))
def test_the_last_characters_are_enough_to_see_a_broken_end(text: str, end: str) -> None:
    ending_text = text + end
    for pattern in (BROKEN_END, LOOSE_STOP):
        assert bool(pattern.search(ending_text[-LONGEST_END:])) == bool(pattern.search(ending_text))


@pytest.mark.parametrize(
    "end",
    [
        '\n\n"Believe you can and with that you are already halfway there." – Theodore Roosevelt',
        "\n\n> Be yourself, since everyone else in the world is already taken. — Oscar Wilde, in a letter of 1893",
        " “You can never get a cup of tea large enough or a book long enough to suit me.” - C.S. Lewis",
        " Tell me how it went in the comments below, and share it with your friends! #flatmates #SharedKitchen",
        " You will find a template of the note that I mean on this page: https://example.org/notes/milk",
        " If that does not help at all, write a line to the advice desk of your union: help@union.example.org",
        "\n\nYours sincerely,\n\nAnna Maria Berg, Head of the Department of Shared Kitchens, Flat 5, Oak House",
        "\n\nThe milk is gone and no one knows\nwhere all the little cartons go to rest\n"
        "and every night the fridge door glows\nand someone drinks what I had liked the best",
        "\n\nSo in the end what you have paid for all of the milk this month is 42.50",
        "\n\nThe order in which you should take turns is this: Anna - Ben - Carl - Dave - Eve",
        "\n\nflat | milk per week in litres | who pays | day\n5 | 2 | Anna Berg | Monday or Tuesday in most weeks",
        "\n\n---",
        "\n\n请把牛奶放在自己的架子上。",
        "\n\nअपना दूध अपनी शेल्फ पर रखें और उस पर अपना नाम साफ़ अक्षरों में लिख दें।",
        " Good luck with it, and do tell me how the evening with them went in the end 🥛",
    ],
)
def test_closings_are_whole_without_an_end_mark(end: str) -> None:
    assert not stops_in_the_middle(ANSWER + end)


@pytest.mark.parametrize(
    "end",
    [
        " Remember what Theodore Roosevelt said about this in one of his speeches, namely that you",
        " You can find more about it on the page of the union, which has a list of all",
        " The price of milk rose by a lot – but the price of the other things that they",
        "\n\nThe milk is gone.\nThe fridge is shut, the light is off.\nI wrote a note and put it on the door of",
    ],
)
def test_sentences_that_break_off_are_still_cut_off(end: str) -> None:
    assert stops_in_the_middle(ANSWER + end)
