"""Skill-Mix metrics: golden numbers, the definitions one by one, and properties that hold for any points."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skillmill.train.evaluation.skill_mix_metrics import (
    METRICS,
    Bootstrap,
    Gradings,
    estimate,
    majority_per_text,
    skill_mix_metrics,
    text_metrics,
)

# What GPT-4 was given in the records that Skill-Mix released: k = 3, two rounds of five combinations, three gradings
# of one text alike. Each earned the three other points; these are the skill points.
ROUNDS = {"r2": ["110", "111", "011", "111", "101"], "r3": ["011", "101", "111", "110", "101"]}


def released() -> Gradings:
    rows = [
        (combination, generation, [int(point) for point in f"{skills}111"])
        for generation, texts in enumerate(ROUNDS.values())
        for combination, skills in enumerate(texts)
        for _ in range(3)
    ]
    combination, generation, points = zip(*rows, strict=True)
    return Gradings(np.array(points, float), np.array(combination), np.array(generation))


def values(group: dict[str, Any], over: str) -> list[float]:
    return [round(group[over][name]["value"], 4) for name in METRICS]


def test_the_released_records_have_the_golden_numbers() -> None:
    found = skill_mix_metrics([released()], list(ROUNDS))["overall"]
    assert found["combinations"] == 5
    assert values(found, "best") == [0.6, 0.6, 0.8667]
    per_round = [[round(each[name], 4) for name in METRICS] for each in found["per_generation"].values()]
    assert per_round == [[0.4, 0.4, 0.8], [0.2, 0.2, 0.7333]]
    assert values(found, "mean") == [0.3, 0.3, 0.7667]
    assert found["best"]["full_marks"]["se"] == pytest.approx(np.std([0, 1, 1, 1, 0], ddof=1) / np.sqrt(5))


@pytest.mark.parametrize(
    ("gradings", "vote"), [([1, 0, 0], 0), ([1, 1, 0], 1), ([1, 0], 0), ([1], 1), ([0.5, 1, 0], 0), ([0.5, 1, 1], 1)]
)
def test_the_majority_counts_and_half_is_none(gradings: list[float], vote: float) -> None:
    assert majority_per_text(np.array([gradings]).T, np.zeros(len(gradings), int)).tolist() == [[vote]]


@pytest.mark.parametrize(
    ("points", "full", "every", "fraction"),
    [
        ("11 111", 1, 1, 1),
        ("11 110", 0, 1, 0),  # All Skills forgives one of the three others, Skill Fraction none
        ("11 100", 0, 0, 0),
        ("10 111", 0, 0, 0.5),
        ("10 011", 0, 0, 0),
        ("00 111", 0, 0, 0),
        ("101 111", 0, 0, 2 / 3),
    ],
)
def test_metrics_of_one_text(points: str, full: float, every: float, fraction: float) -> None:
    row = np.array([[float(point) for point in points.replace(" ", "")]])
    assert text_metrics(row)[0].tolist() == pytest.approx([full, every, fraction])


def test_the_best_generation_is_taken_for_each_metric_by_itself() -> None:
    # The first text has all skills and misses the topic, the second has one skill and all else.
    points = np.array([[1, 1, 0, 1, 1], [1, 0, 1, 1, 1]], float)
    found = skill_mix_metrics([Gradings(points, np.array([0, 0]), np.array([0, 1]))], ["a", "b"])["overall"]
    assert values(found, "best") == [0, 1, 0.5]
    assert values(found, "mean") == [0, 0.5, 0.25]


def test_generations_and_gradings_may_be_missing() -> None:
    points = np.array([[1, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]], float)
    found = skill_mix_metrics([Gradings(points, np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0]))], ["a", "b"])["overall"]
    assert found["combinations"] == 2
    assert values(found, "mean") == [0.5, 0.5, 0.5]  # 1 of 2 is no majority
    assert {name: each["combinations"] for name, each in found["per_generation"].items()} == {"a": 2, "b": 1}


def test_one_number_for_two_ks_is_two_combinations() -> None:
    one, two = np.ones((1, 4)), np.array([[1, 0, 1, 1, 1]], float)
    zero = np.array([0])
    found = skill_mix_metrics([Gradings(one, zero, zero), Gradings(two, zero, zero)], ["a"])
    assert found["overall"]["combinations"] == 2
    assert {k: values(group, "best") for k, group in found["per_k"].items()} == {"1": [1, 1, 1], "2": [0, 0, 0.5]}


def test_per_skill_and_category() -> None:
    gradings = Gradings(
        points=np.array([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]], float),
        combination=np.array([0, 1]),
        generation=np.array([0, 0]),
        skills=np.array([[0, 1], [0, 2]]),
        categories=np.array([[0, 0], [0, 1]]),
    )
    found = skill_mix_metrics([gradings], ["a"], skills=["irony", "metaphor", "pun"], categories=["style", "jokes"])
    skills = found["per_skill"]
    assert {name: group["combinations"] for name, group in skills.items()} == {"irony": 2, "metaphor": 1, "pun": 1}
    assert {name: group["best"]["point"]["value"] for name, group in skills.items()} == {
        "irony": 1,
        "metaphor": 0,
        "pun": 1,
    }
    assert skills["irony"]["mean"]["full_marks"]["value"] == 0.5
    style = found["per_category"]["style"]
    assert style["combinations"] == 2
    assert style["best"]["point"]["value"] == 0.75  # half of two points, then one of one


def test_a_category_of_the_whole_combination() -> None:
    points = np.array([[1, 0, 1, 1, 1], [1, 1, 1, 1, 1]], float)
    gradings = Gradings(points, np.array([0, 1]), np.array([0, 0]), categories=np.array([[0], [1]]))
    found = skill_mix_metrics([gradings], ["a"], categories=["hard", "easy"])["per_category"]
    assert {name: group["best"]["point"]["value"] for name, group in found.items()} == {"easy": 1, "hard": 0.5}


def test_the_interval_is_seeded_and_covers_as_it_says() -> None:
    some = np.linspace(0, 1, 40)
    assert estimate(some, Bootstrap(seed=3)) == estimate(some, Bootstrap(seed=3))
    assert estimate(some, Bootstrap(seed=3)) != estimate(some, Bootstrap(seed=4))
    rng = np.random.default_rng(0)
    found = [estimate((rng.random(60) < 0.4).astype(float), Bootstrap(seed=i)) for i in range(300)]
    covered = np.mean([one["low"] <= 0.4 <= one["high"] for one in found])  # type: ignore[operator]
    assert 0.90 <= covered <= 0.98


def test_one_combination_has_no_error() -> None:
    assert estimate(np.array([1.0]), Bootstrap()) == {"value": 1.0, "se": None, "low": None, "high": None}


@settings(deadline=None, max_examples=50)
@given(
    hnp.arrays(float, st.tuples(st.integers(2, 24), st.integers(4, 8)), elements=st.sampled_from([0.0, 1.0])),
    st.data(),
)
def test_laws(points: np.ndarray, data: st.DataObject) -> None:
    """Full Marks imply both others; the best is no less than the mean; no order of rows matters."""
    rows = len(points)
    codes = st.lists(st.integers(0, 3), min_size=rows, max_size=rows).map(np.array)
    combination, generation = data.draw(codes), data.draw(codes)
    shuffled = np.array(data.draw(st.permutations(range(rows))))
    names = ["a", "b", "c", "d"]
    whole = skill_mix_metrics([Gradings(points, combination, generation)], names, bootstrap=Bootstrap(draws=100))
    full, every, fraction = text_metrics(points).T
    assert (full <= every).all()
    assert (full <= fraction).all()
    for name in METRICS:
        best, mean = whole["overall"]["best"][name], whole["overall"]["mean"][name]
        assert best["value"] >= mean["value"] - 1e-12
        if best["se"] is not None:
            assert best["low"] <= best["value"] + 1e-12
            assert best["value"] <= best["high"] + 1e-12
    other = Gradings(points[shuffled], combination[shuffled], generation[shuffled])
    assert values(skill_mix_metrics([other], names)["overall"], "best") == values(whole["overall"], "best")
