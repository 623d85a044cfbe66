"""The calibrated model over the signals: is this the answer of someone who made no effort?

An additive model: every signal goes through its own piecewise-linear curve, the curves are added up, and a logistic
function turns the sum into a score. The curves are plain numbers in `shirker.json`; nothing is unpickled.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skillmill.data.errors import ConfigError
from skillmill.data.records import Sample
from skillmill.filters.shirker.answer_features import MEASURES, measures
from skillmill.filters.shirker.filter import Shirker
from skillmill.filters.shirker.instruction_features import PROFILE, asked
from skillmill.filters.shirker.word_features import Floats
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

EXPECTED = (
    "log_words",
    "log_new_words",
    "coverage",
    "rarity_coverage",
    "log_shared_rarity",
    "meaning",
    "subject_met",
    "words_on_subject",
)
"""Measures that are also taken relative to what good answers to such instructions have."""
MEASURED = np.array([MEASURES.index(name) for name in EXPECTED])
"""Where they stand among the measures."""
SIGNALS = (*MEASURES, *PROFILE, *(f"expected_{name}" for name in EXPECTED), *(f"{name}_gap" for name in EXPECTED))
BRIEF_SHARE = 0.5
"""An answer as short as was asked for shows too little to be sure of low effort: it scores half at most. A rule, not
learned: the labelled rows hold too few such answers."""
ECHO_SCORE, ECHOED_OF_INSTRUCTION, ECHOED_OF_ANSWER = 0.95, 0.9, 0.5
"""An answer that holds more than 0.9 of the instruction's runs of four words, and half of whose own they are, scores
0.95 at least: a rule too. None of the 2,010 good and brief answers does so: a rewritten text comes without the request.
"""
SAID_AGAIN = 0.3
"""So does one of which more than this share only says its beginning again: none of those 2,010 does."""
SHIPPED = Path(__file__).parent / "model.json"
RULED = np.array(
    [SIGNALS.index(name) for name in "brief_as_asked instruction_echoed echoed_4grams said_again log_words".split()]
)
"""The signals that rules look at."""
FORMAT = "skillmill shirker model 1"


@dataclass(frozen=True, slots=True)
class Line:
    """A linear function of an instruction's profile: what good answers to such instructions have of one measure."""

    intercept: float
    weights: list[float]


Lines = tuple[Floats, Floats]
"""Those of `EXPECTED` together: their intercepts (expected), and their weights (profile, expected)."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A piecewise-linear function on low..high, flat outside; `slopes[0]` holds from `low`, each next one is added
    from its knot on. `mean` is its value over the training rows."""

    low: float
    high: float
    knots: list[float]
    slopes: list[float]
    mean: float


@dataclass(frozen=True)
class Part:
    """One additive model over `SIGNALS`: the log-odds are the intercept and the sum of the curves."""

    intercept: float
    curves: dict[str, Curve]

    @cached_property
    def _arrays(self) -> tuple[NDArray[np.intp], Floats, Floats, Floats, Floats, Floats]:
        curves = list(self.curves.values())
        bends = np.array([[curve.low, *curve.knots] for curve in curves])
        low, high, mean = (np.array([getattr(curve, name) for curve in curves]) for name in ("low", "high", "mean"))
        columns = np.array([SIGNALS.index(name) for name in self.curves], np.intp)
        return columns, low, high, bends.T, np.array([curve.slopes for curve in curves]).T, mean

    def _beyond(self, signals: Floats) -> Iterator[tuple[Floats, Floats]]:
        """Bend after bend: how far each signal lies beyond its curve's (rows, curves), and the slopes from there on."""
        columns, low, high, bends, slopes, _ = self._arrays
        inside = np.minimum(np.maximum(signals.take(columns, axis=1), low), high)
        return ((np.maximum(inside - bend, 0.0), slope) for bend, slope in zip(bends, slopes, strict=True))

    def contributions(self, signals: Floats) -> Floats:
        """What each curve adds to the log-odds, against the training rows' mean; one column a curve."""
        *_, mean = self._arrays
        value: Floats = np.tile(-mean, (len(signals), 1))
        for beyond, slope in self._beyond(signals):
            value += slope * beyond
        return value

    def chance(self, signals: Floats) -> Floats:
        """The probability in 0..1 of each row."""
        *_, mean = self._arrays
        log_odds = np.full(len(signals), self.intercept - mean.sum())
        for beyond, slope in self._beyond(signals):
            log_odds += beyond @ slope
        return 1 / (1 + np.exp(-np.maximum(np.minimum(log_odds, 30), -30)))


