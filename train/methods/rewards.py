"""Rewards of GRPO by rules: what a student's answer gets for the skills and the form that its cell asks for.

Each reward is 0..1 for one answer, or None where it says nothing; TRL leaves None out of the sum. They are the points
that grading by rules gives (`filters/grading/rules.py`), the filter `skill_named`, and the shirker score.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError
from skillmill.data.records import Message, Sample
from skillmill.filters.grading.rules import points_by_rules
from skillmill.filters.rows.skill_named import SkillNamed
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.taxonomy import Skill
from skillmill.train.rows.cells import CELL_COLUMNS, cell_of

Reward = Callable[[Sample, Cell], float | None]
RewardFunction = Callable[..., list[float | None]]
"""A reward of a whole batch, in the form in which TRL calls it: the columns of the rows as lists by name."""


def skills(sample: Sample, cell: Cell) -> float | None:
    """Return the share of the cell's skills with a rule that the answer shows, None if none has a rule."""
    points = points_by_rules(sample, cell).skills
    return sum(each.point for each in points) / len(points) if points else None


def unnamed(sample: Sample, cell: Cell) -> float:
    """Return 1 if the answer names none of its skills, else 0."""
    return float(not SkillNamed().check(sample, replace(cell, kind=SKILL_MIX)).reasons)


def within_limit(sample: Sample, cell: Cell) -> float:
    """Return 1 if a Skill-Mix text keeps its sentence limit, or if another answer is complete, else 0."""
    return points_by_rules(sample, cell).within_limit


def on_topic(sample: Sample, cell: Cell) -> float:
    """Return 1 if the answer shares a subject word with its topic or instruction, else 0."""
    return points_by_rules(sample, cell).on_topic


def makes_sense(sample: Sample, cell: Cell) -> float:
    """Return 1 if the answer does not repeat itself, else 0."""
    return points_by_rules(sample, cell).makes_sense


def effort(sample: Sample, cell: Cell) -> float | None:
    """Return 1 minus the shirker score, None for Skill-Mix texts, which are too short to have one."""
    if cell.kind == SKILL_MIX:
        return None
    from skillmill.filters.shirker.model import load_model  # numpy and the model load at first use

    model = load_model()
    return 1.0 - float(model.scores(model.features([sample.instruction], [sample.response]))[0])


REWARDS: dict[str, Reward] = {
    "skills": skills,
    "unnamed": unnamed,
    "within_limit": within_limit,
    "on_topic": on_topic,
    "makes_sense": makes_sense,
    "effort": effort,
}


def reward_functions(weights: Mapping[str, float], taxonomy: Path, used: Collection[str]) -> dict[str, RewardFunction]:
    """Return the rewards with a weight other than 0 by name, as TRL calls them.

    `taxonomy`: the file of the skills, `used`: the names of those that the rows have. Raises `ConfigError` if the file
    cannot be read, or if the reward `skills` is asked for and no skill of the rows has a rule.
    """
    by_name = {skill.name: skill for skill in load_taxonomy(taxonomy).skills}
    if weights["skills"] and not any(skill.checker for name, skill in by_name.items() if name in used):
        raise ConfigError(
            "train.grpo.rewards.skills: no skill of the rows has a rule that could decide it; set it to 0, or use "
            "skills with a checker, such as those of taxonomy.source builtin:checkable"
        )
    return {name: _of_a_batch(name, REWARDS[name], by_name) for name, weight in weights.items() if weight}


def _of_a_batch(name: str, reward: Reward, by_name: Mapping[str, Skill]) -> RewardFunction:
    def of_a_batch(
        prompts: list[list[Message]], completions: list[list[Message]], **columns: list[Any]
    ) -> list[float | None]:
        cells = (cell_of({key: columns[key][i] for key in CELL_COLUMNS}, by_name) for i in range(len(prompts)))
        answers = zip(prompts, completions, cells, strict=True)
        return [reward(Sample(asked[-1]["content"], told[-1]["content"]), cell) for asked, told, cell in answers]

    of_a_batch.__name__ = name  # TRL logs the reward under this name
    return of_a_batch
