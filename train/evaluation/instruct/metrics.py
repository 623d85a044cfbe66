"""The metrics of an instruct evaluation: win rates against the reference, effort and grades of the answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from skillmill.train.evaluation.instruct.answers import REFERENCE, InstructRow
from skillmill.train.evaluation.instruct.judge import POINTS_OF_A
from skillmill.train.evaluation.instruct.length_control import length_controlled
from skillmill.train.evaluation.skill_mix_metrics import OTHER_POINTS, Bootstrap, Numbers, estimate

WIN_RATE, CONTROLLED = "win_rate", "length_controlled_win_rate"
ALL = "all"
"""The name of the rows of all splits together."""

Metrics = dict[str, Any]
"""Estimates {value, se, low, high, n} by name, and `counts`."""


def instruct_metrics(rows: Sequence[InstructRow], bootstrap: Bootstrap) -> dict[str, dict[str, Metrics]]:
    """Return the metrics {role: {split: metrics}} of the answers of all students and of the references.

    The split `ALL` holds all splits together. The difficulty of an item for one student is taken from the verdicts on
    the other student, if there is one.
    """
    by_role: dict[str, list[InstructRow]] = {}
    for row in rows:
        by_role.setdefault(row["role"], []).append(row)
    scores = {role: {row["id"]: row["score"] for row in of_role} for role, of_role in by_role.items()}
    found: dict[str, dict[str, Metrics]] = {}
    for role, of_role in by_role.items():
        other = next((scores[name] for name in by_role if name not in (role, REFERENCE)), {})
        splits = sorted({row["split"] for row in of_role})
        found[role] = {
            split: metrics_of([row for row in of_role if split in (ALL, row["split"])], other, bootstrap)
            for split in (ALL, *splits)
        }
    return found


def metrics_of(rows: Sequence[InstructRow], other: Mapping[str, float | None], bootstrap: Bootstrap) -> Metrics:
    """Return the metrics of one role's answers; those without a value are left out.

    - `win_rate`: the mean score against the reference; a tie counts one half.
    - `length_controlled_win_rate`: the win rate at equal lengths, with the `coefficients` of `length_controlled`.
    - `first_place`: the share of verdicts for the answer that stands first, whoever wrote it; 0.5 without order bias.
    - `shirker_score`: the mean, 1 is the lowest effort.
    - `grade`: the mean share of the points; `skills` and the three other criteria are its parts.
    - `characters`: the mean length of the answers.
    - `counts`: see `counts_of`.

    `other` are the scores of another student by item.
    """
    grades = [row["grade"] for row in rows if row["grade"]]
    skills = [float(np.mean([skill["point"] for skill in grade["skills"]])) for grade in grades]
    values: dict[str, list[float]] = {
        "first_place": [_first_place(row) for row in rows if _is_judged(row) and row["first"]],
        "shirker_score": [row["shirker_score"] for row in rows if row["shirker_score"] is not None],
        "grade": [grade["total"] / (len(grade["skills"]) + OTHER_POINTS) for grade in grades],
        "skills": skills,
        "on_topic": [grade["on_topic"] for grade in grades],
        "makes_sense": [grade["makes_sense"] for grade in grades],
        "within_limit": [grade["within_limit"] for grade in grades],
        "characters": [float(len(row["answer"])) for row in rows if row["answer"] is not None],
    }
    metrics = {name: _estimate(np.array(each), bootstrap) for name, each in values.items() if each}
    return {**_win_rates(rows, other, bootstrap), **metrics, "counts": counts_of(rows)}


def counts_of(rows: Sequence[InstructRow]) -> dict[str, int]:
    """Return how many answers there were and what became of them.

    `failed_answers`: the student gave none. `empty_answers`: lost without a comparison. `judged`: the answers with a
    score, by score `wins`, `half_wins` (one order says "same"), `ties`, `half_losses` and `losses`. `contradictory`:
    ties because the two orders prefer different answers. `unreadable`, `refused`, `failed`: requests to the grader
    without a verdict, which leave their answer without a score.
    """
    scores = Counter(row["score"] for row in rows if _is_judged(row))
    verdicts = Counter(verdict for row in rows for verdict in (row["first"], row["second"]))
    return {
        "items": len(rows),
        "failed_answers": sum(row["answer"] is None for row in rows),
        "empty_answers": sum(row["answer"] is not None and not row["answer"].strip() for row in rows),
        "judged": sum(scores.values()),
        "wins": scores[1.0],
        "half_wins": scores[0.75],
        "ties": scores[0.5],
        "contradictory": sum((row["first"], row["second"]) in (("A", "A"), ("B", "B")) for row in rows),
        "half_losses": scores[0.25],
        "losses": scores[0.0],
        "unreadable": verdicts["unreadable"],
        "refused": verdicts["refused"],
        "failed": verdicts["failed"],
    }


def _win_rates(rows: Sequence[InstructRow], other: Mapping[str, float | None], bootstrap: Bootstrap) -> Metrics:
    judged = [row for row in rows if _is_judged(row)]
    if not judged:
        return {}
    scores = np.array([row["score"] for row in judged], float)
    lengths = np.array([len(row["answer"] or "") for row in judged], float)
    references = np.array([len(row["reference"]) for row in judged], float)
    known = [other.get(row["id"]) for row in judged]
    mean = float(np.mean([score for score in known if score is not None] or [0.5]))
    easiness = (
        np.array([mean if score is None else score for score in known]) if any(s is not None for s in known) else None
    )
    controlled = asdict(length_controlled(scores, lengths, references, easiness, bootstrap))
    coefficients = {name: controlled.pop(name) for name in ("quality", "length", "difficulty")}
    return {
        WIN_RATE: _estimate(scores, bootstrap),
        CONTROLLED: {**controlled, "n": len(judged), "coefficients": coefficients},
    }


def _is_judged(row: InstructRow) -> bool:
    return row["score"] is not None


def _first_place(row: InstructRow) -> float:
    return (POINTS_OF_A[str(row["first"])] + POINTS_OF_A[str(row["second"])]) / 2


def _estimate(values: Numbers, bootstrap: Bootstrap) -> dict[str, float | int | None]:
    return {**estimate(values, bootstrap), "n": len(values)}
