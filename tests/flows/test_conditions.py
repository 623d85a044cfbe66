"""`generation.weights` and `generation.categories`: in the plan, checked against the taxonomy, seen in the cells."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.store import sample_store
from skillmill.flows.config import parse_config
from skillmill.flows.plan import Plan, changed_keys, make_plan
from skillmill.flows.rows.generate import next_cells
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy

TAXONOMY = Taxonomy(
    skills=tuple(Skill(name=f"skill {i}", category=f"category {i % 3}") for i in range(9)),
    query_types=(QueryType(name="how-to"), QueryType(name="why")),
)


def plan(**generation: Any) -> Plan:
    return make_plan(parse_config({"generation": {"samples": 5, **generation}}), TAXONOMY)


def test_both_are_in_the_fingerprint_and_named_when_they_change() -> None:
    plain, heavy, mixed = plan(), plan(weights={"skill 1": 2}), plan(categories="different")
    assert len({plain.fingerprint, heavy.fingerprint, mixed.fingerprint}) == 3
    assert changed_keys(plain.parts, heavy) == ["generation.weights"]
    assert changed_keys(plain.parts, mixed) == ["generation.categories"]


def test_a_run_goes_on_behind_a_gap(tmp_path: Path) -> None:
    heavy = plan(weights={"skill 1": 4, "skill 2": 4})
    store = sample_store(tmp_path)
    cells = list(next_cells(store, heavy, 0, None))
    indices = [cell.index for cell in cells]
    assert len(cells) == heavy.combinations.survivors < heavy.combinations.size
    assert indices == sorted(set(indices))
    assert [cell.index for cell in next_cells(store, heavy, indices[3] + 1, 4)] == indices[4:8]


def test_a_category_mix_is_seen_in_the_cells() -> None:
    for categories, count in (("same", 1), ("different", 2)):
        for cell in islice(plan(categories=categories).combinations.cells(), 20):
            assert len({skill.category for skill in cell.skills}) == count


@pytest.mark.parametrize(
    ("generation", "message"),
    [
        ({"samples": 19, "categories": "same"}, r"generation\.samples: 19 cells asked for, .* has 18"),
        ({"samples": 72, "weights": {"skill 1": 2}}, r"generation\.samples: 72 cells asked for, .* has \d+"),
        ({"weights": {"skill one": 2}}, r"generation\.weights: 'skill one' is no skill of the taxonomy"),
        ({"weights": {"skill 1": -1}}, r"generation\.weights\.skill 1: Input should be greater than or equal to 0"),
        ({"weights": {"skill 1": float("inf")}}, r"generation\.weights\.skill 1: Input should be a finite number"),
        ({"categories": "mixed"}, r"generation\.categories: Input should be 'any', 'same' or 'different'"),
        (
            {"k": 4, "categories": "different"},
            r"generation\.categories: 4 skills of different categories .* there are 3",
        ),
        ({"weights": {f"skill {i}": 0 for i in range(8)}}, r"generation\.k: 2 is larger than the number of skills, 1"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(generation: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(**generation)
