"""Duplicates are found, written to a plan that a person amends, and merged with the rest of the file unchanged."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skillmill.data.errors import ConfigError
from skillmill.data.inputs.yaml_file import LineNumbers
from skillmill.skill_taxonomy.curation.duplicates import find_duplicates
from skillmill.skill_taxonomy.curation.edit import edit_text
from skillmill.skill_taxonomy.curation.merge import MergePlan, apply_plan, load_plan, plan_text, propose_plan
from skillmill.skill_taxonomy.curation.similarity import LEXICAL, SkillVectors, skill_vectors
from skillmill.skill_taxonomy.formats import read_taxonomy
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import Skill, Taxonomy, canonical

FILE = """\
# my skills
name: mine
skills:
  # people
  - name: conflict resolution skills   # from the first list
    definition: Settling a quarrel so that both sides can live with it.
    split: test
  - name: conflict resolution          # the better name
    example: "The café's owners took turns: \\"you first\\"."
  - {name: irony, category: literary}

  # twice in the list
  - name: Irony
    definition: >
      Saying the opposite
      of what is meant.
topics:
- name: Bees
- name: bee
query_types: [{name: how-to}, {name: how to}, {name: why}]
# the end
"""


def skills(*names: str) -> tuple[Skill, ...]:
    return tuple(Skill(name=name) for name in names)


def duplicates_of(*names: str) -> list[tuple[list[str], str]]:
    entries = skills(*names)
    groups = find_duplicates(entries, skill_vectors(entries, LEXICAL))
    return [([names[place] for place in group.places], group.why) for group in groups]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["irony", "Irony"], "same name"),
        (["budget_planning", "budget planning"], "same name"),
        (["water resource management", "water resources management"], "inflected"),
        (["budgeting", "budgets"], "inflected"),
        (["conflict resolution", "conflict resolution skills"], "head word"),
        (["conflict resolution", "conflict resolution techniques"], "head word"),
        (["marketing promotion", "marketing and promotion"], "head word"),
        (["problem solving", "solving problems"], "head word"),
        (["data visualization", "data visualisation"], "similar"),
    ],
)
def test_the_duplicates_of_published_lists_are_found_with_the_reason(names: list[str], why: str) -> None:
    """Pairs of the kinds that the lists of Instruct-SkillMix hold."""
    assert duplicates_of(*names, "soil chemistry", "tax law") == [(names, why)]
    assert duplicates_of("soil chemistry", *reversed(names))[0][1] == why


def test_a_group_of_many_is_one_group_and_keeps_the_shortest_name() -> None:
    names = [
        "conflict_resolution techniques",
        "conflict resolution skills",
        "conflict resolution",
        "conflicts resolution",
    ]
    assert duplicates_of(*names) == [([names[2], names[3], names[0], names[1]], "inflected, head word")]


def test_aliases_join_skills() -> None:
    entries = (Skill(name="irony", aliases=("verbal irony",)), Skill(name="sarcasm"), Skill(name="Verbal Irony"))
    assert [(group.places, group.why) for group in find_duplicates(entries)] == [((0, 2), "alias")]


def test_the_built_in_skills_have_no_duplicates() -> None:
    language = builtin("language").skills
    assert find_duplicates(language, skill_vectors(language, LEXICAL)) == []


def test_nothing_is_similar_by_way_of_a_third() -> None:
    angles = np.deg2rad([0, 20, 40, 60])  # neighbours have cosine 0.94, the next but one 0.77
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    groups = find_duplicates(skills("a", "b", "c", "d"), SkillVectors(rows, "angles", 0.9))
    assert [(group.places, round(group.similarity or 0, 2)) for group in groups] == [((0, 1), 0.94), ((2, 3), 0.94)]


def test_five_thousand_skills_are_compared() -> None:
    """Comparing all pairs one by one would run into the timeout of every test, on any machine."""
    rng = random.Random(0)
    words = "plan budget market water energy soil food travel law music design software garden speech proof".split()
    many = tuple(
        Skill(name=f"{rng.choice(words)} {rng.choice(words)} {i}", definition=" ".join(rng.choices(words, k=10)))
        for i in range(5000)
    )
    groups = find_duplicates(many, skill_vectors(many, LEXICAL), threshold=0.97)
    assert len(groups) < 100


def plan_of(tmp_path: Path, text: str = FILE) -> tuple[Taxonomy, Path]:
    taxonomy = read_taxonomy(text, "mine.yaml", duplicates=True)
    path = tmp_path / "plan.yaml"
    path.write_text(
        plan_text(propose_plan(taxonomy, skill_vectors(taxonomy.skills, LEXICAL)), taxonomy, "mine.yaml", "n-grams")
    )
    return taxonomy, path


def test_a_plan_is_for_reading_and_says_the_same_when_read_back(tmp_path: Path) -> None:
    taxonomy, path = plan_of(tmp_path)
    text = path.read_text()
    assert "# Duplicates in mine.yaml, compared by n-grams." in text
    assert "# conflict resolution skills: Settling a quarrel" in text
    plan, _ = load_plan(path)
    assert plan == propose_plan(taxonomy, skill_vectors(taxonomy.skills, LEXICAL))
    assert [(group.keep, group.merge, group.why) for group in plan.skills] == [
        ("conflict resolution", ("conflict resolution skills",), "head word"),
        ("irony", ("Irony",), "same name"),
    ]
    assert [(group.keep, group.merge) for group in plan.topics] == [("Bees", ("bee",))]
    assert [(group.keep, group.merge) for group in plan.query_types] == [("how-to", ("how to",))]


def test_merging_keeps_names_as_aliases_and_the_rest_of_the_file_as_it_is(tmp_path: Path) -> None:
    taxonomy, path = plan_of(tmp_path)
    plan, lines = load_plan(path)
    after = apply_plan(taxonomy, plan, "plan.yaml", lines)
    kept = after.skills[0]
    assert (kept.name, kept.aliases) == ("conflict resolution", ("conflict resolution skills",))
    assert kept.definition.startswith("Settling")
    assert kept.example.startswith("The café")
    assert kept.split == "test"  # one of them was held out: the merged one must not be trained on
    assert after.skills[1].definition.startswith("Saying the opposite")
    text, commented = edit_text(FILE, taxonomy, after)
    assert commented
    assert read_taxonomy(text, "mine.yaml") == after
    for line in ("# my skills", "  # people", "# the better name", "  # twice in the list", "# the end"):
        assert line in text
    assert "first list" not in text  # that entry is gone
    assert text.count("\n") < FILE.count("\n") + 3


def test_an_amended_plan_is_what_is_applied(tmp_path: Path) -> None:
    taxonomy, path = plan_of(tmp_path)
    path.write_text(
        "skills:\n- {keep: conflict resolution skills, merge: [conflict resolution]}\n- {keep: irony, merge: [irony]}\n"
        "topics:\n"
    )
    after = apply_plan(taxonomy, *arguments(path))
    assert [skill.name for skill in after.skills] == ["conflict resolution skills", "irony"]
    assert len(after.topics) == 2


def arguments(path: Path) -> tuple[MergePlan, str, LineNumbers]:
    plan, lines = load_plan(path)
    return plan, str(path), lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("skills:\n- keep: irony\n  merge:\n  - sarcasm\n", ":4: skills[0].merge[0]: 'sarcasm' is not in the taxonomy"),
        ("skills:\n- {keep: nothing, merge: [irony]}\n", ":2: skills[0].keep: 'nothing' is not in the taxonomy"),
        ("skills:\n- {keep: irony, merge: [irony]}\n- {keep: conflict resolution, merge: [Irony]}\n", ":3: skills[1]"),
        ("skills:\n- {keep: conflict resolution, merge: [conflict resolution]}\n", ":2: skills[0].merge: only one"),
        ("topics: []\n", ": skills would still have 'irony' twice"),
        ("skills:\n- keep: irony\n", ":2: skills[0].merge: Field required"),
        ("skills:\n- {keep: irony, merge: []}\n", ":2: skills[0].merge: "),
        ("skils: []\n", ":1: skils: Extra inputs"),
        ("- irony\n", ": expected a mapping"),
        ("skills: [", ":2: is not YAML"),
    ],
)
def test_a_plan_that_does_not_fit_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    taxonomy, path = plan_of(tmp_path)
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        apply_plan(taxonomy, *arguments(path))
    assert f"plan.yaml{message}" in str(caught.value)


def test_a_definition_cannot_break_out_of_the_plans_comments(tmp_path: Path) -> None:
    wicked = "x\nskills: []\r\x85topics: [a]\u2028# \x00".replace("\x00", "")
    taxonomy = Taxonomy(skills=(Skill(name="irony", definition=wicked), Skill(name="ironies", definition=wicked)))
    path = tmp_path / "plan.yaml"
    plan = propose_plan(taxonomy, skill_vectors(taxonomy.skills, LEXICAL))
    path.write_text(plan_text(plan, taxonomy, "f\nname: x", "n-grams"))
    assert load_plan(path)[0] == plan


NAMES = st.text("abé :#'\"-[]{},&*!|>%@`?", min_size=1, max_size=8).filter(lambda name: name.strip() == name and name)


@given(st.lists(NAMES, min_size=2, max_size=8, unique_by=canonical), st.data(), st.booleans(), st.booleans())
def test_editing_any_file_gives_exactly_what_was_meant(
    names: list[str], data: st.DataObject, flow: bool, split_first: bool
) -> None:
    before = Taxonomy(
        skills=tuple(Skill(name=n, definition=f"is {n}", split="test" if split_first else "train") for n in names)
    )
    text = "# kept\n" + yaml.dump(
        before.model_dump(mode="json", exclude_defaults=True),
        default_flow_style=flow,
        allow_unicode=True,
        sort_keys=False,
    )
    stays = data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names)).filter(any))
    after = before.model_copy(
        update={
            "skills": tuple(
                skill.model_copy(
                    update={"split": "validation", "aliases": ("other name", "é: [x]"), "definition": "new # one"}
                )
                for skill, stay in zip(before.skills, stays, strict=True)
                if stay
            )
        }
    )
    changed, commented = edit_text(text, before, after)
    assert read_taxonomy(changed, "") == after
    assert commented
    assert changed.startswith("# kept\n")


def test_a_file_with_anchors_is_written_anew_and_says_so() -> None:
    text = "# lost\nskills:\n- &a {name: irony}\n- name: meiosis\n- *a\n"
    before = read_taxonomy(text, "", duplicates=True)
    after = before.model_copy(update={"skills": before.skills[:2]})
    changed, commented = edit_text(text, before, after)
    assert read_taxonomy(changed, "") == after
    assert commented == ("# lost" in changed)


def test_a_model_that_is_not_there_is_one_line_at_once(tmp_path: Path) -> None:
    """The hub's own client would try again and again, aloud, where nobody answers: port 9."""
    pytest.importorskip("sentence_transformers")
    hub = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path), "no_proxy": "*"}
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")} | hub
    command = [sys.executable, "-m", "skillmill.flows.cli", "taxonomy", "merge", "builtin:language"]
    command += ["--plan", str(tmp_path / "plan.yaml"), "--model", "nobody/nothing"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "skillmill: --model nobody/nothing: cannot be loaded: it is not in the cache, and http"
    )
    assert len(ended.stderr.splitlines()) == 1
