"""Laws of the comparison of two students, and of the rates."""

import random

import pyarrow as pa
import pytest

from skillmill.train.evaluation.answers import ANSWER_SCHEMA
from skillmill.train.evaluation.config import CorpusConfig, EvaluateConfig
from skillmill.train.evaluation.flips import (
    agreement,
    flips_by_k,
    flips_by_label,
    gains_by_k,
    paired,
    text_table,
)
from skillmill.train.evaluation.rates import beyond_parrots, pass_until
from skillmill.train.evaluation.skill_mix_metrics import METRICS
from skillmill.train.evaluation.student_metrics import group_metrics, metrics_by_k, pooled_by_k

SETTINGS = EvaluateConfig(bootstrap=100)


def answers(seed: int, cells: int = 12, generations: int = 2, gradings: int = 1, good: float = 0.6) -> pa.Table:
    """Random answers to the same cells, whatever the seed."""
    dice, rows = random.Random(seed), []
    for cell in range(cells):
        k = 1 + cell % 3
        skills = [f"skill {(cell + i) % 5}" for i in range(k)]
        for generation in range(generations):
            for grading in range(gradings):
                points = [float(dice.random() < good) for _ in range(k + 3)]
                rows.append(
                    {
                        "split": "topics" if cell % 2 else "combinations",
                        "combination": f"cell {cell}",
                        "generation": generation,
                        "grading": f"grader {grading}",
                        "k": k,
                        "points": points,
                        "model_points": None,
                        "skills": skills,
                        "category": [f"category {int(name[-1]) % 2}" for name in skills],
                        "topic": "rain",
                        "prompt": "",
                        "response": "Rain falls on skill 1.",
                        "finish_reason": "stop",
                        "completion_tokens": 9,
                        "failure": "",
                    }
                )
    return pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA)


SEEDS = [(1, 2), (30, 4)]


@pytest.mark.parametrize(("one", "other"), SEEDS)
def test_swapping_student_and_baseline_swaps_the_flips_and_negates_the_gain(one: int, other: int) -> None:
    first, second = text_table(answers(one)), text_table(answers(other))
    there, back = paired(first, second), paired(second, first)
    for forth, reverse in (
        *zip(flips_by_label(there, "skills").values(), flips_by_label(back, "skills").values(), strict=True),
        *zip(flips_by_label(there, "category").values(), flips_by_label(back, "category").values(), strict=True),
    ):
        assert forth["positive"] == reverse["negative"] and forth["negative"] == reverse["positive"]
        assert sum(forth[name] for name in ("positive", "negative", "both", "neither")) == pytest.approx(1)
    gains, losses = gains_by_k(there, 5000, 100), gains_by_k(back, 5000, 100)
    for k, splits in flips_by_k(there).items():
        for split, flips in splits.items():
            assert flips["gain"] == pytest.approx(flips_by_k(back)[k][split]["regression"])
            for metric in METRICS:
                gain, loss = gains[k][split][metric], losses[k][split][metric]
                assert gain["difference"]["value"] == pytest.approx(-loss["difference"]["value"])
                assert gain["per_1000_tokens"] == pytest.approx(gain["difference"]["value"] / 5)


@pytest.mark.parametrize(("one", "other"), SEEDS)
def test_the_gain_is_the_difference_of_the_metrics_and_of_the_flips(one: int, other: int) -> None:
    now, before = answers(one), answers(other)
    student, baseline = metrics_by_k(now, SETTINGS, ()), metrics_by_k(before, SETTINGS, ())
    pairs = paired(text_table(now), text_table(before))
    gains, flips = gains_by_k(pairs, None, 100), flips_by_k(pairs)
    for k, splits in student.items():
        for split, metrics in splits.items():
            for metric in METRICS:
                gain = gains[k][split][metric]
                assert gain["difference"]["value"] == pytest.approx(
                    metrics[metric]["value"] - baseline[k][split][metric]["value"]
                )
                assert gain["per_1000_tokens"] is None
            of_split = flips[k][split]
            marks = gains[k][split]["full_marks"]["difference"]["value"]
            assert of_split["positive"] - of_split["negative"] == pytest.approx(marks)
            fraction = gains[k][split]["skill_fraction"]["difference"]["value"]
            assert of_split["gain"] - of_split["regression"] == pytest.approx(fraction)


