"""The ranges of a plan: which cells each one has, and the configuration that generates it."""

from dataclasses import dataclass
from pathlib import Path

from skillmill.data.errors import ConfigError
from skillmill.flows.config import Config

FOLDER = "ranges"
"""The folder in `output_dir` with the ranges: `ranges/1000/3-of-8`, and `ranges/1000-1200/3-of-8` for 200 more."""


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


def ranges_folder(config: Config, before: int = 0) -> Path:
    """Return the folder of all ranges of the cells up to `generation.samples`, of which the run has `before`."""
    return config.output / _folder(config, before)


def range_config(config: Config, part: Range, before: int = 0) -> Config:
    """Return the configuration that generates a range in a folder of its own below `output_dir`.

    `before`: the number of cells that the run has before its ranges, which share the rest. Near-duplicates are found
    when the ranges are merged, and the cells of `generation.test` are generated after that. Raises `ConfigError` if the
    run has no fixed number of cells.
    """
    generation = config.generation
    if generation.samples is None or generation.accepted is not None:
        raise ConfigError(
            "generation.samples: ranges expect the number of cells that they share, and no generation.accepted; in a "
            "refresh, refresh.samples and no refresh.accepted"
        )
    cells = generation.samples - before
    if cells < part.count:
        raise ConfigError(f"generation.samples: {part.count} ranges expect at least as many cells, got {cells}")
    folder = f"{_folder(config, before)}/{part.number}-of-{part.count}"
    near_duplicates = config.filters.near_duplicates.model_copy(update={"enabled": False})
    return config.model_copy(
        update={
            "output_dir": f"{config.output_dir}/{folder}",
            "work_dir": config.work_dir and str(Path(config.work_dir) / folder),
            "generation": generation.model_copy(update={"samples": len(part.cells(cells)), "test": None}),
            "filters": config.filters.model_copy(update={"near_duplicates": near_duplicates}),
        }
    )


def _folder(config: Config, before: int) -> str:
    samples = config.generation.samples
    return f"{FOLDER}/{before}-{samples}" if before else f"{FOLDER}/{samples}"
