"""The `taxonomy:` block of the configuration, and findings of `taxonomy check`."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.skill_taxonomy.curation.check import find_faults
from skillmill.skill_taxonomy.sources import TaxonomyConfig, builtin
from skillmill.skill_taxonomy.taxonomy import QueryType, Skill, Taxonomy, Topic


def test_an_unknown_list_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"there is no builtin:langage, expected one of checkable, .*language"):
        builtin("langage")
    with pytest.raises(ConfigError, match=r"no builtin:\.\./cells"):
        builtin("../cells")


@pytest.mark.parametrize(
    "source", ["builtin:language", "teacher", "mine.yaml", "a/b.yml", "skills.csv", "skills.TSV", "a.jsonl"]
)
def test_sources(source: str) -> None:
    assert TaxonomyConfig(source=source).source == source


def test_paths_are_relative_to_the_configuration_and_names_of_the_hub_stay(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    config = TaxonomyConfig(source="mine.yaml", documents=("a.md",), seed_skills="seeds.yaml", dataset="rows")
    found = config.relative_to(tmp_path)
    paths = (found.source, *found.documents, found.seed_skills, found.dataset)
    assert paths == tuple(str(tmp_path / name) for name in ("mine.yaml", "a.md", "seeds.yaml", "rows"))
    for name, path in {"allenai/tulu": "allenai/tulu", "none.csv": str(tmp_path / "none.csv")}.items():
        assert TaxonomyConfig(source="dataset", dataset=name).relative_to(tmp_path).dataset == path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"source": "dataset"}, "expected a name on the Hugging Face hub, a file or a folder, found none"),
        ({"source": "techer"}, "expected builtin:NAME, a file \\(.yaml, .*.jsonl\\), teacher or dataset, got 'techer'"),
        ({"seed_skills": "mine.txt"}, "expected a list of names, or a taxonomy file \\(.*.jsonl\\), got 'mine.txt'"),
        ({"seed_skills": [""]}, "at least 1 character"),
        ({"skills": 3}, "greater than or equal to 4"),
        ({"examples": 1}, "greater than or equal to 2"),
        ({"topics": 1}, "greater than or equal to 2"),
        ({"skill": 3}, "Extra inputs"),
    ],
)
def test_bad_configuration_says_what_was_expected(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TaxonomyConfig.model_validate(content)


def test_check_finds_what_a_person_should_see() -> None:
    taxonomy = Taxonomy(
        skills=(
            Skill(name="irony", definition="Irony is meant.", example="Nice."),
            Skill(name="time management", definition="Spending hours well.", example="She sleeps."),
            Skill(name="time managing skills", definition="Spending hours well.", example="She sleeps."),
            Skill(name="time management techniques", definition="Spending hours well.", example="She sleeps."),
            Skill(name="bread, butter", definition="", example=""),
        ),
        topics=(Topic(name="Cat"), Topic(name="Cats")),
        query_types=(QueryType(name="how-to"),),
    )
    found = {(finding.severity, finding.entry, finding.message) for finding in find_faults(taxonomy)}
    assert ("warning", "irony", "the definition contains the name") in found
    assert ("warning", "time management techniques", "is nearly the same name as 'time management'") in found
    assert ("error", "bread, butter", "has no definition") in found
    assert ("warning", "bread, butter", "has no example") in found
    assert ("error", "bread, butter", "the name 'bread, butter' has a comma, where lists of names are split") in found
    assert ("warning", "Cats", "is nearly the same name as 'Cat'") in found
    assert ("error", "how-to", "has no definition") in found
