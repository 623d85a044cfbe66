"""Reading of a table of points, from any source, into the gradings that `skill_mix_metrics` takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skillmill.data.errors import ConfigError
from skillmill.train.evaluation.columns import (
    EXPECTED,
    REQUIRED,
    Mask,
    fold_points,
    label_codes,
    point_matrix,
    read_keys,
    read_labels,
    read_lists,
    row_error,
)
from skillmill.train.evaluation.skill_mix_metrics import Gradings
from skillmill.train.evaluation.skill_names import Naming, deduct_named_skills, has_any_skill, skills_named


@dataclass(frozen=True)
class PointsTable:
    """The arguments of `skill_mix_metrics`, and how many gradings and points were left out of them.

    `gradings` has one element per k, in ascending order, with the same codes in all. `unusable`: gradings without
    points (the grader's reply could not be read). `excluded`: gradings of combinations with an excluded skill.
    `deducted`: points deducted from skills that the text names. `excluded_skills`: the names of the excluded skills.
    """

    gradings: list[Gradings]
    generations: list[str]
    skills: list[str]
    categories: list[str]
    unusable: int
    excluded: int
    deducted: int
    excluded_skills: list[str]


def read_points(
    table: pa.Table, exclude: Sequence[str] = (), naming: Naming = "ignore", known_skills: Sequence[str] = ()
) -> PointsTable:
    """Return the gradings of a table with the columns of `EXPECTED`; those after `points` are optional.

    Lists may be text, as in CSV files ("[1, 0, 1, 1]" or "1,0,1,1"). `points` may also be one number per row, in k + 3
    rows per grading. Combinations with a skill of `exclude` are left out, see `skills_named`; its names are skills of
    the table or of `known_skills`. Raises `ConfigError` with the column and the row, or with an unknown name of
    `exclude`.
    """
    check_columns(table.column_names, exclude, naming)
    if not table.num_rows:
        raise ConfigError("points: the table has no rows")
    table = fold_points(table.select([name for name in EXPECTED if name in table.column_names]).combine_chunks())
    keys = read_keys(table)
    if (repeated := keys.codes.duplicated().to_numpy()).any():
        raise row_error("grading", keys, repeated, "is in the table twice")

    points = read_lists(table, "points", pa.float64())
    labels = {name: read_labels(table, name) for name in ("skills", "category") if name in table.column_names}
    usable = pc.fill_null(pc.list_value_length(points), 0).to_numpy() > 0
    excluded_skills, excluded = list[str](), np.zeros(len(usable), bool)
    if exclude:
        of_table = _distinct_values(labels["skills"], np.ones(len(usable), bool))
        excluded_skills = skills_named(exclude, [*of_table, *known_skills])
        excluded = has_any_skill(labels["skills"], excluded_skills)
    used = usable & ~excluded
    if not used.any():
        raise ConfigError("points: no grading with points is left")
    names = {name: _distinct_values(lists, used) for name, lists in labels.items()}
    gradings, deducted = [], 0
    for k in np.unique(keys.codes["k"][used]).tolist():
        rows = np.flatnonzero(used & (keys.codes["k"] == k))
        codes = {name: label_codes(lists, names[name], keys, rows, name, k) for name, lists in labels.items()}
        of_k = Gradings(
            point_matrix(points, keys, rows, k),
            keys.codes["combination"].to_numpy()[rows],
            keys.codes["generation"].to_numpy()[rows],
            codes.get("skills"),
            codes.get("category"),
        )
        if naming != "ignore":
            texts = pc.fill_null(table["response"].cast(pa.string()), "").take(rows).to_pylist()
            deducted += deduct_named_skills(of_k, names["skills"], texts, naming)
        gradings.append(of_k)
    return PointsTable(
        gradings,
        keys.names["generation"],
        names.get("skills", []),
        names.get("category", []),
        unusable=int((~usable).sum()),
        excluded=int((usable & excluded).sum()),
        deducted=deducted,
        excluded_skills=excluded_skills,
    )


def check_columns(columns: Sequence[str], exclude: Sequence[str], naming: Naming) -> None:
    """Raise `ConfigError` if a table with these columns lacks one that is needed."""
    needed = [*REQUIRED, *(["skills"] if exclude or naming != "ignore" else [])]
    needed += ["response"] if naming != "ignore" else []
    for name in needed:
        if name not in columns:
            found = ", ".join(columns) or "none"
            raise ConfigError(f"{name}: there is no such column (expected {EXPECTED[name]}); the table has {found}")


def _distinct_values(lists: pa.ListArray, used: Mask) -> list[str]:
    values: list[str] = pc.unique(pc.drop_null(pc.list_flatten(lists.filter(pa.array(used))))).to_pylist()
    return values
