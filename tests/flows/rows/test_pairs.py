"""The pairs step over a real HTTP teacher: sources, students, checks, the stress set, what is said and counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.errors import ConfigError, TeacherError
from skillmill.data.export.config import StressConfig
from skillmill.data.store import pair_store
from skillmill.flows.config import Config, parse_config
from skillmill.flows.pipeline import run
from skillmill.flows.predict import known_sizes, predict, probe
from skillmill.flows.rows.stress import draw_replacements
from skillmill.flows.runtime.workspace import open_workspace
from skillmill.flows.steps.pairs import pairs_step
from skillmill.flows.steps.taxonomy import current_plan

SKILLS = [
    {"name": f"skill {letter}", "category": "c", "definition": f"The act of doing {letter}."} for letter in "abcdef"
]
TAXONOMY = {
    "skills": SKILLS,
    "topics": [{"name": "Beekeeping"}, {"name": "Knots"}],
    "query_types": [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}],
}


@pytest.fixture
def configure(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """`configure(pairs={...})` in a working directory of its own; `server` counts what it is asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))
    server = scripted_server()

    def make(**sections: Any) -> Config:
        teacher = {"kind": "openai", "model": "scripted", "base_url": server.base_url, "max_in_flight": 4}
        content = {
            "name": "test",
            "output_dir": "out",
            "taxonomy": str(tmp_path / "mine.yaml"),
            "teacher": {**teacher, "sampling": {"max_tokens": 600}},
            "generation": {"samples": 16, "shard_rows": 5},
        }
        return parse_config(content | sections)

    make.server = server  # type: ignore[attr-defined]
    return make


def student(configure: Any, **changes: Any) -> dict[str, Any]:
    return {"kind": "openai", "model": "small", "base_url": configure.server.base_url, **changes}


def exported(config: Config, configuration: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "export" / configuration).to_pylist()
    return found