@dataclass(frozen=True)
class ShirkerModel:
    """`effort` knows weak and too brief answers, `gamed` those made to get through: constant, off the subject, padded,
    shuffled. `threshold` is the score from which a row counts as a shirker; `card` says what it was trained on."""

    card: dict[str, Any]
    threshold: float
    expected: dict[str, Line]
    effort: Part
    gamed: Part

    def signals(self, instructions: Sequence[str], responses: Sequence[str]) -> Floats:
        """A row of `SIGNALS` for each answer."""
        return with_expected(raw_signals(instructions, responses), self._lines)

    @cached_property
    def _lines(self) -> Lines:
        return lines(self.expected)

    def scores(self, signals: Floats) -> Floats:
        """A score in 0..1 for each row of `SIGNALS`, 1 is surely low effort: either part is enough.

        An answer without any word scores 1; one that is the instruction or its own beginning again, `ECHO_SCORE` at
        least; one as brief as was asked for, half of what it would.
        """
        either = 1 - (1 - self.effort.chance(signals)) * (1 - self.gamed.chance(signals))
        brief, of_instruction, of_answer, again, words = signals.T[RULED]
        either = np.where(brief == 1, BRIEF_SHARE * either, either)
        echo = (of_instruction > ECHOED_OF_INSTRUCTION) & (of_answer > ECHOED_OF_ANSWER)
        empty_words = echo | (again > SAID_AGAIN)
        return np.where(words == 0, 1.0, np.where(empty_words, np.maximum(either, ECHO_SCORE), either))

    def save(self, path: Path) -> None:
        """Writes the model as JSON, whole or not at all."""
        partial = path.with_name(f".{path.name}.tmp")
        partial.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n")
        partial.replace(path)


@lru_cache(maxsize=8)
def load_model(path: Path | None = None) -> ShirkerModel:
    """The shipped model, or one that `skillmill filters calibrate` wrote; ConfigError where it is none."""
    try:
        stored = json.loads((path or SHIPPED).read_text())
        if stored.pop("format") != FORMAT:
            raise ValueError("another format")
        model = ShirkerModel(
            card=dict(stored["card"]),
            threshold=float(stored["threshold"]),
            expected={name: Line(**line) for name, line in stored["expected"].items()},
            effort=_part(stored["effort"]),
            gamed=_part(stored["gamed"]),
        )
        if not {*model.effort.curves, *model.gamed.curves} <= set(SIGNALS) or set(model.expected) != set(EXPECTED):
            raise ValueError("other signals")
        return model
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path or SHIPPED}: expected a model of `skillmill filters calibrate` ({error})") from None


def _part(stored: dict[str, Any]) -> Part:
    return Part(stored["intercept"], {name: Curve(**curve) for name, curve in stored["curves"].items()})


def raw_signals(instructions: Sequence[str], responses: Sequence[str]) -> Floats:
    """The columns `MEASURES` and `PROFILE`, before any model."""
    requests = list(map(asked, instructions))  # all of them first: what asked looks into stays in the cache
    profiles = np.array([request.profile for request in requests]).reshape(-1, len(PROFILE))
    return np.hstack([measures(requests, responses), profiles])


def lines(expected: dict[str, Line]) -> Lines:
    """The lines of `EXPECTED` in its order."""
    ordered = [expected[name] for name in EXPECTED]
    return np.array([line.intercept for line in ordered]), np.array([line.weights for line in ordered]).T


def with_expected(raw: Floats, expected: Lines) -> Floats:
    """Adds what was to be expected of each of `EXPECTED`, in that order, and how far the answer lies from it."""
    intercepts, weights = expected
    wanted = intercepts + raw[:, len(MEASURES) :] @ weights
    return np.hstack([raw, wanted, raw.take(MEASURED, axis=1) - wanted])


def shirker(sample: Sample, cell: Cell, options: Shirker) -> Verdict:
    """The cheap tier: the calibrated model finds low effort in the answer's form, with no teacher asked.

    A Skill-Mix text of one or two sentences is no answer to an instruction and is let be.
    """
    if cell.kind == SKILL_MIX:
        return Verdict()
    model = load_model(options.model)
    threshold = model.threshold if options.threshold is None else options.threshold
    score = float(model.scores(model.signals([sample.instruction], [sample.response]))[0])
    if cell.length == "short":  # as short as was asked for
        score *= BRIEF_SHARE
    return options.verdict(score >= threshold, shirker_score=round(score, 6))


def effort_margin(instruction: str, better: str, worse: str, options: Shirker) -> float:
    """How much more effort the calibrated model sees in `better` than in `worse`, -1..1. English answers alone."""
    model = load_model(options.model)
    one, other = model.scores(model.signals([instruction] * 2, [better, worse]))
    return round(float(other - one), 6)


def strongest(model: ShirkerModel, signals: Floats, count: int = 3) -> list[list[str]]:
    """For each row the names of the `count` signals that speak most for low effort, the strongest first."""
    parts = (model.effort, model.gamed)
    names = [name for part in parts for name in part.curves]
    spoken = np.hstack([part.contributions(signals) for part in parts])
    most = min(2 * count, spoken.shape[1])  # a signal may speak in both parts
    first = np.argpartition(-spoken, most - 1, axis=1)[:, :most]
    order = np.take_along_axis(first, np.argsort(-np.take_along_axis(spoken, first, axis=1), axis=1), axis=1)
    found = []
    for row, columns in zip(spoken, order, strict=True):
        speaking = dict.fromkeys(names[column] for column in columns if row[column] > 0)
        found.append(list(speaking)[:count])
    return found
