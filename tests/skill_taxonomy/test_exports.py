"""Exports of ESCO and O*NET, in exactly the form in which they are published, with the documented columns."""

from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.flows.cli.options import table_columns
from skillmill.flows.commands.taxonomy_edit import split_taxonomy
from skillmill.flows.commands.taxonomy_show import check_taxonomy
from skillmill.skill_taxonomy.formats import load_taxonomy
from skillmill.skill_taxonomy.sources import TaxonomyConfig, source_taxonomy
from skillmill.skill_taxonomy.taxonomy import Skill

ESCO_COLUMNS = {
    "name": "preferredLabel",
    "aliases": "altLabels",
    "definition": "description",
    "category": "skillType",
}
ESCO = (
    "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,altLabels,hiddenLabels,status,modifiedDate,"
    "scopeNote,definition,inScheme,description\n"
    "KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/0005c151,skill/competence,sector-specific,"
    'manage musical staff,"manage staff of music\ncoordinate duties of musical staff",,released,'
    '2023-11-30T15:53:37.136Z,,,"http://data.europa.eu/esco/concept-scheme/skills, '
    'http://data.europa.eu/esco/concept-scheme/member-skills","Assign tasks, in areas such as ""scoring"".\n\n'
    'Manage them too."\n'
    "KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/00064735,knowledge,cross-sector,Haskell,"
    '"Haskell techniques\nhaskell programming",,released,2023-11-30T15:53:37.136Z,"A note.","Not read.",scheme,'
    "The techniques of software development.\n"
    "KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/000709ed,,,cafe\u0301 service,,,released,,,,x,Serve.\n"
    "KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/00070a00,knowledge,,HASKELL,,,released,2023,,,x,More.\n"
    "KnowledgeSkillCompetence,http://data.europa.eu/esco/skill/00070a01,knowledge,,Caf\u00e9 service,,,,,,,x,More.\n"
)
ONET_COLUMNS = {"name": "Element Name"}
ONET = (
    "O*NET-SOC Code\tElement ID\tElement Name\tScale ID\tData Value\tN\tStandard Error\tLower CI Bound\t"
    "Upper CI Bound\tRecommend Suppress\tNot Relevant\tDate\tDomain Source\n"
    "11-1011.00\t2.A.1.a\tReading Comprehension\tIM\t4.12\t8\t0.13\t3.88\t4.37\tN\tn/a\t07/2014\tAnalyst\n"
    "11-1011.00\t2.A.1.a\tReading Comprehension\tLV\t4.75\t8\t0.16\t4.43\t5.07\tN\tN\t07/2014\tAnalyst\n"
    "11-1011.00\t2.A.1.b\tActive Listening\tIM\t4.12\t8\t0.13\t3.88\t4.37\tN\tn/a\t07/2014\tAnalyst\n"
    "13-2011.00\t2.A.1.a\tReading Comprehension\tIM\t3.88\t8\t0.13\t3.63\t4.12\tN\tn/a\t07/2014\tAnalyst\n"
)


def written(folder: Path, name: str, text: str, line_end: str, mark: str) -> Path:
    (folder / name).write_bytes((mark + text.replace("\n", line_end)).encode())
    return folder / name


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_esco(tmp_path: Path, caplog: pytest.LogCaptureFixture, line_end: str, mark: str) -> None:
    path = written(tmp_path, "skills_en.csv", ESCO, line_end, mark)
    config = {"source": str(path), "columns": ESCO_COLUMNS, "themes": "builtin:instruct"}
    assert source_taxonomy(TaxonomyConfig.model_validate(config)).skills == (
        Skill(
            name="manage musical staff",
            category="skill/competence",
            definition='Assign tasks, in areas such as "scoring". Manage them too.',
            aliases=("manage staff of music", "coordinate duties of musical staff"),
        ),
        Skill(
            name="Haskell",
            category="knowledge",
            definition="The techniques of software development.",
            aliases=("Haskell techniques", "haskell programming"),
        ),
        Skill(name="cafe\u0301 service", definition="Serve."),
    )
    assert [message for message in caplog.messages if "repeat" in message] == [
        f"taxonomy: {path}: 2 of 5 rows repeat the name of an earlier row and are not read"
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_onet(tmp_path: Path, caplog: pytest.LogCaptureFixture, line_end: str, mark: str) -> None:
    path = written(tmp_path, "Skills.tsv", ONET, line_end, mark)
    names = [skill.name for skill in load_taxonomy(path, ONET_COLUMNS).skills]
    assert names == ["Reading Comprehension", "Active Listening"]
    assert f"taxonomy: {path}: 2 of 4 rows repeat the name of an earlier row and are not read" in caplog.messages


def test_a_repeated_name_in_a_table_without_columns_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name\nirony\nIrony\n")
    with pytest.raises(ConfigError, match=r"a\.csv:3: column 'name': 'Irony' is already in line 2"):
        load_taxonomy(tmp_path / "a.csv")


def test_commands_take_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "Skills.tsv", ONET, "\r\n", "")
    columns = table_columns(["name=Element Name"])
    assert check_taxonomy(str(path), columns) == 1
    assert f"{path}:4: error: Active Listening: has no definition" in capsys.readouterr().out
    split_taxonomy(str(path), "skill", {}, 1, ["Active Listening"], tmp_path / "out.yaml", False, columns)
    assert [skill.split for skill in load_taxonomy(tmp_path / "out.yaml").skills] == ["train", "test"]


@pytest.mark.parametrize("pair", ["name", "name=", "nme=x", "=x", ""])
def test_a_column_of_no_field_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match=f"^--column {pair}: expected FIELD=COLUMN, once for each field"):
        table_columns([pair])
