"""The held-out cells that a task asks for, in a form that the tools store, and the metrics of the answers to a cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pydantic import TypeAdapter

from skillmill.data.store import sample_store
from skillmill.flows.commands.evaluate import held_out_of
from skillmill.flows.config import Config, load_config, parse_config
from skillmill.flows.runtime.remote_output import reads_output
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.train.evaluation.answers import ANSWER_SCHEMA, AnswerRow, who_grades
from skillmill.train.evaluation.config import EvaluateConfig, GraderName
from skillmill.train.evaluation.held_out import HeldOutCell, held_out_cells
from skillmill.train.evaluation.points import read_points
from skillmill.train.evaluation.skill_mix_metrics import METRICS, Bootstrap, skill_mix_metrics
from skillmill.train.evaluation.trained_on import TrainedOn

_CELL = TypeAdapter(HeldOutCell)


@dataclass(frozen=True)
class HeldOut:
    """What a task asks: the cells of an evaluation, its settings, and who grades the answers."""

    settings: EvaluateConfig
    cells: list[HeldOutCell]
    graded_by: GraderName


def held_out(config: str | None, **options: Any) -> HeldOut:
    """Return the cells of a configuration file or, without one, of `options` alone.

    `options` are keys of `evaluate`, and `seed`; None leaves the value of the file, or the default. With a file, the
    cells are those of `skillmill evaluate`: training has not seen them. Raises `ConfigError`.
    """
    given = {key: value for key, value in options.items() if value is not None}
    for key in ("k", "splits"):
        if key in given and not isinstance(given[key], list):
            given[key] = [given[key]]
    if config is not None:
        places = [(key if key == "seed" else f"evaluate.{key}", value) for key, value in given.items()]
        loaded = load_config(Path(config), [f"{key}={orjson.dumps(value).decode()}" for key, value in places])
        settings, cells = _of_a_run(loaded)
    else:
        seed = given.pop("seed", Config.model_fields["seed"].default)
        loaded = parse_config({"seed": seed, "evaluate": given})
        settings = loaded.evaluate or EvaluateConfig()
        source = TaxonomyConfig(source=settings.taxonomy) if settings.taxonomy else TaxonomyConfig()
        cells = held_out_cells(settings, source_taxonomy(source), TrainedOn(), loaded.seed)
    return HeldOut(settings, cells, who_grades(settings, cells))


@reads_output
def _of_a_run(config: Config) -> tuple[EvaluateConfig, list[HeldOutCell]]:
    settings = config.evaluate or EvaluateConfig()
    _, _, cells = held_out_of(config, settings, sample_store(config.output))
    return settings, cells


def stored(cell: HeldOutCell) -> dict[str, Any]:
    """Return a cell as plain values, from which `restored` makes it again."""
    plain: dict[str, Any] = _CELL.dump_python(cell, mode="json")
    return plain


def restored(plain: dict[str, Any]) -> HeldOutCell:
    """Return the cell that `stored` made plain values of."""
    return _CELL.validate_python(plain)


def metrics_of_cell(rows: Sequence[AnswerRow]) -> dict[str, float] | None:
    """Return Full Marks, All Skills and Skill Fraction of the rows of one cell, each the best of its texts.

    Returns None if no text has points.
    """
    if not any(row["points"] for row in rows):
        return None
    points = read_points(pa.Table.from_pylist(list(rows), schema=ANSWER_SCHEMA))
    overall = skill_mix_metrics(points.gradings, points.generations, bootstrap=Bootstrap(draws=1))["overall"]
    return {name: float(overall["best"][name]["value"]) for name in METRICS}
