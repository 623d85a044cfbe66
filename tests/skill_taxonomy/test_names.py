"""Names: which are equal, which differ, and which can name a skill."""

import pytest

from skillmill.skill_taxonomy.names import bad_name, bad_sentence, same_name, tidy_name
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import canonical, fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("caf\u00e9 planning", "cafe\u0301 planning"),
        ("ＳＷＯＴ分析", "swot分析"),
        ("Straße", "STRASSE"),
        ("ﬁne tuning", "fine_tuning"),
        ("ガーデニング", "ｶﾞｰﾃﾞﾆﾝｸﾞ"),
        ("plan\u00adning", "planning"),
        ("❤\ufe0f", "❤"),
        ("devil’s advocate", "Devil's  advocate"),
    ],
)
def test_two_spellings_are_one_name(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("C", "C++"), ("C++", "C#"), ("C", "C#"), (".NET", "NET"), ("F#", "F"), ("A*", "A"), ("R&D", "RD")),
        *(("🎉 planning", "🎂 planning"), ("👩", "👨"), ("类比推理", "风险评估"), ("การแปล", "การปล")),
    ],
)
def test_signs_tell_names_apart(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)
    assert not same_name(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("R&D", "R & D"), ("Node.js", "node js"), ("food & drink", "food and drink")]
)
def test_other_punctuation_does_not(one: str, other: str) -> None:
    assert same_name(one, other)


@pytest.mark.parametrize(
    "name",
    [
        *("C#", ".NET", "A*", "R&D", "R", "Node.js", "预算", "翻译", "AI绘画", "クリティカル・シンキング", "การแก้ปัญหา"),
        *("ការបកប្រែ", "ການແປ", "ဘာသာပြန်", "요리", "фон", "فن", "कला", "می\u200cخواهم"),
    ],
)
def test_fine_names(name: str) -> None:
    assert bad_name(name) is None


@pytest.mark.parametrize("name", ["诗", "预算，翻译", "预算。翻译", "用户" * 16, "预算123", "к", "q"])
def test_odd_names(name: str) -> None:
    assert bad_name(name)


def test_sentences_are_measured_by_their_script() -> None:
    assert bad_sentence("判断可能出现的问题。") is None
    assert bad_sentence("是的") == "is empty or too short"
    assert bad_sentence("是的" * 9) == "repeats itself"
    assert bad_sentence("把预算分开。算一算", "预算") == "contains its own name"
    assert bad_sentence("문제의 원인을 찾아낸다.") is None


def test_the_name_in_an_answer() -> None:
    assert tidy_name("**Route choice**") == "route choice"
    assert tidy_name("A*") == "a*"
    assert tidy_name("「会議運営」") == "会議運営"
    assert tidy_name("Straßen_Bau") == "straßen bau"


@pytest.mark.parametrize(
    ("name", "digest"),
    [("language", "e775316c692aa826"), ("instruct", "701f9de8a04d2e4e"), ("checkable", "fe0209496dc3ec4f")],
)
def test_the_built_in_lists_keep_their_fingerprints(name: str, digest: str) -> None:
    assert fingerprint(builtin(name)).startswith(digest)
