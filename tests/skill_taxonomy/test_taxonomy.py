"""The taxonomy model: fingerprint and order."""

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
