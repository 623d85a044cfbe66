"""The calibrated shirker model: a score for low effort from the features of an instruction and its answer.

The score combines two sums of trees over the features (`tree_model`) and a few rules. The shipped model is the
JSON file `model.json`; `skillmill filters calibrate` writes others.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skillmill.data.errors import ConfigError
from skillmill.filters.shirker.features.all_features import (
    EXPECTED_FEATURES,
    FEATURES,
    Expectation,
    Expectations,
    as_arrays,
    raw_features,
    with_expectations,
)
from skillmill.filters.shirker.features.word_arrays import Floats
from skillmill.filters.shirker.tree_model import TreeModel

BRIEF_SHARE = 0.8
"""The factor on the score of an answer that is as short as requested, because its features say little about effort. It
is a rule and not learned, because the labelled rows have too few such answers. It leaves right ones below the threshold
and changes their order among other answers little."""
ECHO_SCORE, MIN_INSTRUCTION_ECHOED, MIN_ANSWER_ECHOED = 0.95, 0.9, 0.5
"""An answer that has more than 0.9 of the instruction's 4-grams, and of whose own 4-grams these are more than half,
scores at least 0.95. None of the 2,010 good and brief answers of the training file is one."""
MAX_REPEATED_BEGINNING = 0.3
"""An answer scores at least `ECHO_SCORE` too if more than this share of it repeats its beginning. None of those 2,010
answers is one."""
_RULE_COLUMNS = np.array(
    [
        FEATURES.index(name)
        for name in "brief_as_asked broken_short instruction_echoed echoed_4grams said_again log_words".split()
    ]
)
SHIPPED = Path(__file__).parent / "model.json"
FORMAT = "skillmill shirker model 2"
ADVERSARIAL_KEY = "gamed"
"""The key of `ShirkerModel.adversarial` in model files, kept so that models calibrated by users stay valid."""


@dataclass(frozen=True)
class ShirkerModel:
    """The shirker model.

    Attributes:
        card: what the model was trained on, and its figures in cross-validation.
        threshold: the score from which a row counts as a shirker.
        expected: the expectation of each of `EXPECTED_FEATURES`.
        effort: separates weak and too brief answers from good ones.
        adversarial: separates adversarial answers (constant, off the subject, padded, shuffled) from real ones.
    """

    card: dict[str, Any]
    threshold: float
    expected: dict[str, Expectation]
    effort: TreeModel
    adversarial: TreeModel

    def features(self, instructions: Sequence[str], responses: Sequence[str]) -> Floats:
        """Return the features named by `FEATURES` of each answer, float64 (answers, features)."""
        return with_expectations(raw_features(instructions, responses), self._expectations)

    @cached_property
    def _expectations(self) -> Expectations:
        return as_arrays(self.expected)

    def scores(self, features: Floats) -> Floats:
        """Return the score of each row of `FEATURES`, 0..1 with 1 for the lowest effort, float64 (rows,).

        The score is the probability that either of them applies. By rule an answer without words scores 1; an answer
        that repeats the instruction or its own beginning, or a broken short one, at least `ECHO_SCORE`; and an answer
        as short as requested `BRIEF_SHARE` of what it would score otherwise.
        """
        either = 1 - (1 - self.effort.probability(features)) * (1 - self.adversarial.probability(features))
        brief, broken, instruction_echoed, answer_echoed, repeated_beginning, log_words = features.T[_RULE_COLUMNS]
        either = np.where(brief == 1, BRIEF_SHARE * either, either)
        echo = (instruction_echoed > MIN_INSTRUCTION_ECHOED) & (answer_echoed > MIN_ANSWER_ECHOED)
        repeats = (broken == 1) | echo | (repeated_beginning > MAX_REPEATED_BEGINNING)
        return np.where(log_words == 0, 1.0, np.where(repeats, np.maximum(either, ECHO_SCORE), either))

    def save(self, path: Path) -> None:
        """Write the model as a JSON file, whole or not at all."""
        stored = {
            "card": self.card,
            "threshold": self.threshold,
            "expected": {name: asdict(expectation) for name, expectation in self.expected.items()},
            "effort": self.effort.as_stored(),
            ADVERSARIAL_KEY: self.adversarial.as_stored(),
        }
        partial = path.with_name(f".{path.name}.tmp")
        partial.write_text(json.dumps({"format": FORMAT, **stored}) + "\n")
        partial.replace(path)


@lru_cache(maxsize=8)
def load_model(path: Path | None = None) -> ShirkerModel:
    """Return the shipped model, or the one in a file that `skillmill filters calibrate` wrote.

    Raises `ConfigError` if the file cannot be read or holds no such model.
    """
    try:
        stored = json.loads((path or SHIPPED).read_text())
        if stored.pop("format") != FORMAT:
            raise ValueError("another format")
        model = ShirkerModel(
            card=dict(stored["card"]),
            threshold=float(stored["threshold"]),
            expected={name: Expectation(**expectation) for name, expectation in stored["expected"].items()},
            effort=TreeModel.of_stored(stored["effort"]),
            adversarial=TreeModel.of_stored(stored[ADVERSARIAL_KEY]),
        )
        if set(model.expected) != set(EXPECTED_FEATURES):
            raise ValueError("other signals")
        return model
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ConfigError(f"{path or SHIPPED}: expected a model of `skillmill filters calibrate` ({error})") from None


def effort_margin(instruction: str, better: str, worse: str, model: Path | None = None) -> float:
    """Return the score of `worse` minus the score of `better`, -1..1; both are English answers to the instruction.

    `model` is as in `load_model`.
    """
    loaded = load_model(model)
    better_score, worse_score = loaded.scores(loaded.features([instruction] * 2, [better, worse]))
    return round(float(worse_score - better_score), 6)


def strongest_features(model: ShirkerModel, features: Floats, count: int = 3) -> list[list[str]]:
    """Return for each row of `FEATURES` the names of the features that add most to the log-odds, the strongest first.

    A row has at most `count` names, fewer if fewer features add to its log-odds.
    """
    added = np.maximum(model.effort.contributions(features), model.adversarial.contributions(features))
    most = np.argpartition(-added, count, axis=1)[:, :count]
    most = np.take_along_axis(most, np.argsort(-np.take_along_axis(added, most, axis=1), axis=1), axis=1)
    return [
        [FEATURES[column] for column in columns if row[column] > 0]
        for row, columns in zip(added, most.tolist(), strict=True)
    ]
