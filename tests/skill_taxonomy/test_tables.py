"""Taxonomies from CSV, TSV, JSON and JSON lines."""

import json
from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import MAX_TEXT_CHARS

TEXT = "Reading pages, many of them."
SKILL = {"name": "web scraping", "category": "data", "definition": TEXT, "aliases": ("a", "b c")}
JSON = json.dumps(SKILL)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("a.csv", 'name,category,definition,aliases\nweb scraping,data,"Reading pages, many of them.",a|b c\n'),
        (
            "b.csv",
            "\ufeffName;Category;Definition;Aliases\r\n"
            'web scraping;data;"Reading pages, many\r\nof them.";"a\r\nb c"\r\n',
        ),
        ("c.csv", f"sep=;\nname;category;definition;aliases\n\nweb scraping;data;{TEXT};a|b c"),
        ("d.TSV", f"name\tcategory\tdefinition\taliases\tnote\nweb scraping\tdata\t{TEXT}\ta|b c"),
        ("e.json", f"[{JSON}]"),
        ("f.json", f'{{"skills": [{JSON}]}}'),
        ("g.jsonl", "\n" + json.dumps(SKILL | {"aliases": "a|b c", "example": None}) + "\n"),
    ],
)
def test_each_format_gives_the_same_skill(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_bytes(text.encode())
    [skill] = load_taxonomy(tmp_path / file).skills
    assert skill.model_dump(exclude_defaults=True) == SKILL


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.csv", "name,definition\na,b,c\n", ":2: 3 cells, the first row has 2"),
        ("a.csv", 'name,definition\na,"b\n', ":2: is not CSV: "),
        ("a.csv", "label\na\n", ":1: there is no column 'name' for the name of a skill, found 'label'; "),
        ("a.csv", "name,name\na,b\n", ":1: the column 'name' comes twice"),
        ("a.csv", "name,definition\na,x\n,y\n", ":3: column 'name': String should have at least 1 character"),
        ("a.csv", 'name,definition\na,"x\ny"\nA,y\n', ":4: column 'name': 'A' is already in line 2"),
        (
            *("a.csv", f"name,definition\na,{'y' * 110_000}\n"),
            ":2: column 'definition': has 110,000 characters, expected at most 2,000",
        ),
        (
            *("a.csv", f"name,definition\na,{'y' * 140_000}\n"),
            ":2: column 'definition': has 140,000 characters, expected at most 2,000",
        ),
        ("a.csv", "", ":1: there is no column 'name'"),
        ("a.csv", "name\n", ":1: skills: expected a list of at least 1, got 0"),
        ("a.tsv", "name\tsplit\na\thidden\n", ":2: column 'split': Input should be 'train'"),
        ("a.json", '[{"name": "a"},\n {"name": 5}]', ":2: column 'name': Input should be a valid string"),
        ("a.json", '[{"name": "a"},\n 5]', ":2: expected an object with the keys of a skill, in entry 2"),
        ("a.json", '{"skills": [\n{"name": "a", "definiton": "x"}]}', ":2: skills[0].definiton: unknown key"),
        ("a.json", '[{"name": "a",}]', ":1: is not JSON: "),
        ("a.json", "5", ": expected a mapping"),
        ("a.jsonl", '{"name": "a"}\n\n{"name": "b}\n', ":3: is not JSON: "),
    ],
)
def test_a_fault_names_file_line_and_column(tmp_path: Path, file: str, text: str, message: str) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_taxonomy(tmp_path / file)
    assert str(caught.value).startswith(f"taxonomy: {tmp_path / file}{message}")
    assert "\n" not in str(caught.value)


def test_an_encoding_that_is_not_utf_8_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("name\ncaf\u00e9\n".encode("cp1252"))
    with pytest.raises(ConfigError, match="is not UTF-8, save it in that encoding"):
        load_taxonomy(tmp_path / "a.csv")


def test_the_export_of_esco_is_read_by_its_columns_and_takes_query_types_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "skills_en.csv").write_text(
        "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,"
        "scopeNote,definition,inScheme,description\n"
        'KnowledgeSkillCompetence,uri,skill/competence,cross-sector,manage staff,"lead staff\nmanage people",,released,'
        '2024,,,scheme,"Assign tasks\nto people."\n'
    )
    columns = {"name": "preferredLabel", "aliases": "altLabels", "definition": "description", "category": "skillType"}
    config = {"source": str(tmp_path / "skills_en.csv"), "columns": columns, "themes": "builtin:instruct"}
    taxonomy = source_taxonomy(TaxonomyConfig.model_validate(config))
    [skill] = taxonomy.skills
    assert (skill.name, skill.aliases) == ("manage staff", ("lead staff", "manage people"))
    assert (skill.definition, skill.category) == ("Assign tasks to people.", "skill/competence")
    assert len(taxonomy.query_types) == 22


def test_a_yaml_file_has_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"skills:\n- name: a\n  example: {'x' * (MAX_TEXT_CHARS + 1)}\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:3: skills\[0\]\.example: has 2,001 characters, expected"):
        load_taxonomy(tmp_path / "a.yaml")
