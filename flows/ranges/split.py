"""The ranges of a plan: which cells each one has, and the configuration that generates it."""

import logging
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.flows.config import Config
from skillmill.flows.plan import Plan
from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.sources import TEACHER_SOURCES

log = logging.getLogger(__name__)

FOLDER = "ranges"
"""The folder in `output_dir` that holds the ranges of a number of cells, such as `ranges/1000/3-of-8`."""


@dataclass(frozen=True, order=True)
class Range:
    """Range `number`, from 1, of `count` ranges of nearly equal size."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Read a range such as "3/8". Raises `ConfigError` if it is none."""
        number, slash, count = text.partition("/")
        if not (slash and number.isascii() and number.isdigit() and count.isascii() and count.isdigit()):
            raise ConfigError(f"--range: expected NUMBER/COUNT such as 3/8, got {text!r}")
        found = cls(int(number), int(count))
        if not 1 <= found.number <= found.count:
            raise ConfigError(f"--range: expected a number from 1 to {found.count}, got {text!r}")
        return found

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def cells(self, total: int) -> range:
        """Return which of `total` cells, counted from 0, are in this range."""
        return range((self.number - 1) * total // self.count, self.number * total // self.count)


def ranges_folder(config: Config) -> Path:
    """Return the folder of all ranges of a run, which names the number of cells that they share."""
    return config.output / FOLDER / str(config.generation.samples)


def range_config(config: Config, part: Range) -> Config:
    """Return the configuration that generates a range in a folder of its own below `output_dir`.

    Near-duplicates are found when the ranges are merged, and the cells of `generation.test` are generated after that.
    Raises `ConfigError` if the run has no fixed number of cells.
    """
    generation = config.generation
    if generation.samples is None or generation.accepted is not None:
        raise ConfigError(
            "generation.samples: ranges expect the number of cells that they share, and no generation.accepted"
        )
    if generation.samples < part.count:
        raise ConfigError(
            f"generation.samples: {part.count} ranges expect at least as many cells, got {generation.samples}"
        )
    name = f"{part.number}-of-{part.count}"
    near_duplicates = config.filters.near_duplicates.model_copy(update={"enabled": False})
    return config.model_copy(
        update={
            "output_dir": config.output_dir + f"/{FOLDER}/{generation.samples}/{name}",
            "work_dir": config.work_dir and str(Path(config.work_dir) / FOLDER / str(generation.samples) / name),
            "generation": generation.model_copy(update={"samples": len(part.cells(generation.samples)), "test": None}),
            "filters": config.filters.model_copy(update={"near_duplicates": near_duplicates}),
        }
    )


def share_taxonomy(config: Config, of_range: Config) -> None:
    """Give a range the taxonomy of the run. Raises `SkillmillError` if a teacher has to be asked for it first."""
    shared, own = config.output / "taxonomy.yaml", of_range.output / "taxonomy.yaml"
    if not own.exists() and shared.exists():
        own.parent.mkdir(parents=True, exist_ok=True)
        save_taxonomy(load_taxonomy(shared), own)
    elif not own.exists() and config.taxonomy.source in TEACHER_SOURCES:
        raise SkillmillError(
            "taxonomy: the ranges share one, and there is none yet: run `skillmill taxonomy extract` first"
        )


def first_position(plan: Plan, cells: range) -> int:
    """Return the position in the plan of the first of these cells; it takes time for each cell before it."""
    return next(cell.index for cell in islice(plan.combinations.cells(0), cells.start, None))
