"""Names are found as whole phrases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.text.phrases import SignSearch, contains_any, phrase_pattern


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("red herring", "It was a Red Herring.", True),
        ("red herring", "Two red herrings swam by.", True),
        ("red_herring", "a red-herring", True),
        ("metaphor", "a metaphorical sense", False),
        ("accident", "accidental", False),
        ("analogy", "two analogies", True),
        ("c++", "she writes C", False),
        ("…", "anything", False),
        ("C", "she writes C++ and C#", False),
        ("C#", "she writes C#, too", True),
        ("NET", "it runs on .NET", False),
        (".NET", "it runs on .NET", True),
        ("accident", "the end.Accident", True),
        ("预算", "请做一个预算表。", True),
        ("预算", "请算一下。", False),
        ("SWOT", "用SWOT分析", True),
        ("リスク評価", "庭のリスク評価を教えて", True),
        ("การแปล", "ช่วยอธิบายการแปลภาษา", True),
        ("ការបកប្រែ", "សូមពន្យល់ការបកប្រែនេះ", True),
        ("ການແປ", "ຊ່ວຍອະທິບາຍການແປນີ້", True),
        ("ဘာသာပြန်", "ဒီဘာသာပြန်ကိုရှင်းပြပါ", True),
        ("예산", "예산을 어떻게 세우나요?", True),
        ("бюджет", "бюджетный год", False),
    ],
)
def test_a_name_is_found_as_a_whole_phrase(name: str, text: str, named: bool) -> None:
    pattern = phrase_pattern([name])
    assert (pattern is not None and pattern.search(text) is not None) == named


def test_any_sign_is_enough() -> None:
    assert contains_any("feel free", ("good luck", "feel"))
    assert not contains_any("feel free", ("good luck",))
    assert not contains_any("feel free", ())


@given(
    st.dictionaries(st.integers(0, 5), st.sets(st.text("abé\ud800", min_size=1, max_size=3))),
    st.text("abcé\ud800", max_size=20),
)
def test_one_pass_finds_the_signs_of_every_key(signs: dict[int, set[str]], text: str) -> None:
    assert SignSearch(signs).found(text) == {key for key, these in signs.items() if contains_any(text, these)}
