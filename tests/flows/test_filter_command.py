"""Stored rows are decided again as a run with the new settings would have decided them, and nothing is asked."""

import html
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml
from graded_runs import run_to_the_export

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.records import text_of
from skillmill.flows.cli.main import main
from skillmill.flows.config import Config, load_config
from skillmill.flows.pipeline import run
from skillmill.flows.steps.export import export_step
from skillmill.flows.steps.filter import filter_step
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.report import report_step

TAXONOMY = {
    "skills": [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcdef"],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}
STRICTER = {"repetition": {"max_compression": 2.28}, "refusal": {"enabled": False}}


class Runs:
    """`runs("out", filters={...})` is the configuration of a run in that directory, with one server for all."""

    def __init__(self, folder: Path, server: Any) -> None:
        self.folder, self.server = folder, server
        (folder / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))

    def __call__(self, output_dir: str, **sections: Any) -> Config:
        teacher = {"kind": "openai", "model": "scripted", "base_url": self.server.base_url, "max_in_flight": 4}
        content = {
            "output_dir": output_dir,
            "taxonomy": "mine.yaml",
            "teacher": teacher | {"sampling": {"max_tokens": 600}},
            "generation": {"samples": 12, "shard_rows": 5, "keep": "final"},  # drafts would replace what fails here
            "pairs": {"sources": ["draft", "brevity"], "tolerance": 1.0},  # scores of nonsense are a coin's
        }
        path = self.folder / "skillmill.yaml"
        path.write_text(yaml.safe_dump(content | sections))
        return load_config(path)


@pytest.fixture
def runs(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.chdir(tmp_path)
    return Runs(tmp_path, scripted_server(bad="doing c"))  # every cell with skill c is a bad request


def data(config: Config) -> dict[str, bytes]:
    """Every file that is data; run.json, the report and the versions tell how it was made."""
    files = [path for path in sorted(config.output.rglob("*")) if path.is_file() and ".work" not in path.parts]
    told = {"run.json", "report.html", "overrides.jsonl", "versions.jsonl", "version.json", "README.md"}
    return {str(path.relative_to(config.output)): path.read_bytes() for path in files if path.name not in told}


def rows(config: Config, configuration: str = "sft") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "export" / configuration).to_pylist()
    return found


def say_so(config: Config, *lines: dict[str, Any]) -> None:
    (config.output / "overrides.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


@pytest.mark.usefixtures("messages_on_stderr")
def test_deciding_again_by_the_same_settings_changes_no_byte(runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    config = runs("out")
    run(config)
    before = data(config)
    filter_step(config)
    assert "12 rows decided again, 0 now accepted, 0 now rejected" in capfd.readouterr().err
    assert data(config) == before


@pytest.mark.parametrize("kind", ["instruct_skill_mix", "skill_mix"])
def test_a_run_after_an_edit_of_the_filters_is_a_fresh_run_without_its_calls(runs: Runs, kind: str) -> None:
    topics = {**TAXONOMY, "topics": [{"name": "Knots"}, {"name": "Bees"}]}
    (runs.folder / "mine.yaml").write_text(yaml.safe_dump(topics))
    sections = {"generation": {"kind": kind, "samples": 12, "shard_rows": 5, "generations": 2}}
    fresh = runs("fresh", filters=STRICTER, **sections)
    run_to_the_export(fresh)
    edited = runs("edited", **sections)
    run_to_the_export(edited)
    before, asked = data(edited), runs.server.stats()["asked"]
    assert before != data(fresh)
    run_to_the_export(runs("edited", filters=STRICTER, **sections))
    assert data(edited) == data(fresh)
    new = runs.server.stats()["asked"] - asked
    newly_accepted = {row["id"] for row in rows(edited)}
    refused = {row["cell"] for row in rows(edited, "rejected") if "bad_request" in row["reasons"]}
    # Brevity pairs of rows that were rejected before, the cells that got no answer, and no row again.
    assert new <= len(newly_accepted) + len(refused)
    run_to_the_export(runs("edited", **sections))
    assert data(edited) == before


def test_the_command_alone_rewrites_the_shards_and_the_export_follows(runs: Runs) -> None:
    config = runs("out")
    run(config)
    asked, pairs = runs.server.stats()["asked"], rows(config, "preference")
    stricter = runs("out", filters=STRICTER)
    filter_step(stricter)
    export_step(stricter)
    assert runs.server.stats()["asked"] == asked
    accepted = {text_of(row["prompt"]) for row in rows(config)}
    left = rows(config, "preference")
    assert 0 < len(left) < len(pairs)
    assert {text_of(pair["prompt"]) for pair in left} <= accepted
    assert all(row["reasons"] == ["bad_request"] for row in rows(config, "rejected") if "skill c" in row["skills"])


def test_on_the_command_line(runs: Runs, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config = runs("out", generation={"samples": 3})

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["skillmill", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    assert call("filter", "-c", "skillmill.yaml") == 1
    assert capfd.readouterr().err == (
        "skillmill: out holds no run yet: run `skillmill run` or `skillmill generate` first\n"
    )
    run(config)
    capfd.readouterr()
    assert call("filter", "-c", "skillmill.yaml", "--set", "filters.too_short.min_instruction_words=99") == 0
    assert "filter: 3 rows decided again, 0 now accepted" in capfd.readouterr().err
    assert call("filter", "-c", "skillmill.yaml", "--set", "filters.safety.action=shout") == 2
    assert capfd.readouterr().err.startswith("skillmill: filters.safety.action: ")


class Died(Exception):
    pass


@pytest.mark.parametrize("step", [0, 2, 3, 5, 8, 13])
def test_a_crash_at_any_durable_step_is_mended_by_the_next_run(
    runs: Runs, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = runs("out", pairs={"sources": ["draft"], "tolerance": 1.0})
    run(config)
    as_it_was = data(config)
    stricter = runs("out", pairs={"sources": ["draft"], "tolerance": 1.0}, filters=STRICTER)
    count, real_sync, real_replace = iter(range(step)), os.fsync, Path.replace

    def last_step(real: Any, *args: Any) -> Any:
        if next(count, None) is None:
            raise Died
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: last_step(real_sync, fd))
        patch.setattr(Path, "replace", lambda self, target: last_step(real_replace, self, target))
        with pytest.raises(Died):
            filter_step(stricter)
    if step % 2:
        run(config)  # the settings were taken back: what was rewritten is found
        assert data(config) == as_it_was
    else:
        run(stricter)
        fresh = runs("fresh", pairs={"sources": ["draft"], "tolerance": 1.0}, filters=STRICTER)
        run(fresh)
        assert data(stricter) == data(fresh) != as_it_was


@pytest.mark.usefixtures("messages_on_stderr")
def test_a_person_has_the_last_word(runs: Runs, capfd: pytest.CaptureFixture[str]) -> None:
    config = runs("out", generation={"samples": 30, "shard_rows": 12, "keep": "final"})
    run(config)
    before, good = data(config), rows(config)[0]
    refused = next(row for row in rows(config, "rejected") if row["completion"])
    unanswered = next(row for row in rows(config, "rejected") if not row["completion"])
    say_so(
        config,
        {"id": good["id"], "verdict": "rejected", "note": "wrong about bees"},
        {"id": refused["id"], "verdict": "accepted"},
        {"id": unanswered["id"], "verdict": "accepted"},
        {"id": "feedfeed", "verdict": "rejected"},
    )
    export_step(config)
    said = capfd.readouterr().err
    assert "overrides.jsonl:4: no row feedfeed in this plan" in said
    assert f"overrides.jsonl:3: row {unanswered['id']} has no answer, it stays rejected" in said
    kept, fallen = {row["id"]: row for row in rows(config)}, {row["id"]: row for row in rows(config, "rejected")}
    assert fallen[good["id"]]["reasons"] == ["override"]
    assert kept[refused["id"]]["reasons"] == refused["reasons"]
    assert unanswered["id"] in fallen
    assert text_of(good["prompt"]) not in {text_of(pair["prompt"]) for pair in rows(config, "preference")}

    run(config)  # now with pairs of what was accepted by hand
    assert text_of(refused["prompt"]) in {text_of(pair["prompt"]) for pair in rows(config, "preference")}
    filter_step(config)
    assert {row["id"] for row in rows(config)} == set(kept)

    (config.output / "overrides.jsonl").write_bytes(b"\xef\xbb\xbf")  # what an editor of Windows leaves
    run(config)
    assert data(config) == before


def test_a_word_about_a_row_that_is_not_there_yet_counts_when_it_comes(runs: Runs) -> None:
    first = runs("first")
    run(first)
    chosen = rows(first)[0]["id"]
    later = runs("later")
    later.output.mkdir()
    say_so(later, {"id": chosen, "verdict": "rejected"})
    run(later)
    assert chosen in {row["id"] for row in rows(later, "rejected")}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "overrides.jsonl:2: expected an object such as"),
        ("[]", "overrides.jsonl:2: expected an object such as"),
        ('{"id": "a", "verdict": "maybe"}', "overrides.jsonl:2: verdict: input should be 'accepted' or 'rejected'"),
        ('{"id": 7, "verdict": "accepted"}', "overrides.jsonl:2: id: input should be a valid string"),
        ('{"verdict": "accepted"}', "overrides.jsonl:2: id: field required"),
        ('{"id": "a", "verdict": "accepted", "why": ""}', "overrides.jsonl:2: why: unknown key"),
    ],
)
def test_a_bad_line_is_named_and_nothing_changes(runs: Runs, line: str, complaint: str) -> None:
    config = runs("out", generation={"samples": 3})
    run(config)
    before = data(config)
    (config.output / "overrides.jsonl").write_text(f'{{"id": "a", "verdict": "accepted"}}\n{line}\n')
    for step in (filter_step, export_step, generate_step):
        with pytest.raises(ConfigError) as error:
            step(config)
        assert str(error.value).startswith(complaint)
    assert data(config) == before


def test_what_is_masked_is_in_no_text_that_leaves_the_run(runs: Runs) -> None:
    (runs.folder / "mine.yaml").write_text(yaml.safe_dump({**TAXONOMY, "topics": [{"name": "a note to eva@kiosk.de"}]}))
    sections: dict[str, Any] = {"generation": {"kind": "skill_mix", "samples": 8}, "pairs": {"sources": ["draft"]}}
    config = runs("out", **sections)
    run_to_the_export(config)

    def texts() -> list[str]:
        everything = [*rows(config), *rows(config, "rejected"), *rows(config, "preference")]
        return [
            text_of(row[column]) for row in everything for column in ("prompt", "completion", "chosen") if column in row
        ] + [row["topic"] for row in everything if row.get("topic")]

    assert any("a note to [e-mail address]" in text for text in texts())
    assert not any("eva@kiosk.de" in text for text in texts())
    assert all(row["signals"]["personal_data"] == 1 for row in rows(config))
    run_to_the_export(runs("out", **sections, filters={"safety": {"enabled": False}}))  # nothing is lost
    assert any("eva@kiosk.de" in text for text in texts())
    run_to_the_export(runs("out", **sections, filters={"safety": {"action": "reject"}}))
    assert rows(config) == []
    assert all("safety" in row["reasons"] for row in rows(config, "rejected") if row["completion"])


def test_filters_of_your_own_lie_beside_the_configuration(runs: Runs) -> None:
    (runs.folder / "house_rules.py").write_text(
        "import asyncio\n"
        "def plain(instruction, response, row):\n"
        "    assert row['signals']['words'] > 0 and row['k'] == 2\n"
        "    return ['mentions\\n the river'] if 'river' in response else []\n"
        "async def waits(instruction, response, row):\n"
        "    await asyncio.sleep(0)\n"
        "    return () if 'engine' not in instruction else ('engine',)\n"
    )
    config = runs("out")
    run(config)
    house = runs("out", filters={"custom": ["house_rules:plain", "house_rules:waits"]})
    run(house)
    everything = rows(config) + rows(config, "rejected")
    for row in everything:
        answer, question = text_of(row["completion"]), text_of(row["prompt"])
        assert ("custom:mentions the river" in row["reasons"]) == ("river" in answer)
        assert ("custom:engine" in row["reasons"]) == (bool(answer) and "engine" in question)
    assert any("custom:mentions the river" in row["reasons"] for row in everything)
    before = data(house)
    filter_step(house)
    assert data(house) == before
    report_step(house, None)
    assert "custom:mentions the river" in (house.output / "report.html").read_text()


def test_a_reason_of_your_own_that_quotes_the_answer_is_masked(runs: Runs) -> None:
    body = "def quote(instruction, response, row):\n    return [f'ask eva@kiosk.de {{{{ 1 }}}}']\n"
    (runs.folder / "quoting.py").write_text(body)
    config = runs("out", generation={"samples": 3}, filters={"custom": ["quoting:quote"]})
    run_to_the_export(config)
    said = "custom:ask [e-mail address] {{ 1 }}"
    assert all(said in row["reasons"] for row in rows(config, "rejected") if row["completion"])
    told = [config.output / name for name in ("report.html", "run.json", "export/README.md")]
    assert all(said in page and "eva@" not in page for page in (html.unescape(path.read_text()) for path in told))


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("raise ValueError('no\\nidea')", r"bad_\d+:judge failed on row [0-9a-f]{16}: ValueError: no idea"),
        ("return 'rude'", r"bad_\d+:judge: expected a list of reasons \(strings\) for row [0-9a-f]{16}, got 'rude'"),
        ("return [1]", r"bad_\d+:judge: expected a list of reasons \(strings\)"),
        ("return None", r"bad_\d+:judge: expected a list of reasons \(strings\) for row [0-9a-f]{16}, got None"),
        ("yield 'rude'; raise ValueError('late')", r"bad_\d+:judge failed on row [0-9a-f]{16}: ValueError: late"),
    ],
)
def test_a_filter_of_your_own_that_fails_is_one_line_that_names_it(runs: Runs, body: str, complaint: str) -> None:
    name = f"bad_{len(body)}"  # a module is imported once in a process
    (runs.folder / f"{name}.py").write_text(f"def judge(instruction, response, row):\n    {body}\n")
    with pytest.raises(SkillmillError, match=rf"^filters\.custom: {complaint}") as error:
        run(runs("out", filters={"custom": [f"{name}:judge"]}))
    assert error.value.exit_code == 1
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nowhere:judge", "filters.custom: nowhere:judge: there is no "),
        ("os:nothing", "filters.custom: os:nothing: there is no function nothing in os"),
        ("os:sep", "filters.custom: os:sep: there is no function sep in os"),
        ("os", "filters.custom: expected package.module:function, got 'os'"),
    ],
)
def test_a_filter_that_cannot_be_imported_ends_it_before_anything_is_asked(
    runs: Runs, name: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as error:
        run(runs("out", filters={"custom": [name]}))
    assert str(error.value).startswith(complaint)
    assert runs.server.stats()["asked"] == 0
