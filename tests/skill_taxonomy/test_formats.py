"""Taxonomy files: saving and loading are inverse, and errors name the place in the file."""

from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.formats import load_taxonomy, parse_taxonomy, read_taxonomy, save_taxonomy
from skillmill.skill_taxonomy.sources import builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic

SMALL = Taxonomy(
    name="small",
    source="a person",
    skills=(
        Skill(
            name="irony", category="literary", definition="Saying: the opposite, # and meaning it.", example="“Nice.”"
        ),
        Skill(name="yes", aliases=("no", "on"), common=True, split="test"),
    ),
    topics=(Topic(name="1984"), Topic(name="Café")),
    query_types=(QueryType(name="how-to", min_words=60),),
)


@pytest.mark.parametrize("taxonomy", [SMALL, builtin("language")], ids=["small", "language"])
def test_a_file_gives_back_what_was_saved(taxonomy: Taxonomy, tmp_path: Path) -> None:
    save_taxonomy(taxonomy, tmp_path / "taxonomy.yaml")
    assert load_taxonomy(tmp_path / "taxonomy.yaml") == taxonomy
    assert [path.name for path in tmp_path.iterdir()] == ["taxonomy.yaml"]


def test_a_file_is_made_for_people(tmp_path: Path) -> None:
    save_taxonomy(SMALL, tmp_path / "taxonomy.yaml")
    text = (tmp_path / "taxonomy.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Skills, topics")
    assert "Café" in text
    assert "split: train" not in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"skills": [{"name": "a", "definiton": "x"}]},
            "skills[0].definiton: unknown key, expected one of name, category, definition",
        ),
        (
            {"skills": [{"name": "a"}], "topic": []},
            "topic: unknown key, expected one of name, source, skills, topics, query_types",
        ),
        ({"skills": [{"name": ["a"]}]}, "skills[0].name: Input should be a valid string"),
        ({"skills": [{"name": "a", "common": "perhaps"}]}, "skills[0].common: Input should be a valid boolean"),
        ({"skills": [{"definition": "x"}]}, "skills[0].name: Field required"),
        ({"skills": []}, "skills: expected a list of at least 1, got 0"),
        ({"skills": [{"name": "a b"}, {"name": "c"}, {"name": "A_B"}]}, "skills[2].name: 'A_B' is already skills[0]"),
        ({"skills": [{"name": "a"}], "query_types": [{"name": "q", "min_words": -1}]}, "query_types[0].min_words: "),
        (["a", "b"], "expected a mapping"),
        (None, "expected a mapping"),
    ],
)
def test_bad_content_is_named_with_its_place(content: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_taxonomy(content, "mine.yaml")
    assert str(caught.value).startswith("taxonomy: mine.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"skills: [", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"skills: !!python/name:os.system", "is not YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_taxonomy(tmp_path / "bad.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# mine\nskills:\n- name: a\n  definiton: x\n", ":4: skills[0].definiton: unknown key"),
        ("skills:\n- name: a\n\n- category: c\n", ":4: skills[1].name: Field required"),
        ("skills: [{name: a}, {name: b,\n  split: hidden}]\n", ":2: skills[1].split: Input should be 'train'"),
        (
            "skills:\n- name: a b\n- name: c\n- category: d\n  name: A_B\n",
            ":5: skills[2].name: 'A_B' is already skills[0]",
        ),
        ("skills:\n- name: a\ntopics: []\nskills:\n- name: b\n", ":4: is not YAML: the key 'skills' comes twice"),
        ("skills:\n- name: a\n   name: b\n", ":3: is not YAML: "),
        ("skills:\n- irony\n", ":2: skills[0]: expected a section of keys and values"),
        ("skills: []\n", ":1: skills: expected a list of at least 1, got 0"),
        ("skills:\n- name: 2020-13-77\n", ": is not YAML: month must be in 1..12"),
        ("topics: 3\nskills:\n- name: a\n", ":1: topics: expected a list"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(tmp_path / "mine.yaml")
    assert str(caught.value).startswith(f"taxonomy: {tmp_path / 'mine.yaml'}{message}")


def test_a_name_may_come_twice_where_duplicates_are_looked_for() -> None:
    twice = "skills:\n- name: irony\n- name: Irony\n"
    assert [skill.name for skill in read_taxonomy(twice, "twice.yaml", duplicates=True).skills] == [
        "irony",
        "Irony",
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml: No such file"):
        load_taxonomy(tmp_path / "none.yaml")


def test_a_file_with_any_other_ending_is_read_as_yaml(tmp_path: Path) -> None:
    for name in ("mine.yaml", "mine.yml", "mine.txt", "mine"):
        (tmp_path / name).write_text("skills: [{name: irony}]")
        assert [skill.name for skill in load_taxonomy(tmp_path / name).skills] == ["irony"]
