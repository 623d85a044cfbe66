"""The fast computation of features gives the same numbers as a plain one."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.text import sentences as text
from skillmill.data.text.tokens import ASCII_TOKEN, TOKEN, tokens, tokens_of_all
from skillmill.filters.rows import echo
from skillmill.filters.rows import missing_material as material
from skillmill.filters.rows.refusal import REFUSAL
from skillmill.filters.shirker.features import text as text_features
from skillmill.filters.shirker.features.answer import ANSWER_FEATURES, answer_features
from skillmill.filters.shirker.features.instruction import CUE_PHRASES, CUE_WORDS, FUNCTION_WORDS, instruction_features
from skillmill.filters.shirker.features.word_kinds import WORD_KINDS
from skillmill.filters.shirker.features.words import repeated_beginning

PIECES = (
    "I'm sorry, but I can't help|Let me know|if you need more|more details|in short|Al Gore and Mr Bo Cy Day|a Bo Cy|"
    "river|the the|the river|don’t|Don't|10|2nd|five tips|extraordinary|1. one: two|- x|### Response:|Answer :|q:|<|im|"
    "[insert x]|? |! |. |...|。|！|…|\n|\n\n|\n \n|, |; |“q” |é|É|B. C|enjoy!|to be"
).split("|")
TEXTS = st.lists(st.sampled_from([*PIECES, " ", " "]), max_size=60).map("".join) | st.text(max_size=200)


def measured(instruction: str, *responses: str) -> Sequence[Sequence[float]]:
    """The features of answers to one instruction."""
    rows: list[list[float]] = answer_features([instruction_features(instruction)] * len(responses), responses).tolist()
    return rows


def plain(instruction: str, response: str) -> dict[str, float]:
    """Some of the features, computed in the simplest way."""
    text, requested = response.strip(), instruction_features(instruction)
    words, head = tokens(text), text.lower()[:200]
    n = max(len(words), 1)
    fours = set(zip(words, words[1:], words[2:], words[3:]))  # noqa: B905
    subject = {word for word in words if word not in FUNCTION_WORDS}
    stems = {word[:5] for word in subject}
    shared = stems & set(requested.subject)
    pieces = [piece for piece in re.split(r"[.!?]+[\"')\]*_]*\s+|\n+|[。！？]", text) if piece.strip()]
    labels = re.findall(
        r"^\W{0,4}(?:instruction|input|output|response|answer|question|prompt|user|assistant|human|ai|q|a)\s?\d*\s?[:#]"
        r"|<\||###\s?(?:instruction|input|output|response)",
        text,
        re.IGNORECASE | re.MULTILINE,
    )
    names = re.findall(r"[a-z,;] [A-Z][a-z]", text)
    return {
        "log_sentences": math.log1p(max(len(pieces), 1)),
        "log_names": math.log1p(len(names)),
        "log_form_labels": math.log1p(len(labels)),
        "log_numbers": math.log1p(sum(word.isdigit() for word in words)),
        "log_subject_words": math.log1p(len(subject)),
        "log_new_words": math.log1p(len(stems - shared)),
        "subject_density": sum(word in subject and word[:5] in shared for word in words) / n,
        "echoed_4grams": len(requested.four_grams & fours) / max(len(fours), 1),
        "declines": float(bool(REFUSAL.search(head) or text_features.NO_ANSWER.search(head))),
        "stock_closing": float(bool(text_features.CLOSING.search(text[-250:]))),
        "says_brief": float(not requested.wants_brief and bool(text_features.SHORTENING.search(head))),
        "log_blanks": math.log1p(len(text_features.BLANK.findall(text))),
        "hedges": 100 / n * sum(Counter(words)[word] for word in WORD_KINDS["hedges"]),
        "rarity_coverage": (
            math.fsum(requested.subject[one] for one in shared) / sum(requested.subject.values())
            if requested.subject
            else 0.5
        ),
        "instruction_echoed": len(requested.four_grams & fours) / max(len(requested.four_grams), 1),
        "repeated_sentences": 1 - len(set(pieces)) / max(len(pieces), 1),
    }


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_features_are_those_of_the_plain_computation(instruction: str, response: str) -> None:
    (found,) = measured(instruction, response)
    expected = plain(instruction, response)
    assert {name: dict(zip(ANSWER_FEATURES, found, strict=True))[name] for name in expected} == pytest.approx(expected)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_features_of_an_answer_do_not_depend_on_other_answers(rows: list[tuple[str, str]]) -> None:
    together = answer_features(
        [instruction_features(instruction) for instruction, _ in rows], [response for _, response in rows]
    )
    assert together.tolist() == [measured(*row)[0] for row in rows]


@given(st.lists(TEXTS | st.text(), max_size=12))
@settings(max_examples=200, deadline=None)
def test_tokens_of_many_texts_are_those_of_each(texts: list[str]) -> None:
    found = tokens_of_all(texts)
    assert [[found.words[number] for number in found.of(text)] for text in range(len(texts))] == list(
        map(tokens, texts)
    )
    assert len(set(found.words)) == len(found.words)


def test_an_answer_on_the_subject_has_higher_similarities_than_one_off_it() -> None:
    """With no word in common: "bake" and "bread" are near "oven" and "flour", and far from "election" and "railway"."""
    how = "How do I bake bread?"
    on = "Mix flour, yeast and water into dough and put the loaf into a hot oven."
    off = "The election was won by a senator who opposed the new railway law."
    places = [ANSWER_FEATURES.index(name) for name in ("meaning", "meaning_first_half", "meaning_second_half")]
    found = measured(how, on, off, "")
    for place in places:
        assert found[0][place] > found[1][place] + 0.1
        assert found[2][place] == 0


@given(TEXTS | st.text(st.characters(codec="ascii")))
def test_tokens_of_ascii_text_are_those_of_the_pattern(text: str) -> None:
    if text.isascii():
        assert tokens(text) == TOKEN.findall(text.lower())


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a b c a b c", 1 / 2),
        ("a b c a b c a b c a b c", 3 / 4),
        ("a b c d a b c", 3 / 7),  # as far as the text goes
        ("a a a a", 3 / 4),
        ("a b c a b d", 0),
        ("the cat and the dog", 0),
        ("once", 0),
        ("", 0),
    ],
)
def test_the_share_of_a_text_that_repeats_its_beginning(text: str, share: float) -> None:
    assert repeated_beginning(text.split()) == pytest.approx(share)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=8), st.integers(2, 5))
def test_all_but_the_first_part_of_a_repeated_text_repeats_the_beginning(words: list[str], times: int) -> None:
    assert repeated_beginning(words * times) >= 1 - 1 / times - 1e-9


def test_words_near_the_subject_count_one_by_one() -> None:
    how = "How do I bake bread and repair a bicycle?"
    both = "Knead flour into dough and heat the oven; then pump the tyre and oil the chain of the bike."
    one = "Knead flour into dough and heat the oven; then let the loaf cool and cut a slice of it."
    neither = "The senator opposed the railway law and lost the election in November."
    met, on_subject = ANSWER_FEATURES.index("subject_met"), ANSWER_FEATURES.index("words_on_subject")
    found = measured(how, both, one, neither, "")
    assert [row[met] for row in found] == sorted((row[met] for row in found), reverse=True)
    assert found[1][on_subject] > found[2][on_subject] > found[3][on_subject] == 0


@pytest.mark.parametrize(
    ("pattern", "signs"),
    [
        (REFUSAL, text_features.DECLINING_SIGNS),
        (text_features.NO_ANSWER, text_features.DECLINING_SIGNS),
        (text_features.CLOSING, text_features.CLOSING_SIGNS),
        (text_features.SHORTENING, text_features.SHORTENING_SIGNS),
        (text_features.FORM, text_features.FORM_SIGNS),
        (text_features.BLANK, text_features.BLANK_SIGNS),
        (text_features.INLINE_ITEM, (*text_features.INLINE_ITEM_SIGNS, *"0123456789")),
        (echo.PLACEHOLDER, echo.BLANK_SIGNS),
        (echo.BLANK, echo.BLANK_SIGNS),
        *((re.compile(pattern, re.IGNORECASE), signs) for signs, pattern in material.REFERENCES),
        (text.TITLES, text.TITLE_SIGNS),
        *((pattern, signs) for signs, pattern in CUE_PHRASES.values()),
    ],
    ids=[
        "refusal",
        "no answer",
        "closing",
        "shortening",
        "form",
        "blank",
        "inline item",
        "placeholder",
        "form blank",
        *("material " + signs[0] for signs, _ in material.REFERENCES),
        "title",
        *CUE_PHRASES,
    ],
)
def test_every_match_of_a_pattern_has_one_of_its_signs(pattern: re.Pattern[str], signs: tuple[str, ...]) -> None:
    letters = st.characters(codec="ascii")  # a long s counts as an s where case is ignored, and nobody writes it

    @given(st.from_regex(re.compile(pattern.pattern, pattern.flags), fullmatch=False, alphabet=letters))
    @settings(max_examples=20 if len(pattern.pattern) > 400 else 200)  # long patterns take seconds to draw from
    def check(text: str) -> None:
        as_searched = text if pattern is text_features.BLANK else text.lower()
        assert any(sign in as_searched for sign in signs)

    check()


@given(st.text("\n#: 1qaAI<|", max_size=40), st.sampled_from(["", "\nAnswer: ", "\n## Q1:", "### response", "<|"]))
def test_without_its_marks_only_labels_at_the_beginning_of_lines_are_a_form(text: str, label: str) -> None:
    low = f"\n{text}{label}".lower()
    if not any(mark in low for mark in text_features.FORM_MARKS):
        assert text_features.FORM.findall(low) == text_features.FORM_LABEL.findall(low)


@given(st.text("ab 1'-.", max_size=20))
def test_the_fast_split_gives_the_tokens_of_the_pattern(text: str) -> None:
    assert tokens(text) == ASCII_TOKEN.findall(text.lower())


def test_words_and_phrases_are_cues() -> None:
    def cues(instruction: str) -> set[str]:
        return {name for name, given in zip(CUE_WORDS, instruction_features(instruction).values, strict=False) if given}

    assert cues("Rewrite this.") == cues("Please re-write this.") == {"transform"}
    assert cues("Is it true or false?") == {"closed", "decide"}
    assert cues("What is the capital of Chad?") == {"fact"}
    assert cues("How many eggs? I want tips.") == {"count", "many", "own"}
    assert cues("Bake bread.") == set()
