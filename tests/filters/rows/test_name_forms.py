"""Forms of names: English words of a name, nouns of other languages, and the choice of the language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.folding import folded
from skillmill.data.text.stems import STEMMED_LANGUAGES
from skillmill.filters.rows.language import LANGUAGES
from skillmill.filters.rows.name_forms import name_pattern, word_forms
from skillmill.filters.rows.noun_forms import ENDINGS, has_noun, noun_forms
from skillmill.filters.rows.stemmed_names import names_in_stems, stemmed_language
from skillmill.skill_taxonomy.sources import builtin

WORDS = st.text("abcdefghijklmnoprstuvwyz", min_size=1, max_size=9)
BUILTIN_WORDS = sorted({word for skill in builtin("instruct").skills for word in skill.name.lower().split()})


@given(st.lists(st.one_of(WORDS, st.sampled_from(BUILTIN_WORDS)), min_size=2, max_size=4))
def test_a_name_in_any_of_its_forms_is_found(parts: list[str]) -> None:
    pattern, contained = name_pattern(parts)
    for place, word in enumerate(parts):
        for form in word_forms(word, is_last=place == len(parts) - 1):
            text = " ".join([*parts[:place], form, *parts[place + 1 :]])
            assert pattern.fullmatch(text)
            assert all(part in text for part in contained)


@pytest.mark.parametrize(
    ("word", "kept", "changed"),
    [
        ("research", "researches researching", "researcher researchers"),
        ("computing", "compute computes computed", "computer computers"),
        ("planning", "plan plans planned", "planner planners"),
        ("writing", "write writes writings", "writer writers"),
        ("health", "", "healthy"),
        ("theme", "themes theming", "them"),
        ("narrators", "narrator", ""),
        ("analysis", "analyses", "analyst"),
        ("study", "studies studying", "student"),
        ("modelling", "modeling model models modelled modeled", "modeller"),
        ("it", "", "its"),
    ],
)
def test_forms_keep_the_meaning(word: str, kept: str, changed: str) -> None:
    forms = word_forms(word, is_last=True)
    assert forms >= set(kept.split())
    assert forms.isdisjoint(changed.split())


def test_languages_are_values_of_the_configuration() -> None:
    assert set(STEMMED_LANGUAGES) <= set(LANGUAGES)
    assert set(ENDINGS) <= set(STEMMED_LANGUAGES)


@given(st.sampled_from(sorted(STEMMED_LANGUAGES)), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_name_is_found_in_its_own_words(language: str, before: str, name: str, after: str) -> None:
    text = f"{before} . {name} . {after}"
    found = names_in_stems((name,), text, language)
    if len([part for part in name.split() if part.isalpha()]) > 1 and name.replace(" ", "").isalpha():
        assert found


@given(st.sampled_from(sorted(ENDINGS)), st.text(max_size=20))
def test_a_noun_is_among_its_forms(language: str, name: str) -> None:
    forms = noun_forms(name, language)
    assert (not forms) == (not folded(name).isalpha())
    assert not forms or has_noun((name,), name, language)


@pytest.mark.parametrize(
    ("text", "requested", "language"),
    [
        (
            "Schreibe bitte einen kurzen Brief an die Vermieterin und erwähne, dass die Heizung nicht geht.",
            None,
            "German",
        ),
        ("Напиши, пожалуйста, короткое письмо хозяйке квартиры о том, что отопление не работает.", None, "Russian"),
        ("Write a short letter to the landlady, and mention that the heating does not work.", None, None),
        ("Write a short letter to the landlady, and mention that the heating does not work.", "German", "German"),
        ("Schreibe bitte einen kurzen Brief an die Vermieterin.", "English", None),
        ("请给房东写一封短信，说明暖气坏了，并请她尽快派人来修理，谢谢，祝她周末愉快，身体健康。", None, None),
        ("请给房东写一封短信。", "Chinese", None),
        ("Brief an die Oma", None, None),  # too short
        ("", None, None),
    ],
)
def test_the_language_is_the_requested_one_or_that_of_the_text(
    text: str, requested: str | None, language: str | None
) -> None:
    assert stemmed_language(text, requested) == language


@pytest.mark.parametrize("text", ["ä" * 300_000, "wort und " * 30_000, "." * 300_000, "–ä" * 100_000])
def test_a_long_text_does_not_hang_the_search(text: str) -> None:
    assert not names_in_stems(("Preisverhandlung", "kritisches Denken"), text, "German")
