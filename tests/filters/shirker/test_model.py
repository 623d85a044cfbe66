"""The calibrated model: its scores, its rules, its explanation, and its file."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.data.text.tokens import tokens
from skillmill.filters.shirker.features.all_features import FEATURES
from skillmill.filters.shirker.features.answer import ANSWER_FEATURES, answer_features
from skillmill.filters.shirker.features.instruction import INSTRUCTION_FEATURES, instruction_features
from skillmill.filters.shirker.filter import Shirker
from skillmill.filters.shirker.model import load_model, strongest_features
from skillmill.skill_taxonomy.cells import Cell

CELL = Cell("instruct_skill_mix", 0, (), None, None, 1)
SKILL_MIX = Cell("skill_mix", 0, (), None, None, 1)
MODEL = load_model()

HOW = "How do I keep basil alive on a north-facing windowsill? Please give me five tips."
GOOD = """Basil needs more light than a north-facing windowsill gives, so the trick is to add some and to go easy on
water.

1. **Add a lamp**: A 10-watt LED grow light, 20 cm above the leaves, for 12 hours a day replaces the missing sun.
2. **Water from below**: Pour a little into the saucer when the top 2 cm of soil feel dry, and empty what is left.
3. **Keep it warm**: Below 12 °C the leaves turn black. In winter, move the pot away from the cold glass at night.
4. **Split the pot**: Supermarket basil is 20 seedlings in one pot. Divide them into four pots so that roots have room.
5. **Cut above a pair of leaves**: Harvest the top, never single leaves; two new shoots grow from each cut.

