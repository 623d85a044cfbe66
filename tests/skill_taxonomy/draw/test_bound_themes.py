"""Query types that go with one category of skills: exactly their cells are counted and drawn."""

from itertools import combinations as all_subsets

import numpy as np
import pytest

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.draw.combinations import Combinations
from skillmill.skill_taxonomy.draw.thinning import CategoryMix
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, canonical, fingerprint

TYPES = {"any kind": None, "about fish": "Fish", "about birds": "birds", "about rocks": "rocks"}


def taxonomy(fish: int = 4, birds: int = 3, trees: int = 2) -> Taxonomy:
    sizes = {"fish": fish, "birds": birds, "trees": trees}
    skills = [Skill(name=f"{name} {i}", category=name) for i in range(5) for name, size in sizes.items() if i < size]
    return Taxonomy(
        skills=tuple(skills),
        query_types=tuple(QueryType(name=name, category=category) for name, category in TYPES.items()),
    )


def plan(tax: Taxonomy, k: int, categories: CategoryMix = "any", **more: object) -> Combinations:
    return Combinations(tax, "instruct_skill_mix", "query_type", {k: 1.0}, 7, categories=categories, **more)  # type: ignore[arg-type]


def expected(tax: Taxonomy, k: int, categories: CategoryMix) -> set[tuple[frozenset[str], str]]:
    """Return all cells by trying every subset with every query type."""
    cells = set()
    for subset in all_subsets(tax.skills, k):
        of_subset = [skill.category for skill in subset]
        if (categories == "same" and len(set(of_subset)) > 1) or (
            categories == "different" and len(set(of_subset)) < k
        ):
            continue
        for query_type in tax.query_types:
            if query_type.category is None or canonical(query_type.category) in of_subset:
                cells.add((frozenset(skill.name for skill in subset), query_type.name))
    return cells


@pytest.mark.parametrize("categories", ["any", "same", "different"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_plan_has_exactly_the_cells_whose_query_type_goes_with_a_skill(k: int, categories: CategoryMix) -> None:
    cells = plan(taxonomy(), k, categories)
    wanted = expected(taxonomy(), k, categories)
    drawn = [
        (frozenset(skill.name for skill in cell.skills), cell.query_type.name)
        for cell in cells.cells()
        if cell.query_type
    ]
    assert len(drawn) == len(wanted) == cells.size == cells.survivors == cells.space[k]
    assert set(drawn) == wanted


@pytest.mark.parametrize("categories", ["any", "same", "different"])
@pytest.mark.parametrize("balanced", [False, True])
def test_cells_in_bulk_are_those_at_single_positions(categories: CategoryMix, balanced: bool) -> None:
    cells = plan(taxonomy(), 2, categories, balanced=balanced)
    skills, themes = cells.bulk(0, cells.size)
    for i, cell in enumerate(map(cells.__getitem__, range(cells.size))):
        assert cell is not None
        assert {cells.skills[j] for j in skills[i]} == set(cell.skills)
        assert cells.themes[themes[i]] == cell.query_type


def test_a_balanced_plan_has_every_query_type_once_in_each_block_and_ends_with_the_rarest() -> None:
    cells = plan(taxonomy(), 2, balanced=True)
    _, themes = cells.bulk(0, cells.size)
    blocks = themes.reshape(-1, 3)  # no skill has the category of the fourth type
    assert {tuple(sorted(block)) for block in blocks.tolist()} == {tuple(np.unique(themes).tolist())}
    assert len(blocks) == 21  # pairs with a bird: 3 of birds alone, 3 * 6 with another
    assert len(set(cells.cells())) == cells.size


@pytest.mark.parametrize("categories", ["any", "same", "different"])
def test_weights_keep_the_computed_share_of_the_cells(categories: CategoryMix) -> None:
    tax = taxonomy(5, 5, 5)
    weights = {"fish 0": 0.5, "birds 1": 0.25, "trees 2": 0.5}
    cells = plan(tax, 2, categories, weights=weights)

    def product(names: frozenset[str]) -> float:
        return float(np.prod([weights.get(name, 1.0) for name in names]))

    wanted = sum(product(names) for names, _ in expected(tax, 2, categories))
    assert cells.survivors == pytest.approx(wanted, abs=4 * wanted**0.5)
    assert cells._share_kept == pytest.approx(wanted / cells.size)


def test_a_taxonomy_without_a_query_type_for_its_skills_is_an_error() -> None:
    tax = taxonomy().model_copy(update={"query_types": (QueryType(name="about rocks", category="rocks"),)})
    with pytest.raises(ConfigError, match="no category of a query type has skills"):
        plan(tax, 2)


def test_query_types_without_a_category_change_no_plan() -> None:
    assert fingerprint(source_taxonomy(TaxonomyConfig(source="builtin:instruct"))) == INSTRUCT
    bound = taxonomy()
    free = bound.model_copy(update={"query_types": tuple(QueryType(name=name) for name in TYPES)})
    assert fingerprint(bound) != fingerprint(free)


INSTRUCT = "701f9de8a04d2e4e3a3629970fa56ad7ae804bf53fb69bc08196b721b8bc587d"
"""The fingerprint that builtin:instruct had before query types had categories."""