def test_a_student_against_itself_flips_nothing() -> None:
    pairs = paired(text_table(answers(1)), text_table(answers(1)))
    assert all(not each["positive"] and not each["negative"] for each in flips_by_label(pairs, "skills").values())


def test_texts_without_points_are_left_out_of_both_sides() -> None:
    table = answers(1, cells=4, generations=1).to_pylist()
    table[0]["points"] = None
    pairs = paired(text_table(pa.Table.from_pylist(table, schema=ANSWER_SCHEMA)), text_table(answers(2, 4, 1)))
    assert len(pairs) == 3


def test_pooled_metrics_are_weighted_means_of_the_splits() -> None:
    table = answers(3, cells=24)
    pooled, apart = pooled_by_k(table, SETTINGS, ()), metrics_by_k(table, SETTINGS, ())
    for k, metrics in pooled.items():
        splits = apart[k].values()
        n = sum(each["full_marks"]["n"] for each in splits)
        assert metrics["full_marks"]["n"] == n
        mean = sum(each["full_marks"]["value"] * each["full_marks"]["n"] for each in splits) / n
        assert metrics["full_marks"]["value"] == pytest.approx(mean)


def test_named_and_common_skills_count_less() -> None:
    table = answers(4, cells=30, good=1.0)
    k = table.filter(pa.compute.equal(table["k"], 2))
    metrics = group_metrics(k, SETTINGS, ["skill 2"])
    assert metrics["skill_fraction"]["value"] == 1
    assert metrics["skill_fraction_minus_named"]["value"] < 1  # the texts name "skill 1"
    assert metrics["full_marks_minus_common"]["n"] < metrics["full_marks"]["n"]
    assert metrics["full_marks_minus_named_minus_common"]["n"] == metrics["full_marks_minus_common"]["n"]
    best = group_metrics(k, EvaluateConfig(bootstrap=100, generations=2), [])
    assert best["best_full_marks"]["value"] >= best["full_marks"]["value"]


def test_all_or_nothing_falls_with_k_and_the_smooth_metric_does_not() -> None:
    """Full Marks is about the product of the k + 3 points, Skill Fraction is linear (arXiv 2304.15004)."""
    metrics = metrics_by_k(answers(5, cells=900, generations=1, good=0.9), SETTINGS, ())
    marks = [metrics[k]["combinations"]["full_marks"]["value"] for k in "123"]
    fraction = [metrics[k]["combinations"]["skill_fraction"]["value"] for k in "123"]
    assert marks == pytest.approx([0.9**4, 0.9**5, 0.9**6], abs=0.09)
    assert fraction == pytest.approx([0.9**4] * 3, abs=0.09)


def test_agreement_of_rules_and_model() -> None:
    rows = answers(6, cells=3, generations=1).to_pylist()
    assert agreement([pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA)]) is None
    for row in rows:
        row["model_points"] = [1 - point for point in row["points"]]
    found = agreement([pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA)])
    assert found is not None and (found["skills"], found["other_criteria"]) == (0, 0) and found["kappa"] <= 0
    for row in rows:
        row["model_points"] = row["points"]
    found = agreement([pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA)])
    assert found is not None and (found["skills"], found["kappa"], found["points"]) == (1, 1, 6)


def test_pass_until_is_the_mean_of_passes_over_tries() -> None:
    found = pass_until([(20, 0), (4, 1), (1, 1), (0, 0)], 100)
    assert found is not None
    assert found["value"] == pytest.approx((0 + 0.25 + 1) / 3) and found["n"] == 3
    assert pass_until([], 100) is None


def test_the_bound_of_a_corpus_shrinks_with_k() -> None:
    metrics = metrics_by_k(answers(7, cells=60), SETTINGS, ())
    corpus = CorpusConfig(pieces=1000, skill_rate=0.1, topic_rate=0.01)
    bounds = {k: splits["topics"] for k, splits in beyond_parrots(metrics, corpus).items()}
    assert [bounds[k]["bound"] for k in "123"] == pytest.approx([1, 0.1, 0.01])
    for bound in bounds.values():
        marks, novel = bound["full_marks"], bound["novel_share"]
        assert novel == (max(0, 1 - bound["bound"] / marks) if marks else None)
