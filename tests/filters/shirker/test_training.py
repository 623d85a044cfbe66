"""Calibration learns from labelled rows, and its figures are about rows left out."""

import random
from dataclasses import replace

import numpy as np
import pytest

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.filters.shirker import cross_validation
from skillmill.filters.shirker.adversarial import FAMILIES, adversarial_answers
from skillmill.filters.shirker.cross_validation import auc, auc_of_like_length, cross_validate, threshold_for
from skillmill.filters.shirker.model import ShirkerModel
from skillmill.filters.shirker.training import LabelledRows, fit, labelled_rows

SUBJECTS = "basil tomatoes bicycles violins kettles ladders harbours glaciers".split()


def made_up_rows() -> LabelledRows:
    """Two careful and two lazy writers on forty instructions."""
    dice = random.Random(0)
    instructions, responses, labels, groups = [], [], [], []
    for n in range(40):
        subject = f"{dice.choice(SUBJECTS)}{n}"
        for writer in ("careful a", "careful b", "lazy a", "lazy b"):
            lazy = writer.startswith("lazy")
            steps = dice.randint(1, 3) if lazy else dice.randint(6, 12)
            text = " ".join(f"Step {i} for {subject} takes {dice.randint(2, 90)} minutes." for i in range(steps))
            instructions.append(f"How do I look after {subject}?")
            responses.append(text)
            labels.append("weak" if lazy else "good")
            groups.append(writer)
    return labelled_rows(instructions, responses, labels, groups, "good")


def test_clear_differences_are_found_on_writers_and_instructions_left_out() -> None:
    found = cross_validate(made_up_rows(), precision=0.95)
    [figures] = found.figures
    assert figures.auc["weak"] > 0.95
    assert figures.flagged["good"] <= 0.05 < figures.flagged["weak"]
    assert found.precision >= 0.95
    assert "at most 5%" in found.chosen_for
    assert set(found.auc_by_group) >= {"careful a", "careful b", "lazy a", "lazy b"}


def test_each_source_is_left_out_with_its_writers_and_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = replace(made_up_rows(), source=np.where(made_up_rows().instruction < 20, "first", "second"))
    trained: list[LabelledRows] = []

    def keep(part: LabelledRows) -> ShirkerModel:
        trained.append(part)
        return fit(part)

    monkeypatch.setattr(cross_validation, "fit", keep)
    rows.group[rows.source == "second"] = np.char.add(rows.group[rows.source == "second"], " 2")
    found = cross_validate(rows, precision=0.9)
    assert [one.left_out for one in found.figures] == ["writers and instructions", "source first", "source second"]
    assert set(trained[-2].source.tolist()) == {"second"}
    assert set(trained[-1].source.tolist()) == {"first"}
    for part in trained[:3]:
        assert len(set(part.group[~part.adversarial].tolist())) < 8
        assert len(set(part.instruction.tolist())) < 40


def test_random_labels_are_not_told_apart() -> None:
    rows = made_up_rows()
    dice = np.random.default_rng(0)
    raw = rows.raw.copy()
    real = np.flatnonzero(~rows.adversarial)
    raw[real] = raw[dice.permutation(real)]
    assert 0.3 < cross_validate(replace(rows, raw=raw), precision=0.5).figures[0].auc["weak"] < 0.7


def test_each_writer_is_left_out_so_two_of_each_kind_are_needed() -> None:
    with pytest.raises(ConfigError, match="at least two groups"):
        rows = made_up_rows()
        cross_validate(rows.take(rows.group != "lazy b"), precision=0.9)


def test_rows_of_one_label_cannot_be_told_apart() -> None:
    with pytest.raises(ConfigError, match="at least 50 rows"):
        labelled_rows(["a"] * 60, ["b"] * 60, ["good"] * 60, ["x"] * 60, "good")


def test_every_family_of_adversarial_answers_is_made_and_none_is_the_good_answer() -> None:
    instructions = [f"How do I grow {subject}?" for subject in SUBJECTS]
    answers = [f"Water {subject} twice a week. Keep them warm." for subject in SUBJECTS]
    made = adversarial_answers(instructions, answers, share=1.0)
    assert {family for family, _, _ in made} == set(FAMILIES)
    own = dict(zip(instructions, answers, strict=True))
    assert all(text != own[instruction] for _, instruction, text in made)
    assert made == adversarial_answers(instructions, answers, share=1.0)


def test_auc_counts_pairs_and_ties_as_halves() -> None:
    good, low = np.array([0.1, 0.4]), np.array([0.4, 0.9])
    assert auc(good, low) == pytest.approx(3.5 / 4)
    assert auc_of_like_length(good, low, np.array([1.0, 5.0]), np.array([5.0, 9.0])) == pytest.approx(0.5)


def test_the_threshold_is_the_lowest_that_holds_the_precision() -> None:
    scores, low = np.array([0.9, 0.8, 0.8, 0.3, 0.2]), np.array([1, 1, 0, 1, 0])
    assert threshold_for(scores, low, 1.0) == 0.9
    assert threshold_for(scores, low, 0.75) == 0.3
    assert threshold_for(scores, low, 0.75, least=0.5) == 0.9  # from 0.8 on it is two thirds
    with pytest.raises(SkillmillError, match="no threshold"):
        threshold_for(scores, 1 - low, 0.9)
