"""Evaluation sets in a run: rows that hold their texts fall, now and when decided again; faults come first."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from example_rows import example_row

from skillmill.data.records import Sample, text_of
from skillmill.data.text.ngrams import normal_words
from skillmill.filters.contamination.shared_ngrams import shared_ngrams
from skillmill.filters.rows.safety import mask
from skillmill.flows.cli.main import main
from skillmill.flows.config import Config, load_config
from skillmill.flows.pipeline import run
from skillmill.flows.report.overlap import shared_lines

TAXONOMY = {
    "skills": [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcde"],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}


class Runs:
    """`runs("out", sets=[...])` is the configuration of a run in that directory, with one server for all."""

    def __init__(self, folder: Path, server: Any) -> None:
        self.folder, self.server = folder, server
        (folder / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))

    def __call__(self, output_dir: str, sets: list[Any], taxonomy: Any = "mine.yaml") -> Config:
        teacher = {"kind": "openai", "model": "scripted", "base_url": self.server.base_url, "max_in_flight": 4}
        content = {
            "output_dir": output_dir,
            "taxonomy": taxonomy,
            "teacher": teacher | {"sampling": {"max_tokens": 600}},
            "generation": {"samples": 8, "shard_rows": 5, "keep": "final"},  # drafts would replace what fails here
            "filters": {"contamination": {"sets": sets}},
        }
        path = self.folder / "skillmill.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    def evaluation_set(self, texts: list[str]) -> None:
        (self.folder / "eval.jsonl").write_text("".join(json.dumps({"q": text}) + "\n" for text in texts))


@pytest.fixture
def runs(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Runs:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # the sets lie beside the configuration, not here
    return Runs(tmp_path, scripted_server())


def rows(config: Config, configuration: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "export" / configuration).to_pylist()
    return found


def shards(config: Config) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (config.output / "shards").iterdir()}


def test_rows_that_hold_a_text_of_a_set_fall_now_and_later(runs: Runs) -> None:
    free = runs("free", [])
    run(free)
    quoted = rows(free, "sft")[0]
    runs.evaluation_set([text_of(quoted["completion"])])
    fresh = runs("fresh", ["eval.jsonl:q"])
    run(fresh)
    [fallen] = [row for row in rows(fresh, "rejected") if "contamination" in row["reasons"]]
    assert (fallen["prompt"], fallen["completion"]) == (quoted["prompt"], quoted["completion"])
    signals = {name: value for name, value in fallen["signals"].items() if value is not None}
    [told] = shared_ngrams(text_of(fallen["prompt"]), text_of(fallen["completion"]), signals)
    assert told.evaluation_set == "eval"
    assert told.words == " ".join(normal_words(text_of(quoted["completion"]))[:13])
    page = (fresh.output / "report.html").read_text()
    assert f"shared with eval: {told.ngrams} n-grams, “{told.words}”" in page
    assert '<tr><td>eval</td><td class="n">1</td><td class="n">1</td></tr>' in page

    asked = runs.server.stats()["asked"]
    decided_again = runs("free", ["eval.jsonl:q"])
    run(decided_again)
    assert shards(decided_again) == shards(fresh)
    runs.evaluation_set(["another text that no answer of this teacher holds, whatever it is asked to write about"])
    run(runs("free", ["eval.jsonl:q"]))  # a set that changes is a filter that changes
    assert quoted["id"] in {row["id"] for row in rows(free, "sft")}
    assert runs.server.stats()["asked"] == asked


def test_words_of_a_row_with_something_to_hide_are_not_told() -> None:
    signals = [("evaluation_ngrams:eval", 1.0), ("evaluation_place:eval", 1.0), ("evaluation_words:eval", 8.0)]
    said = "write to me at joan at home or joan@orchard.net about the bees"
    row = example_row(Sample("", said, signals=dict(signals)))
    assert shared_lines(row, str) == ["eval: 1 n-grams, “write to me at joan at home or”"]
    assert shared_lines(row, mask) == ["eval: 1 n-grams"]


@pytest.mark.parametrize("command", ["run", "generate", "preview"])
def test_a_set_that_cannot_be_had_is_told_before_the_teacher_is_asked(
    runs: Runs, command: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = {"source": "teacher", "domain": "bees"}
    runs("out", ["gsm8k", "eval.jsonl:q"], taxonomy="mine.yaml" if command == "preview" else asks)
    monkeypatch.setattr(sys, "argv", ["skillmill", command, "-c", str(runs.folder / "skillmill.yaml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("skillmill: filters.contamination.sets.gsm8k: openai/gsm8k cannot be loaded: ")
    assert runs.server.stats()["asked"] == 0


def test_a_preview_leaves_no_index_behind(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.evaluation_set(["what does a well kept hive of bees hold in a wet June, and why"])
    config = runs("out", ["eval.jsonl:q"])
    monkeypatch.setattr(sys, "argv", ["skillmill", "preview", "-n", "1", "-c", str(runs.folder / "skillmill.yaml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert not config.output.exists()


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["gsm9k"], "filters.contamination.sets[0]: expected FILE:COLUMN, a mapping"),
        (
            [{"dataset": "a/b", "column": "q", "spilt": "test"}],
            "sets[0].spilt: unknown key, expected one of name, dataset",
        ),
        ([{"dataset": "a/b"}], "filters.contamination.sets[0].column: Field required"),
    ],
)
def test_the_complaint_names_the_set(
    runs: Runs, sets: list[Any], message: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (runs.folder / "skillmill.yaml").write_text(yaml.safe_dump({"filters": {"contamination": {"sets": sets}}}))
    monkeypatch.setattr(sys, "argv", ["skillmill", "plan", "-c", str(runs.folder / "skillmill.yaml")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capfd.readouterr().err
