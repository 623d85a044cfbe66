"""Cells without a reply: a server that refuses everything stops the run, and what got no answer is asked again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.errors import SkillmillError, TeacherError
from skillmill.flows.config import Config, parse_config
from skillmill.flows.steps.generate import generate_step
from skillmill.flows.steps.pairs import pairs_step
from skillmill.flows.steps.taxonomy import taxonomy_step
from tests.flows.test_run import TAXONOMY

Start = Callable[..., Any]

REFUSALS = [
    "400:Only user and assistant roles are supported!",
    "400:Model Not Exist",
    "400:max_tokens must be <= 512",
    "422:max_tokens: ensure this value is less than 512 (request id: 8f2c{})",
    "400:This model's maximum context length is 512 tokens",
    "404:The model `x` does not exist",
    '403:<html><head><title>403 Forbidden</title></head><body><h1>Forbidden</h1></body></html>',
    '200:{"error": {"message": "no such deployment", "code": 400}}',
    '200:{"object": "error", "message": "no such adapter", "type": "invalid_request_error"}',
]  # fmt: skip


class Runs:
    """Runs over scripted servers, each in a folder of its own."""

    def __init__(self, folder: Path, start: Start) -> None:
        self._folder, self._start = folder, start
        (folder / "mine.yaml").write_text(yaml.safe_dump(TAXONOMY))

    def config(self, out: str, server: dict[str, Any] | None = None, model: str = "m", **generation: Any) -> Config:
        """Return the configuration of a run over a new server with these options."""
        self.server = self._start(**(server or {}))
        teacher = {
            "kind": "openai",
            "model": model,
            "base_url": self.server.base_url,
            "max_in_flight": 4,
            "retry": {"tries": 3, "first_pause_s": 0.01, "longest_pause_s": 0.05, "patience_s": 20},
        }
        return parse_config(
            {
                "name": "test",
                "output_dir": str(self._folder / out),
                "taxonomy": str(self._folder / "mine.yaml"),
                "teacher": teacher,
                "filters": {"too_many_sentences": {"enabled": False}},
                "generation": {"kind": "skill_mix", "samples": 30, "k": 2, "shard_rows": 8, **generation},
            }
        )

    def generate(self, out: str, server: dict[str, Any] | None = None, **settings: Any) -> Config:
        """Run taxonomy and generation over a new server."""
        config = self.config(out, server, **settings)
        taxonomy_step(config)
        generate_step(config)
        return config


@pytest.fixture
def runs(tmp_path: Path, scripted_server: Start) -> Runs:
    return Runs(tmp_path, scripted_server)


def shards(config: Config, folder: str = "shards") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((config.output / folder).glob("part-*"))}


def rows(config: Config) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(config.output / "shards").to_pylist()
    return sorted(found, key=lambda row: row["index"])


@pytest.mark.parametrize("error", REFUSALS)
def test_a_server_that_refuses_everything_ends_the_run_with_its_words(
    runs: Runs, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TeacherError) as stop:
        runs.generate("out", {"error": error})
    words = error.partition(":")[2]
    said = words.split('"')[-2] if words.startswith("{") and "code" not in words else words
    expected = "no such" if words.startswith("{") else "Forbidden" if words.startswith("<") else said[:30]
    assert expected in str(stop.value)
    assert "\n" not in str(stop.value)
    assert "<html>" not in str(stop.value)
    assert stop.value.exit_code == 1
    assert runs.server.stats()["asked"] <= 2 * (8 + 4 + 1)  # the first ones, those in flight, smaller dialects
    assert "nothing left to do" not in caplog.text
    config = runs.generate("out")
    assert shards(config) == shards(runs.generate("fresh"))


def test_a_run_of_few_cells_that_are_all_refused_ends_with_the_words(runs: Runs) -> None:
    with pytest.raises(TeacherError, match="answered none of 3 cells: bad_request: HTTP 400: Model Not Exist"):
        runs.generate("out", {"error": "400:Model Not Exist"}, samples=3)
    assert shards(runs.generate("out", samples=3)) == shards(runs.generate("fresh", samples=3))


def test_a_server_that_begins_to_refuse_costs_no_cell(runs: Runs) -> None:
    with pytest.raises(TeacherError, match=r"50 times in a row.*quota of tenant is spent"):
        runs.generate("out", {"error": "400:quota of tenant is spent", "errors": "10-9999"}, **MANY)
    assert shards(runs.generate("out", **MANY)) == shards(runs.generate("fresh", **MANY))


MANY: dict[str, Any] = {"k": {2: 0.5, 3: 0.5}, "samples": 60}


@pytest.mark.parametrize("words", ["The model has crashed without additional information. (Exit code: null)",
                                   "Model is loading, please wait", "server is busy, try again later"])  # fmt: skip
def test_a_400_for_the_servers_own_state_is_retried(runs: Runs, words: str) -> None:
    config = runs.generate("out", {"error": f"400:{words}", "errors": "5-20"})
    assert not any("bad_request" in row["reasons"] or "transport" in row["reasons"] for row in rows(config))


def test_cells_without_an_answer_are_asked_again_in_their_places(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    config = runs.generate("out", {"bad": "doing c"})
    refused = [row["index"] for row in rows(config) if row["reasons"] == ["bad_request"]]
    assert len(refused) == 10
    assert "30 of 30 cells" in caplog.text
    assert "10 cells got no answer; the same command asks for them again" in caplog.text
    caplog.clear()
    runs.generate("out")
    assert shards(config) == shards(runs.generate("fresh"))
    assert "nothing left to do" not in caplog.records[2].message
    assert "asking again for 10 cells" in caplog.text


def test_pairs_of_cells_that_are_asked_again_are_made(runs: Runs) -> None:
    pairs_step(runs.generate("out", {"bad": "doing c"}))
    config, fresh = runs.generate("out"), runs.generate("fresh")
    pairs_step(config)
    pairs_step(fresh)
    assert shards(config, "pairs") == shards(fresh, "pairs") != {}


def test_cells_that_are_refused_again_keep_the_run_going(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    config = runs.generate("out", {"bad": "doing c"}, samples=25)
    before = shards(config)
    runs.generate("out", {"bad": "doing c"}, samples=25)
    assert shards(config) == before
    assert "the cells without an answer stay so: teacher: m refuses every request" in caplog.text
    assert "cells got no answer; the same command asks for them again" in caplog.text
    runs.generate("out", {"bad": "doing c"}, samples=30)
    assert shards(config) == shards(runs.generate("fresh", {"bad": "doing c"}, samples=30))


def test_a_stop_while_asking_again_changes_no_byte_of_the_end(runs: Runs) -> None:
    config = runs.generate("out", {"bad": "doing c"})
    with pytest.raises(TeacherError, match="HTTP 401"):
        runs.generate("out", {"error": "401:who are you", "errors": "6-9999"})
    runs.generate("out")
    assert shards(config) == shards(runs.generate("fresh"))


def test_another_plan_draws_the_cells_that_got_no_answer(runs: Runs) -> None:
    config = runs.generate("out", {"bad": "doing c"})
    refused = {row["cell"] for row in rows(config) if row["reasons"] == ["bad_request"]}
    with pytest.raises(SkillmillError):
        step = runs.config("out", model="another")
        outcome = generate_step(step)
        assert outcome.missed
        raise SkillmillError(outcome.missed)
    assert {row["cell"] for row in rows(step) if row["teacher"] == "another"} == refused


def test_a_target_that_is_met_asks_for_nothing_again(runs: Runs) -> None:
    config = runs.generate("out", {"bad": "doing c"}, samples=None, accepted=8)
    before = shards(config)
    runs.generate("out", samples=None, accepted=8)
    assert shards(config) == before
    assert runs.server.stats()["asked"] == 0


def test_unanswered_cells_do_not_use_up_the_space(runs: Runs) -> None:
    config = runs.config("out", {"bad": "doing c"}, samples=None, accepted=29)
    taxonomy_step(config)
    outcome = generate_step(config)
    assert (outcome.cells, outcome.unanswered) == (30, 10)
    assert "10 of them got no answer; run again to ask for them again" in outcome.missed
    assert "used up" not in outcome.missed


@pytest.mark.parametrize("words", ["System role not supported",
                                   "Conversation roles must alternate user/assistant/user/assistant/...",
                                   "Error rendering prompt with jinja template: unexpected role"])  # fmt: skip
def test_a_missing_system_role_is_learned(runs: Runs, words: str, caplog: pytest.LogCaptureFixture) -> None:
    config = runs.generate("out", {"no_system": words}, kind="instruct_skill_mix", samples=6)
    assert not any("bad_request" in row["reasons"] for row in rows(config))
    warnings = [record.message for record in caplog.records if "system message" in record.message]
    assert len(warnings) == 1
    assert runs.server.stats()["refused"] <= 4  # those in flight
