"""`skillmill export`: further formats by option and configuration, and what the card says about a configuration."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from skillmill.data.export.card.facts import CheckFacts, ModelFacts
from skillmill.flows.config import load_config
from skillmill.flows.steps.card_facts import card_facts
from skillmill.flows.steps.taxonomy import existing_taxonomy

CommandLine = Callable[..., tuple[int, str, str]]
SKILLS = [{"name": f"skill {letter}", "category": "style", "definition": f"Doing {letter}."} for letter in "abcdef"]
TAXONOMY = {
    "source": "a book",
    "license": "CC-BY-4.0",
    "skills": SKILLS,
    "query_types": [{"name": "How-to", "definition": "wants steps"}],
}


def write(folder: Path, address: str, **sections: Any) -> Path:
    (folder / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))
    teacher = {"kind": "openai", "model": "scripted", "base_url": address, "sampling": {"max_tokens": 600}}
    content = {"output_dir": "out", "taxonomy": "mine.yaml", "generation": {"samples": 6}, "teacher": teacher}
    path = folder / "skillmill.yaml"
    path.write_text(yaml.safe_dump(content | sections))
    return path


def formats(folder: Path) -> set[str]:
    return {path.parent.name for path in (folder / "out/export/formats").glob("*/train-v0001-*.jsonl")}


def test_formats_of_options_add_to_those_of_the_configuration(
    tmp_path: Path, scripted_server: Callable[..., Any], command_line: CommandLine
) -> None:
    write(tmp_path, scripted_server().base_url, export={"formats": ["openai"]})
    assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    assert formats(tmp_path) == {"openai"}
    before = (tmp_path / "out/versions.jsonl").read_bytes()
    code, _, told = command_line("export", "-c", "skillmill.yaml", "--format", "alpaca", "--format", "openai", "--json")
    assert code == 0, told
    assert formats(tmp_path) == {"alpaca", "openai", "json"}
    assert (tmp_path / "out/versions.jsonl").read_bytes() == before
    [file] = (tmp_path / "out/export/formats/alpaca").iterdir()
    assert all(set(json.loads(line)) == {"instruction", "input", "output"} for line in file.read_bytes().splitlines())
    card = (tmp_path / "out/export/README.md").read_text()
    assert "`formats/` has the rows of `sft` as JSON Lines in other forms: openai, alpaca, json." in card
    assert "| taxonomy's source | a book |" in card
    assert "| taxonomy's licence | CC-BY-4.0 |" in card

    code, _, told = command_line("export", "-c", "skillmill.yaml", "--format", "parquet")
    assert code == 2
    assert "export.formats" in told and "'alpaca', 'sharegpt', 'openai' or 'json'" in told
    assert formats(tmp_path) == {"alpaca", "openai", "json"}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, {"languages": ("en",), "grader": None, "source_datasets": ("original",), "k": {2: 1.0}}),
        ({"generation": {"language": {"German": 0.5, "Chinese": 0.5}}}, {"languages": ("zh", "de")}),
        (
            {"grading": {"when": "always"}, "grader": {"kind": "openai", "model": "g", "base_url": "http://h/v1"}},
            {"grader": ModelFacts("g")},
        ),
        (
            {"taxonomy": {"source": "dataset", "dataset": "someone/chats"}},
            {"source_datasets": ("original", "extended|someone/chats")},
        ),
        ({"taxonomy": {"source": "dataset", "dataset": "rows.csv"}}, {"source_datasets": ("original",)}),
        (
            {
                "filters": {
                    "contamination": {"sets": ["own.csv:text"], "drop": None},
                    "near_duplicates": {"threshold": 0.5},
                }
            },
            {"checks": CheckFacts(0.5, ("own",), None, True)},
        ),
        (
            {"filters": {"near_duplicates": {"enabled": False}, "safety": {"enabled": False}}},
            {"checks": CheckFacts(None, (), 13, False)},
        ),
        ({"export": {"validation": 0.1, "formats": ["json"]}}, {"validation": 0.1, "formats": ("json",)}),
    ],
)
def test_the_facts_are_those_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], expected: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, "http://127.0.0.1:9/v1", **sections)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/taxonomy.yaml").write_text(yaml.safe_dump(TAXONOMY))
    config = load_config(path, ["teacher.license=mit", "teacher.engine_args={revision: abc}"])
    facts = card_facts(config, existing_taxonomy(config), ("p",))
    assert facts.teacher == ModelFacts("scripted", "mit", "abc")
    assert facts.taxonomy.skills == {"style": tuple(skill["name"] for skill in SKILLS)}
    assert facts.taxonomy.query_types == ("How-to",)
    assert {name: getattr(facts, name) for name in expected} == expected
