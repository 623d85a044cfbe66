"""The cells of an evaluation: random ones that training cannot have seen, the same for every student.

"Can Models Learn Skill Composition from Examples?" (arXiv 2409.19808, section 2) evaluates on held-out skills and
topics, and for more skills a text than training had.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell, derived_seed
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.splits import members
from skillmill.skill_taxonomy.taxonomy import Skill, Split, Taxonomy, Topic
from skillmill.train.evaluation.config import EvaluateConfig, SplitName
from skillmill.train.evaluation.trained_on import TrainedOn

log = logging.getLogger(__name__)

Part = tuple[list[Skill], list[Topic]]


@dataclass(frozen=True)
class HeldOutCell:
    """A cell of the evaluation and the split that it belongs to."""

    split: SplitName
    cell: Cell


def held_out_cells(settings: EvaluateConfig, taxonomy: Taxonomy, seen: TrainedOn, seed: int) -> list[HeldOutCell]:
    """Return at most `settings.samples` cells for each split and k, in this order.

    A cell depends on taxonomy, split, k and seed; cells that training has seen are skipped. Raises `ConfigError` if a
    held-out skill or topic was trained on, if a split has nothing, or if no split has enough skills for a k.
    """
    parts = _parts(settings, taxonomy)
    _check_leaks(taxonomy, settings.held_out, parts, seen)
    _check_sizes(settings, parts)
    cells: list[HeldOutCell] = []
    for split, (skills, topics) in parts.items():
        for k in settings.k:
            if k > len(skills):
                log.info(f"evaluate: {split}: no cells with k = {k}, there are {len(skills)} such skills")
                continue
            drawn = list(islice(_unseen(taxonomy, (skills, topics), k, seen, (seed, split)), settings.samples))
            if not drawn:
                raise ConfigError(
                    f"evaluate.k: training has seen every cell with k = {k} of the split {split}; leave out this k, or "
                    "set evaluate.taxonomy or evaluate.splits"
                )
            if len(drawn) < settings.samples:
                log.info(f"evaluate: {split}: {len(drawn)} cells with k = {k}, training has not seen more")
            cells += [HeldOutCell(split, cell) for cell in drawn]
    return cells


def _parts(settings: EvaluateConfig, taxonomy: Taxonomy) -> Mapping[SplitName, Part]:
    """Return the skills and topics of each split. Raises `ConfigError` for a configured split that has none."""
    if not taxonomy.topics:
        raise ConfigError(
            f"evaluate.taxonomy: {taxonomy.name} has no topics, which Skill-Mix needs; taxonomy.themes, or another "
            "evaluate.taxonomy such as builtin:checkable, has some"
        )
    held = settings.held_out
    skills, topics = members(taxonomy)
    held_skills = [skill for skill in taxonomy.skills if skill.split == held]
    held_topics = [topic for topic in taxonomy.topics if topic.split == held]
    every: dict[SplitName, Part] = {
        "combinations": (skills, topics),
        "skills": (held_skills, topics),
        "topics": (skills, held_topics),
        "skills_and_topics": (held_skills, held_topics),
    }
    wanted = settings.splits or tuple(name for name, part in every.items() if all(part))
    for name in wanted:
        for what, found in zip(("skills", "topics"), every[name], strict=True):
            if not found:
                kind = "for training" if found in (skills, topics) else f"held out for {held}"
                raise ConfigError(
                    f"evaluate.splits: {name}: the taxonomy has no {what} {kind}; `skillmill taxonomy split` does it"
                )
    if not wanted:
        raise ConfigError(f"evaluate: the taxonomy {taxonomy.name} has no skills and topics to draw cells from")
    return {name: every[name] for name in wanted}


def _check_leaks(taxonomy: Taxonomy, held: Split, parts: Mapping[SplitName, Part], seen: TrainedOn) -> None:
    """Raise `ConfigError` if a row of the training has a held-out skill or topic."""
    if set(parts) & {"skills", "skills_and_topics"}:
        for skill in taxonomy.skills:
            if skill.split == held and (rows := seen.rows_with_skill((skill.name, *skill.aliases))):
                raise ConfigError(_leak("skill", skill.name, rows))
    if set(parts) & {"topics", "skills_and_topics"}:
        for topic in taxonomy.topics:
            if topic.split == held and (rows := seen.rows_with_topic(topic.name)):
                raise ConfigError(_leak("topic", topic.name, rows))


def _leak(what: str, name: str, rows: int) -> str:
    return (
        f"evaluate: the held-out {what} {name!r} is in {rows} of the rows that the student was trained on; hold out "
        "before a run generates, or set evaluate.splits: [combinations]"
    )


def _check_sizes(settings: EvaluateConfig, parts: Mapping[SplitName, Part]) -> None:
    most = max(len(skills) for skills, _ in parts.values())
    for k in settings.k:
        if k > most:
            raise ConfigError(f"evaluate.k: {k} is larger than the number of skills, {most}")


def _unseen(taxonomy: Taxonomy, part: Part, k: int, seen: TrainedOn, seed: tuple[int, str]) -> Iterator[Cell]:
    """Yield the cells of k skills in a random order, without those that training has seen."""
    skills, topics = part
    drawn_from = taxonomy.model_copy(
        update={
            "skills": tuple(skill.model_copy(update={"split": "train"}) for skill in skills),
            "topics": tuple(topic.model_copy(update={"split": "train"}) for topic in topics),
        }
    )
    cells = Combinations(drawn_from, SKILL_MIX, "topic", {k: 1.0}, derived_seed("evaluate", *seed, k))
    return (cell for cell in cells.cells() if not seen.has(cell))
