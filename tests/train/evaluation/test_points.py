"""Tables of points: their forms, and the errors for invalid ones."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from skillmill.data.errors import ConfigError
from skillmill.train.evaluation.points import PointsTable, read_points
from skillmill.train.evaluation.skill_names import skills_named

Row = dict[str, Any]


def row(combination: Any = "c", generation: Any = 0, grading: Any = 0, k: Any = 2, **others: Any) -> Row:
    given = {"combination": combination, "generation": generation, "grading": grading, "k": k}
    return {**given, "points": [1.0, 0.0, 1.0, 1.0, 1.0], **others}


def read(*rows: Row, **options: Any) -> PointsTable:
    return read_points(pa.Table.from_pylist(list(rows)), **options)


def only(found: PointsTable) -> list[list[float]]:
    (gradings,) = found.gradings
    points: list[list[float]] = gradings.points.tolist()
    return points


@pytest.mark.parametrize(
    "points",
    [[1, 0, 1, 1, 1], [True, False, True, True, True], "[1, 0, 1, 1, 1]", "1.0,0.0,1.0,1.0,1.0", "[1. 0. 1. 1. 1.]"],
)
def test_points_as_a_list_or_its_text(points: Any) -> None:
    assert only(read(row(points=points))) == [[1, 0, 1, 1, 1]]


@pytest.mark.parametrize(
    "kind",
    [pa.large_list(pa.int8()), pa.list_(pa.uint8(), 5), pa.list_view(pa.float32()), pa.large_list_view(pa.bool_())],
)
def test_points_in_any_kind_of_arrow_list(kind: pa.DataType) -> None:
    table = pa.Table.from_pylist([row(grading=0), row(grading=1)])
    points = [[1, 0, 1, 1, 1], [0, 1, 1, 1, 1]]
    values = [[bool(point) for point in text] for text in points] if kind.value_type == pa.bool_() else points
    table = table.set_column(4, "points", pa.array(values, kind))
    assert only(read_points(table)) == points


def test_points_as_a_number_a_row() -> None:
    rows = [row(grading=grading, points=point) for point in (1, 0, 1, 1, 1) for grading in ("x", "y")]
    assert only(read(*rows)) == [[1, 0, 1, 1, 1]] * 2


def test_each_k_has_its_own_points() -> None:
    found = read(row(k=1, points=[1, 1, 1, 0]), row(k=2), row(k=1, generation=1, points=[0, 1, 1, 1]))
    assert [(gradings.k, gradings.points.shape) for gradings in found.gradings] == [(1, (2, 4)), (2, (1, 5))]


@pytest.mark.parametrize("nothing", [None, []])
def test_a_grading_without_points_has_no_part(nothing: list[float] | None) -> None:
    found = read(row(), row(grading=1, points=nothing))
    assert found.unusable == 1
    assert only(found) == [[1, 0, 1, 1, 1]]


def test_keys_may_be_of_any_kind() -> None:
    found = read(row(combination=["irony", "pun"], generation="first", grading=1.5))
    assert found.generations == ["first"]
    assert len(only(found)) == 1


def test_skills_and_categories_are_codes_of_names() -> None:
    found = read(
        row(combination=1, skills=["pun", "irony"], category=["jokes", "style"]),
        row(combination=2, skills=["irony", "simile"], category=["style", "style"]),
    )
    (gradings,) = found.gradings
    assert gradings.skills is not None
    assert gradings.categories is not None
    assert [[found.skills[code] for code in codes] for codes in gradings.skills] == [
        ["pun", "irony"],
        ["irony", "simile"],
    ]
    assert [[found.categories[code] for code in codes] for codes in gradings.categories] == [
        ["jokes", "style"],
        ["style", "style"],
    ]


@pytest.mark.parametrize("skills", ["pun, irony", "['pun', 'irony']", '["pun", "irony"]'])
def test_skills_may_be_text(skills: str) -> None:
    assert read(row(skills=skills)).skills == ["pun", "irony"]


def test_combinations_with_common_skills_can_be_left_out() -> None:
    found = read(
        row(combination=1, skills=["Metaphor", "pun"]),
        row(combination=2, skills=["pun", "irony"]),
        exclude=["metaphor"],
    )
    assert found.excluded == 1
    assert found.skills == ["pun", "irony"]
    with pytest.raises(ConfigError, match=r"points: no grading with points is left"):
        read(row(skills=["Metaphor", "pun"]), exclude=["metaphor"])


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["pun"], ["pun"]),
        (["web analytics, basics"], ["web analytics, basics"]),
        (["PUN, web  analytics, basics ,"], ["pun", "web analytics, basics"]),
        (["Café", "pun,pun"], ["cafe\u0301", "pun"]),
        (["straße"], ["STRASSE"]),
        (["c++"], ["C++"]),
        ([""], []),
    ],
)
def test_excluded_skills_are_names_of_the_table(given: list[str], named: list[str]) -> None:
    known = ["pun", "web analytics, basics", "cafe\u0301", "STRASSE", "C++", "C#"]
    assert skills_named(given, known) == named


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("metaphors", "--exclude 'metaphors': there is no skill of this name, the closest are 'Metaphor'$"),
        ("pun, nosuchskill", "--exclude 'nosuchskill': .*, the closest are 'Metaphor', 'pun', 'web analytics, basics'"),
        ("web analytics", "--exclude 'web analytics': .* 'web analytics, basics'"),
        ("pun, basics", "--exclude 'basics'"),
    ],
)
def test_an_unknown_excluded_skill_is_an_error(given: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        skills_named([given], ["pun", "Metaphor", "web analytics, basics"])


@pytest.mark.parametrize(
    ("name", "text", "substring", "words"),
    [
        ("red herring", "What a red herring that was.", True, True),
        ("red herring", "Red herrings everywhere!", True, True),
        ("metaphor", "She spoke in metaphorical terms.", True, False),
        ("accident (fallacy)", "By accident, the rule was kept.", True, True),
        ("accident (fallacy)", "An accidental rule is no rule.", True, False),
        ("accident (fallacy)", "A fallacy is a fallacy.", False, False),
    ],
)
def test_a_named_skill_loses_its_point(name: str, text: str, substring: bool, words: bool) -> None:
    given = row(skills=[name, "irony"], response=text)
    for naming, taken in (("ignore", False), ("substring", substring), ("words", words)):
        found = read(given, naming=naming)
        assert only(found) == [[0 if taken else 1, 0, 1, 1, 1]]
        assert found.deducted == taken


@pytest.mark.parametrize("name", ["combination", "generation", "grading", "k", "points"])
def test_a_missing_column_is_named(name: str) -> None:
    given = row()
    del given[name]
    with pytest.raises(ConfigError, match=rf"^{name}: there is no such column \(expected .*\); the table has "):
        read(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (row(points=[1, 0, 1, 1]), r"points: combination c, generation 0, grading 0: found 4 for k = 2; expected"),
        (row(points=[1, 0, 1, 1, 2]), r"points: .*: found 2; expected a list of k \+ 3 points from 0 to 1"),
        (row(points=[1, 0, 1, 1, -1]), r"points: .*: found -1; expected"),
        (row(points=[1, 0, 1, 1, float("nan")]), r"points: .*: found nan; expected"),
        (row(points=[1, 0, 1, 1, None]), r"points: .*: found an empty value in the list; expected"),
        (row(points=4), r"points: .*: found one number, and a total does not tell the points apart; expected"),
        (row(points="good"), r"points: found string values \(could not convert.*\); expected"),
        (row(points=["a", "b", "c", "d", "e"]), r"points: found list.* values .*; expected"),
        (row(points={"a": 1}), r"points: found struct.* values .*; expected"),
        (row(k=0), r"k: found 0; expected the number of skills, 1 or more"),
        (row(k=None), r"k: found .*; expected"),
        (row(k="two"), r"k: found string values; expected"),
        (row(k=2.5), r"k: found double values; expected"),
        (row(combination=None), r"combination: found an empty value; expected"),
        (row(skills=["pun"]), r"skills: .*: found 1 for k = 2; expected a list of the combination's k skills"),
        (row(skills=["pun", None]), r"skills: .*: found an empty value in the list; expected"),
        (row(skills="['pun', "), r"skills: found string values .*; expected"),
        (row(category=["a", "b", "c"]), r"category: .*: found 3 for k = 2; expected"),
        (row(category=None), r"category: .*: found .*; expected"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(given: Row, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{message}") as raised:
        read(given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (row(), "grading: combination c, generation 0, grading 0: is in the table twice"),
        (
            row(grading=1, skills=["pun", "simile"]),
            "skills: .*: found others than in an earlier row of the combination",
        ),
    ],
)
def test_rows_have_to_fit_together(second: Row, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(row(skills=["pun", "irony"]), second)


def test_a_table_without_rows() -> None:
    with pytest.raises(ConfigError, match="points: the table has no rows"):
        read_points(pa.Table.from_pylist([row()]).slice(0, 0))


def test_naming_and_exclusion_ask_for_their_columns() -> None:
    with pytest.raises(ConfigError, match=r"^skills: there is no such column"):
        read(row(), exclude=["pun"])
    with pytest.raises(ConfigError, match=r"^response: there is no such column"):
        read(row(skills=["pun", "irony"]), naming="words")


def test_no_order_of_rows_matters() -> None:
    rows = [row(combination=i % 3, grading=i, points=[i % 2, 1, 1, 1, 1]) for i in range(9)]
    rng = np.random.default_rng(0)
    mixed = read(*[rows[i] for i in rng.permutation(9)])
    assert sorted(only(mixed)) == sorted(only(read(*rows)))