If the stems still grow long and pale after two weeks, the lamp is too far away or too weak."""

SHORT_BUT_WANTED = [
    ("Classify the sentiment of this tweet as positive, negative or neutral.\n\nBest pizza of my life!", "Positive"),
    ("What is the capital of Australia? Answer in one word.", "Canberra"),
    ("Correct the spelling of this sentence.\n\nI recieved you're leter.", "I received your letter."),
    ("Translate the following sentence into French.\n\nGood evening, Madam.", "Bonsoir, Madame."),
    ("Convert the given description to a bash command.\n\ncount the lines of a.txt", "`wc -l a.txt`"),
    ("Is 91 a prime number? Answer yes or no.", "No, 91 = 7 × 13."),
]
ADVERSARIAL = [
    "I don't know.",
    "There are many ways to do this. It depends on many factors. I hope this helps!",
    "As an AI language model, I cannot help with that.",
    HOW,
    "Sure! " + HOW + " " + HOW,
    "Basil needs light. " * 12,
    "1. [First tip]\n2. [Second tip]\n3. [Third tip]",
    "The French Revolution began in 1789, when the Estates-General met at Versailles. Bread was dear, the crown was "
    "broke, and the Third Estate swore to write a constitution. The Bastille fell on 14 July of that year.",
    " ".join(sorted(GOOD.split())),
]


def score(instruction: str, response: str) -> float:
    return float(MODEL.scores(MODEL.features([instruction], [response]))[0])


def test_a_good_answer_passes_and_adversarial_ones_score_far_above_it() -> None:
    assert score(HOW, GOOD) < MODEL.threshold
    for response in ADVERSARIAL:
        assert score(HOW, response) > 0.9, response


@pytest.mark.parametrize(("instruction", "response"), SHORT_BUT_WANTED)
def test_a_short_answer_passes_where_one_is_wanted(instruction: str, response: str) -> None:
    assert score(instruction, response) < MODEL.threshold


@pytest.mark.parametrize(("instruction", "response"), SHORT_BUT_WANTED)
def test_the_same_short_answer_fails_where_more_is_wanted(instruction: str, response: str) -> None:
    assert score(HOW, response) >= MODEL.threshold


def test_two_of_five_requested_tips_are_missing_items() -> None:
    five, three = (
        dict(zip(ANSWER_FEATURES, row, strict=True))
        for row in answer_features([instruction_features(HOW)] * 2, [GOOD, GOOD.split("4.")[0]])
    )
    assert (five["missing_items"], three["missing_items"]) == (0.0, pytest.approx(0.4))


def test_features_of_an_instruction() -> None:
    profile = dict(
        zip(INSTRUCTION_FEATURES, instruction_features("Write a short poem about rain.").values, strict=True)
    )
    assert profile["asks_verse"] == profile["asks_brief"] == 1
    assert profile["asks_code"] == profile["asked_given"] == 0
    assert instruction_features("Name 3 rivers.").requested_items == 3


def test_the_filter_follows_its_threshold_and_keeps_the_score() -> None:
    sample = Sample(HOW, ADVERSARIAL[0])
    strict = Shirker(threshold=None).check(sample, CELL)
    assert strict.reasons == ("shirker",)
    assert strict.signals["shirker_score"] == pytest.approx(score(HOW, ADVERSARIAL[0]), abs=1e-6)
    assert Shirker().check(Sample(HOW, GOOD), CELL).reasons == ()
    assert Shirker().check(Sample(HOW, ADVERSARIAL[5]), CELL).reasons == ("shirker",)
    assert Shirker(threshold=1e-9).check(Sample("Topic: basil", "Basil!"), SKILL_MIX).reasons == ()
    assert Shirker(threshold=1e-9).check(Sample(HOW, GOOD), CELL).reasons == ("shirker",)


def test_a_model_file_is_read_back_as_written(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model.json")
    assert load_model(tmp_path / "model.json") == MODEL


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "other"}', '{"format": "skillmill shirker model 2"}'])
def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ConfigError, match="expected a model of"):
        load_model(tmp_path / "model.json")


def test_the_card_describes_the_training_data_and_the_threshold() -> None:
    card = MODEL.card
    assert len(card["groups"]) == 61
    assert set(card["sources"]) >= {"AlpacaEval", "FLASK", "OASST-prompts"}
    assert sum(card["sources"].values()) == sum(card["labels"].values()) == card["rows"]
    left_out = {one["left_out"]: one for one in card["left_out"]}
    assert {"weak", "brevity", "gamed"} <= set(left_out["writers and instructions"]["auc"])
    assert "source FLASK" in left_out
    assert "good answers" in card["threshold_chosen_for"]


def test_the_strongest_features_explain_a_score() -> None:
    [why] = strongest_features(MODEL, MODEL.features([HOW], ["I don't know."]))
    assert 1 <= len(why) <= 3
    assert set(why) <= set(FEATURES)


def test_the_strongest_features_add_most_to_the_log_odds() -> None:
    features = MODEL.features([HOW] * len(ADVERSARIAL), ADVERSARIAL)
    most = np.maximum(MODEL.effort.contributions(features), MODEL.adversarial.contributions(features))
    for added, why in zip(most.tolist(), strongest_features(MODEL, features), strict=True):
        assert [added[FEATURES.index(name)] for name in why] == sorted(added, reverse=True)[: len(why)]
        assert all(added[FEATURES.index(name)] > 0 for name in why)


def test_characters_of_scripts_without_spaces_are_tokens() -> None:
    assert tokens("猫が好き、don’t") == ["猫", "が", "好", "き", "don't"]


@given(st.text(), st.text())
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_score(instruction: str, response: str) -> None:
    features = MODEL.features([instruction], [response])
    assert np.isfinite(features).all()
    assert 0 <= MODEL.scores(features)[0] <= 1
    if not tokens(response):
        assert MODEL.scores(features)[0] == 1


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece", ["a", "!", "\n", " ", "a ", "1. ", "[", "[x", ". ", "\n \n", "<insert ", "é ", "猫", "\ud800"]
)
def test_huge_texts_are_scored_fast(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    assert 0 <= score(text, text) <= 1


def test_the_shipped_model_is_plain_data() -> None:
    stored = json.loads((Path(__file__).parents[3] / "filters" / "shirker" / "model.json").read_text())
    assert set(stored) == {"format", "card", "threshold", "expected", "effort", "gamed"}
