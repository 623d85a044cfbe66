"""Chi-square tests of the permutation, with fixed keys, against a uniform shuffle."""

from collections import Counter
from itertools import permutations
from math import factorial, sqrt

import numpy as np
import pytest

from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.draw.permutation import SMALL, mix64, mix64_bulk, permutation
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, Topic

TOO_ODD = 4.0
"""Standard deviations: even odds go beyond once in 30,000 tests."""


def oddness(observed: np.ndarray, expected: float) -> float:
    """How many standard deviations chi-square is above its mean."""
    freedom = observed.size - 1
    return float((((observed - expected) ** 2 / expected).sum() - freedom) / sqrt(2 * freedom))


@pytest.mark.parametrize("size", [3, 4, 5])
def test_every_order_of_a_few_elements_comes_up_equally_often(size: int) -> None:
    draws = 80 * factorial(size)
    found = Counter(
        tuple(order[i] for i in range(size)) for order in (permutation(size, seed) for seed in range(draws))
    )
    counts = np.array([found[order] for order in permutations(range(size))])
    assert oddness(counts, 80) < TOO_ODD


@pytest.mark.parametrize("first", [0, 5])
def test_neighbours_go_anywhere_independently(first: int) -> None:
    size, draws = 23, 20_000
    counts = np.zeros((size, size))
    for seed in range(draws):
        order = permutation(size, seed)
        counts[order[first], order[first + 1]] += 1
    assert oddness(counts[~np.eye(size, dtype=bool)], draws / (size * (size - 1))) < TOO_ODD


def test_six_rounds_are_enough_where_they_take_over() -> None:
    """Pairs of neighbouring positions, in 24 x 24 squares of the space."""
    size, bins = SMALL + 11, 24
    counts = np.zeros((bins, bins))
    for seed in range(12):
        images = permutation(size, seed).bulk(np.arange(size)) * bins // size
        np.add.at(counts, (images[:-1], images[1:]), 1)
    assert abs(oddness(counts, counts.sum() / bins**2)) < TOO_ODD


def test_skills_topics_and_their_neighbours_are_even_in_a_large_plan() -> None:
    taxonomy = Taxonomy(
        skills=tuple(Skill(name=f"skill {i}") for i in range(300)), topics=tuple(Topic(name=f"{i}") for i in range(50))
    )
    skills, themes = Combinations(taxonomy, "skill_mix", "topic", {3: 1.0}, 5).bulk(0, 200_000)
    each = np.bincount(skills.ravel(), minlength=300)
    assert oddness(each, each.mean()) < TOO_ODD
    following = np.bincount(themes[:-1] * 50 + themes[1:], minlength=2500)
    assert oddness(following, following.mean()) < TOO_ODD
    with_topic = np.bincount(skills[:, 0] // 30 * 50 + themes, minlength=500).reshape(10, 50)
    per_tenth = with_topic.sum(axis=1, keepdims=True) / 50  # the lowest skill of a cell is a low one: rows differ
    assert float(((with_topic - per_tenth)[:5] ** 2 / per_tenth[:5]).sum()) < 5 * 49 + TOO_ODD * sqrt(2 * 5 * 49)


def test_the_mixer_is_the_same_in_bulk_and_every_bit_counts() -> None:
    values = [0, 1, 2**31, 2**63, 2**64 - 1, 123456789]
    assert mix64_bulk(np.array(values, np.uint64)).tolist() == [mix64(value) for value in values]
    flipped = [bin(mix64(value) ^ mix64(value ^ 1 << bit)).count("1") for value in range(1, 200) for bit in range(64)]
    assert 31.5 < sum(flipped) / len(flipped) < 32.5
