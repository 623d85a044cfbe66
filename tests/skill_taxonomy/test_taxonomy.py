"""The taxonomy model: fingerprint, order and licence."""

from pathlib import Path

from skillmill.skill_taxonomy.formats import load_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic, fingerprint, ordered

SMALL = Taxonomy(
    skills=(Skill(name="irony", definition="Saying the opposite and meaning it."), Skill(name="yes", aliases=("no",))),
    topics=(Topic(name="1984"), Topic(name="Café")),
    query_types=(QueryType(name="how-to", min_words=60),),
)


def test_the_order_in_the_file_is_not_in_the_fingerprint_but_definitions_are() -> None:
    turned = SMALL.model_copy(update={"skills": SMALL.skills[::-1]})
    assert fingerprint(turned) == fingerprint(SMALL)
    assert ordered(turned) == ordered(SMALL)
    changed = SMALL.model_copy(
        update={"skills": (SMALL.skills[0].model_copy(update={"definition": "x"}), SMALL.skills[1])}
    )
    assert fingerprint(changed) != fingerprint(SMALL)


def test_the_licence_is_not_in_the_fingerprint_and_survives_the_file(tmp_path: Path) -> None:
    licensed = SMALL.model_copy(update={"license": "CC-BY-4.0"})
    assert fingerprint(licensed) == fingerprint(SMALL)
    save_taxonomy(licensed, tmp_path / "mine.yaml")
    assert load_taxonomy(tmp_path / "mine.yaml").license == "CC-BY-4.0"


def test_the_built_in_lists_state_their_licence() -> None:
    assert {builtin(name).license for name in ("language", "instruct", "checkable")} == {"Apache-2.0"}