def state(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((config.output / "run.json").read_bytes())
    return found


@pytest.mark.parametrize("kind", ["instruct_skill_mix", "skill_mix"])
def test_every_source_gives_pairs_or_reasons_and_all_of_it_is_counted(configure: Any, kind: str) -> None:
    sources = ["draft", "brevity", "junk", "student", "low_grade"]
    config = configure(
        generation={"kind": kind, "samples": 16, "generations": 2, "shard_rows": 5},
        pairs={"sources": sources, "student": student(configure), "tolerance": 1.0},
        filters={"too_many_sentences": {"enabled": False}},
    )
    run(config)
    rows, pairs = exported(config, "sft"), exported(config, "preference")
    assert {pair["rejected_source"] for pair in pairs} == {"draft", "brevity", "junk", "student"}
    told = state(config)["funnel"]["preference"]
    assert set(told) == set(sources)
    for source in sources:
        assert told[source]["pairs"] + sum(told[source]["dropped"].values()) == len(rows)
        assert told[source]["pairs"] == sum(pair["rejected_source"] == source for pair in pairs)
    assert told["low_grade"]["dropped"] == {"not_graded": len(rows)}
    assert {pair["margin"] is None for pair in pairs} == {kind == "skill_mix"}
    usage = state(config)["usage"]
    assert usage["student"]["calls"] == usage["brevity"]["calls"] == len(rows)
    page = (config.output / "report.html").read_text()
    assert "Preference pairs per source" in page
    assert "the row has no grade" in page
    assert "| low_grade | not_graded |" in (config.output / "export" / "README.md").read_text()


@pytest.mark.usefixtures("messages_on_stderr")
def test_nothing_graded_is_said_in_one_line(configure: Any, capfd: pytest.CaptureFixture[str]) -> None:
    config = configure(generation={"samples": 6, "generations": 2}, pairs={"sources": ["low_grade"]})
    run(config)
    [line] = [line for line in capfd.readouterr().err.splitlines() if "low_grade gives none" in line]
    assert "grading.when" in line


def test_a_second_call_asks_nothing_and_another_source_asks_only_for_itself(configure: Any) -> None:
    config = configure(pairs={"sources": ["brevity"]})
    run(config)
    before, asked = exported(config, "preference"), configure.server.stats()["asked"]
    run(config)
    assert (exported(config, "preference"), configure.server.stats()["asked"]) == (before, asked)
    both = configure(pairs={"sources": ["brevity", "student"], "student": student(configure)})
    run(both)
    assert configure.server.stats()["asked"] == asked + len(exported(both, "sft"))
    assert [pair for pair in exported(both, "preference") if pair["rejected_source"] == "brevity"] == before


def test_another_student_is_asked_anew_and_more_of_them_at_once_changes_nothing(configure: Any) -> None:
    run(configure(pairs={"sources": ["student"], "student": student(configure)}))
    asked = configure.server.stats()["asked"]
    run(configure(pairs={"sources": ["student"], "student": student(configure, max_in_flight=2)}))
    assert configure.server.stats()["asked"] == asked
    other = configure(pairs={"sources": ["student"], "student": student(configure, model="smaller")})
    run(other)
    assert configure.server.stats()["asked"] == asked + len(exported(other, "sft"))


def test_a_student_that_is_not_there_is_named(configure: Any) -> None:
    with pytest.raises(ConfigError, match=r"^pairs\.student: expected who answers for the source `student`"):
        configure(pairs={"sources": ["student"]})
    away = student(configure, base_url="http://127.0.0.1:9/v1")
    config = configure(generation={"samples": 4}, pairs={"sources": ["student"], "student": away})
    with pytest.raises(TeacherError, match=r"^pairs\.student\.base_url: cannot reach http://127\.0\.0\.1:9/v1"):
        run(config)


def test_low_grade_with_one_answer_a_cell_is_a_contradiction(configure: Any) -> None:
    with pytest.raises(ConfigError, match=r"^pairs\.sources: low_grade .*generation\.generations .* 2, got 1"):
        configure(pairs={"sources": ["low_grade"]})


def test_a_grader_that_only_guesses_leaves_few_pairs(configure: Any) -> None:
    config = configure(pairs={"sources": ["brevity"], "check": "always", "tolerance": 1.0})
    run(config)
    told = state(config)["funnel"]["preference"]["brevity"]
    assert told["dropped"]["order_doubted"] > told["pairs"]
    assert state(config)["usage"]["compare"]["calls"] > 0


def test_dropped_pairs_lie_beside_the_others_with_their_reason(configure: Any) -> None:
    config = configure(generation={"samples": 8, "generations": 2}, pairs={"sources": ["low_grade", "brevity"]})
    run(config)
    [shard, *_] = pair_store(config.output).shards
    rows = pair_store(config.output).rows(shard).to_pylist()
    assert {row["reason"] for row in rows if row["rejected_source"] == "low_grade"} == {"not_graded"}


def test_the_stress_set_takes_the_answers_of_the_pairs(configure: Any) -> None:
    config = configure(pairs={"sources": ["brevity"], "similarity": 1.0})
    run(config)
    asked = configure.server.stats()["asked"]
    stressed = configure(pairs={"sources": ["brevity"], "similarity": 1.0}, export={"stress": {"share": 0.5}})
    run(stressed)
    assert configure.server.stats()["asked"] == asked
    sft = {row["id"]: row for row in exported(stressed, "sft")}
    stress = exported(stressed, "stress")
    replaced = [row for row in stress if row["replaced_by"]]
    assert [row["id"] for row in stress] == list(sft)
    assert len(replaced) == round(0.5 * len(sft))
    brief = {pair["prompt"][0]["content"]: pair["rejected"] for pair in exported(stressed, "preference")}
    for row in stress:
        same = row["completion"] == sft[row["id"]]["completion"]
        assert same == (row["replaced_by"] is None)
    assert all(row["completion"] == brief.get(row["prompt"][0]["content"], row["completion"]) for row in replaced)
    assert state(stressed)["funnel"]["stress"] == {"brevity": len(replaced)}


@pytest.mark.usefixtures("messages_on_stderr")
def test_the_stress_set_follows_the_rows_and_needs_no_pairs(configure: Any, capfd: pytest.CaptureFixture[str]) -> None:
    stress = {"stress": {"kind": "both", "share": 0.5}}
    config = configure(pairs={"sources": []}, export=stress, generation={"samples": 8, "shard_rows": 3})
    run(config)
    first = exported(config, "stress")
    assert {row["replaced_by"] for row in first} == {None, "brevity", "junk"}
    config = configure(pairs={"sources": []}, export=stress, generation={"samples": 16, "shard_rows": 3})
    run(config)
    second = exported(config, "stress")
    assert len(second) > len(first)
    assert sum(row["replaced_by"] is not None for row in second) == round(0.5 * len(second))
    with open_workspace(config) as workspace:
        assert len({shard.plan for shard in workspace.stress.shards}) == 1
    pairs_step(config)
    assert "answers of the stress set" in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["brevity", "junk", "both"])
def test_the_same_rows_are_drawn_for_any_kind(kind: str) -> None:
    ids = [f"{number:016x}" for number in range(1000)]
    found = draw_replacements(ids, StressConfig.model_validate({"kind": kind}), seed=3)
    assert len(found) == 200
    assert set(found) == set(draw_replacements(reversed(ids), StressConfig(), seed=3))
    assert set(found) != set(draw_replacements(ids, StressConfig(), seed=4))
    assert sorted(set(found.values())) == (["brevity", "junk"] if kind == "both" else [kind])
    assert abs(sum(number < 500 for number in (int(row, 16) for row in found)) - 100) < 30


def test_a_plan_tells_what_students_checks_and_the_stress_set_will_cost(configure: Any) -> None:
    pairs = {"sources": ["brevity", "student"], "student": student(configure), "check": "always", "share": 0.5}
    config = configure(pairs=pairs, export={"stress": {"kind": "junk"}}, generation={"samples": 20})
    plan = current_plan(config)
    stages = predict(known_sizes(config, plan), config).stages
    calls = {name: stages[name].calls for name in ("brevity", "student", "compare", "junk")}
    assert calls == {"brevity": 10, "student": 10, "compare": 40, "junk": 5}
    sizes = probe(config, plan)
    assert {"brevity", "student", "junk"} <= set(sizes.stages)
