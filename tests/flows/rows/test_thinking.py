"""What a reasoning teacher thought is kept in the rows and exported as asked, without asking the teacher again."""

import shutil
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from graded_runs import Runs, all_rows, data, rows, run_to_the_export

from skillmill.data.schemas import SAMPLE_SCHEMA
from skillmill.data.store import ShardStore, sample_store
from skillmill.flows.config import Config
from skillmill.flows.refresh.refresh import refresh
from skillmill.flows.steps.export import export_step
from skillmill.generators.conversation import PROMPTS

THOUGHT = "Let me {think} first."

NEW = ("thinking", "draft_thinking")


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "instruct_skill_mix"))


@pytest.fixture
def thinking_runs(runs: Runs, scripted_server: Callable[..., Any], kind: str) -> Callable[..., Config]:
    runs.teacher = scripted_server(think="tags" if kind == "skill_mix" else "field")

    def config(thinking: str, **export: Any) -> Config:
        return runs("out", generation={"kind": kind, "samples": 6}, export={"thinking": thinking, **export})

    return config


def forget_thinking(config: Config) -> None:
    """Rewrite the shards as the version of the columns before thinking wrote them."""
    old_schema = pa_schema_without_thinking()
    shards = sample_store(config.output)
    old = ShardStore(config.output, "shards", old_schema)
    for shard in shards.shards:
        before = [{**row, "schema_version": 3} for row in shards.rows(shard).to_pylist()]
        old.commit(shard.plan, shard.start, shard.stop, before, shard.cells, shard.accepted)
    old.tidy()


def pa_schema_without_thinking() -> Any:
    for name in NEW:
        assert name in SAMPLE_SCHEMA.names
    schema = SAMPLE_SCHEMA
    for name in NEW:
        schema = schema.remove(schema.get_field_index(name))
    return schema


@pytest.mark.parametrize("kind", ["skill_mix", "instruct_skill_mix"], indirect=True)
def test_thinking_is_kept_and_exported_as_asked_without_a_request(
    thinking_runs: Callable[..., Config], runs: Runs, kind: str
) -> None:
    config = thinking_runs("drop", validation=0.2)
    run_to_the_export(config)
    asked = runs.asked
    stored = {row["id"]: row for row in all_rows(config)}
    assert {row["thinking"] for row in stored.values() if row["completion"]} >= {THOUGHT}
    assert any(row["draft_thinking"] for row in stored.values())
    dropped = {row["id"]: row for row in rows(config)}
    assert dropped and not set(NEW) & set(next(iter(dropped.values())))

    run_to_the_export(inline := thinking_runs("inline", validation=0.2, formats=["openai"]))
    for row in rows(inline):
        (answer,), (before,) = row["completion"], dropped[row["id"]]["completion"]
        thought = stored[row["id"]]["thinking"]
        assert answer["content"] == f"<think>\n{thought}\n</think>\n\n{before['content']}"
        assert not set(NEW) & set(row)
    (text,) = {file.read_text()[:400] for file in (inline.output / "export/formats/openai").glob("train-*")}
    assert "<think>" in text

    run_to_the_export(column := thinking_runs("column", validation=0.2))
    assert {row["id"]: row["thinking"] for row in rows(column)} == {name: stored[name]["thinking"] for name in dropped}
    assert "thinking" in pq.read_schema(next((column.output / "export/rejected").glob("*.parquet"))).names
    assert "draft_thinking" not in next(iter(rows(column)))
    assert runs.asked == asked


def test_rows_of_an_earlier_version_are_refilled_from_the_journal(
    thinking_runs: Callable[..., Config], runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    config = thinking_runs("inline")
    run_to_the_export(config)
    asked, expected = runs.asked, data(config)
    forget_thinking(config)
    run_to_the_export(thinking_runs("drop"))
    assert not any("thinking" in row for row in all_rows(config))
    run_to_the_export(config)
    assert runs.asked == asked
    assert data(config) == expected
    assert "export: the thinking of 6 rows of an earlier version filled in from the journal" in caplog.text


def test_without_the_journal_the_rows_stay_as_they_are(thinking_runs: Callable[..., Config], runs: Runs) -> None:
    config = thinking_runs("column")
    run_to_the_export(config)
    asked = runs.asked
    forget_thinking(config)
    for file in config.work.rglob("*journal*"):
        if file.is_file():
            file.unlink()
    export_step(config)
    assert runs.asked == asked
    assert [row["thinking"] for row in rows(config)] == [None] * len(rows(config))


@pytest.mark.parametrize("prompts_change", [False, True])
def test_a_refresh_refills_the_rows_of_all_plans(
    prompts_change: bool, runs: Runs, scripted_server: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    runs.teacher = scripted_server(think="field")
    own = runs.folder / "prompts"
    shutil.copytree(PROMPTS / "instruct_skill_mix", own)

    def config(k: int, temperature: float, **sections: Any) -> Config:
        teacher = {"kind": "openai", "model": "teacher", "base_url": runs.teacher.base_url}
        teacher |= {"sampling": {"max_tokens": 600, "temperature": temperature}}
        generation = {"kind": "instruct_skill_mix", "samples": 6, "k": k, "prompts": str(own)}
        return runs("out", teacher=teacher, generation=generation, export={"thinking": "column"}, **sections)

    first = config(2, 0.8)
    run_to_the_export(first)
    thought = {row["id"]: row["thinking"] for row in all_rows(first)}
    assert set(thought.values()) == {THOUGHT}
    forget_thinking(first)
    if prompts_change:  # so that the requests of the first plan cannot be made again
        path = own / "response.jinja"
        path.write_text(f"Please.\n{path.read_text()}")
    second = config(3, 0.1, seed=7, refresh={"samples": 2})
    refresh(second)
    after = {row["id"]: row["thinking"] for row in all_rows(second)}
    new = after.keys() - thought.keys()
    assert len(new) == 2 and {after[name] for name in new} == {THOUGHT}
    assert {after[name] for name in thought} == {None if prompts_change else THOUGHT}
    exported = {row["id"]: row["thinking"] for row in [*rows(second), *rows(second, "rejected")]}
    assert exported.keys() & thought.keys() and all(after[name] == kept for name, kept in exported.items())
    line = "export: the thinking of 6 rows of an earlier version filled in from the journal"
    assert (line in caplog.text) != prompts_change
