"""A plan that is generated in ranges and merged is the run of one process."""

import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from killed_runs import finish, start, what_lies_there, write_config

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.store import sample_store
from skillmill.flows.config import Config, load_config
from skillmill.flows.ranges.merge import merge_ranges
from skillmill.flows.ranges.split import Range, range_config
from skillmill.flows.ranges.stop import ask_to_stop, asked_to_stop, delete_marks
from skillmill.flows.runtime.workspace import read_state
from skillmill.flows.steps.generate import generate_range, generate_step
from skillmill.teachers.middleware.accounting import BudgetMet

Configure = Callable[..., Config]


@pytest.fixture
def configure(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Return a configuration with an output directory of this name and changed sections."""
    monkeypatch.chdir(tmp_path)
    server, numbers = scripted_server(copies=30), map(str, count())

    def configured(name: str, generation: dict[str, Any] | None = None, **sections: Any) -> Config:
        path = write_config(
            tmp_path / "configurations" / next(numbers), server.base_url, **(generation or {"samples": 23})
        )
        content = yaml.safe_load(path.read_text()) | {"output_dir": name} | sections
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    return configured


def ranges_of(config: Config, parts: int) -> None:
    for number in range(parts, 0, -1):  # in any order
        generate_range(config, Range(number, parts))


def shards(config: Config) -> dict[str, bytes]:
    """The files of rows and gradings, and their manifests."""
    files = [path for folder in ("shards", "grades") for path in sorted((config.output / folder).rglob("*.*"))]
    return {str(path.relative_to(config.output)): path.read_bytes() for path in files}


def usage(config: Config) -> dict[str, tuple[int, int]]:
    stages = read_state(config.output)["usage"]
    return {name: (used["calls"], used["completion_tokens"]) for name, used in stages.items()}


@given(st.integers(1, 10**6), st.integers(1, 50))
def test_ranges_share_all_cells(total: int, of: int) -> None:
    parts = [Range(number, of).cells(total) for number in range(1, of + 1)]
    assert [cell for part in parts for cell in (part.start, part.stop)][1:-1:2] == [part.start for part in parts[1:]]
    assert (parts[0].start, parts[-1].stop) == (0, total)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["3", "0/8", "9/8", "1/0", "a/b", "-1/8", "1/8/2", "²/8", ""])
def test_what_is_no_range_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--range: expected .*, got "):
        Range.parse(text)


@pytest.mark.parametrize(
    ("generation", "sections"),
    [
        ({"samples": 23}, {}),
        ({"samples": 20, "generations": 2}, {"grading": {"when": "always", "runs": 2}}),
        ({"samples": 20, "k": {2: 0.5, 3: 0.5}}, {}),
    ],
    ids=["near-duplicates", "graded", "mixture"],
)
def test_merged_ranges_are_the_run_of_one_process(
    configure: Configure, generation: dict[str, Any], sections: dict[str, Any]
) -> None:
    whole = configure("whole", generation, **sections)
    generate_step(whole)
    config = configure("parts", generation, **sections)
    ranges_of(config, 3)
    assert merge_ranges(config)["cells"] == generation["samples"]
    assert shards(config) == shards(whole)
    assert usage(config) == usage(whole)
    before = shards(config)
    assert merge_ranges(config)["ranges"] == 3  # a second call changes nothing
    assert shards(config) == before


def test_ranges_go_on_from_the_rows_of_the_run_and_skip_the_cells_of_its_other_plans(
    configure: Configure, tmp_path: Path
) -> None:
    skills = [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcdef"]
    types = [{"name": name, "definition": f"asks {name}"} for name in ("how", "why")]
    (tmp_path / "few.yaml").write_text(yaml.safe_dump({"skills": skills, "query_types": types}))
    few = {"taxonomy": str(tmp_path / "few.yaml"), "filters": {"near_duplicates": {"enabled": False}}}
    for name in ("whole", "parts"):
        generate_step(configure(name, {"samples": 9}, seed=1, **few))
        generate_step(configure(name, {"samples": 4}, seed=2, **few))
    whole, parts = (configure(name, {"samples": 14}, seed=2, **few) for name in ("whole", "parts"))
    generate_step(whole)
    ranges_of(parts, 3)
    assert merge_ranges(parts) | {"accepted": 0} == {"ranges": 3, "cells": 14, "accepted": 0}
    assert shards(parts) == shards(whole)
    store = sample_store(parts.output)
    cells = [cell for shard in store.shards for cell in store.rows(shard, ["cell"])["cell"].to_pylist()]
    assert len(set(cells)) == len(cells) == 9 + 14
    more = configure("parts", {"samples": 26}, seed=2, **few)
    with pytest.raises(SkillmillError, match=r"^generation\.samples: the space of cells is used up before range 3/3"):
        generate_range(more, Range(3, 3))


def test_ranges_whose_grading_was_switched_off_keep_their_grades(configure: Configure) -> None:
    ranges_of(configure("parts", {"samples": 6}, grading={"when": "always"}), 2)
    off = configure("parts", {"samples": 6})
    ranges_of(off, 2)
    assert merge_ranges(off)["cells"] == 6
    (decided_by,) = read_state(off.output)["decided"].values()
    assert "grader" in decided_by  # so that the grades are not asked for again


class Died(Exception):
    pass


@pytest.mark.parametrize(("step", "goes_on"), [(0, False), (1, False), (4, True), (9, False), (10, True)])
def test_a_merge_that_was_stopped_goes_on(
    configure: Configure, step: int, goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("whole", "parts") if goes_on else ():
        generate_step(configure(name, {"samples": 5}))
    whole, config = configure("whole"), configure("parts")
    generate_step(whole)
    ranges_of(config, 2)
    left, real = iter(range(step)), os.fsync

    def last_step(descriptor: int) -> None:
        if next(left, None) is None:
            raise Died
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", last_step)
        with pytest.raises(Died):
            merge_ranges(config)
    merge_ranges(config)
    assert shards(config) == shards(whole)
    assert usage(config) == usage(whole)


def test_on_the_command_line_a_run_goes_on_from_the_merged_ranges(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    whole = write_config(tmp_path / "whole", scripted_server().base_url, samples=16)
    finish(whole)
    server = scripted_server()
    config = write_config(tmp_path / "parts", server.base_url, samples=16)
    at_once = [start(config, "generate", "--range", f"{number}/2") for number in (1, 2)]
    for process in at_once:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    generated = server.stats()["asked"]
    finish(config, "merge")
    assert server.stats()["asked"] == generated
    finish(config)
    found = {name: content for name, content in what_lies_there(config).items() if not name.startswith("ranges/")}
    expected = what_lies_there(whole)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert server.stats()["repeated"] == 0


def test_what_cannot_be_merged_is_one_line(configure: Configure) -> None:
    config = configure("parts")
    with pytest.raises(SkillmillError, match=r"parts/ranges/23 holds no range: run `skillmill generate --range 1/N`"):
        merge_ranges(config)
    generate_range(config, Range(1, 2))
    with pytest.raises(SkillmillError, match=r"^range 2/2 is missing: run `skillmill generate --range 2/2`"):
        merge_ranges(config)
    generate_range(configure("parts", budget={"tokens": 38000}), Range(2, 2))
    with pytest.raises(
        SkillmillError, match=r"^range 2/2 has \d+ of 12 cells: run `skillmill generate --range 2/2` again"
    ):
        merge_ranges(config)
    generate_range(config, Range(2, 2))
    with pytest.raises(SkillmillError, match=r"parts/ranges/40 holds no range"):
        merge_ranges(configure("parts", {"samples": 40}))
    other = configure("parts", {"samples": 23, "k": 3})
    with pytest.raises(SkillmillError, match=r"^range 1/2 has no rows of the configured plan"):
        merge_ranges(other)
    strict = configure("parts", filters={"too_short": {"min_words": 99}})
    with pytest.raises(SkillmillError, match=r"^range 1/2 was decided by other filters"):
        merge_ranges(strict)
    generate_range(config, Range(1, 3))
    with pytest.raises(SkillmillError, match=r"holds ranges of 2 and of 3, expected those of one number"):
        merge_ranges(config)


def test_ranges_need_a_fixed_number_of_cells_and_one_taxonomy(configure: Configure) -> None:
    for generation in ({"accepted": 5}, {"samples": 9, "accepted": 5}):
        with pytest.raises(ConfigError, match=r"^generation\.samples: ranges expect .* no generation\.accepted"):
            generate_range(configure("a", generation), Range(1, 2))
    with pytest.raises(ConfigError, match=r"^generation\.samples: 9 ranges expect at least as many cells, got 3"):
        generate_range(configure("b", {"samples": 3}), Range(2, 9))
    with pytest.raises(
        ConfigError, match=r"^taxonomy\.source: teacher has not been asked yet, run `skillmill taxonomy extract` first"
    ):
        generate_range(configure("c", taxonomy={"source": "teacher"}), Range(1, 2))
    generate_step(configure("d", {"samples": 3}))
    with pytest.raises(SkillmillError, match=r"^generation\.samples: d holds the 3 cells already"):
        generate_range(configure("d", {"samples": 3}), Range(1, 2))
    with pytest.raises(ConfigError, match=r"^generation\.samples: 2 ranges expect at least as many cells, got 1"):
        generate_range(configure("d", {"samples": 4}), Range(1, 2))


def test_ranges_share_what_is_left_of_the_budget(configure: Configure) -> None:
    generate_step(configure("parts", {"samples": 3}))
    totals = read_state(configure("parts").output)["totals"]
    spent = totals["prompt_tokens"] + totals["completion_tokens"]
    config = configure("parts", {"samples": 40}, budget={"tokens": spent + 20_000, "hours": 1})
    for number in (1, 2):
        assert generate_range(config, Range(number, 2)).stopped.startswith("budget.tokens: ")
        budget = read_state(range_config(config, Range(number, 2), 3).output)["configuration"]["budget"]
        assert (budget["tokens"], 0.9 < budget["hours"] < 1) == (10_000, True)
    with pytest.raises(BudgetMet, match=r"^budget\.tokens: "):
        generate_range(configure("parts", {"samples": 40}, budget={"tokens": spent}), Range(1, 2))


def test_a_range_that_is_stopped_keeps_what_is_finished_and_goes_on(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = configure("whole"), configure("stopped")
    generate_range(whole, Range(2, 2))
    monkeypatch.setattr("skillmill.flows.runtime.loop.TICK_S", 0.01)
    looks = count()
    with pytest.raises(KeyboardInterrupt):
        generate_range(stopped, Range(2, 2), lambda: next(looks) > 0)
    folder = stopped.output / "ranges" / "23" / "2-of-2"
    assert (read_state(folder)["status"], read_state(folder)["reason"]) == ("stopped", "Ctrl-C")
    generate_range(stopped, Range(2, 2))
    assert shards(range_config(stopped, Range(2, 2))) == shards(range_config(whole, Range(2, 2)))


def test_a_range_stops_once_its_call_is_asked_to(configure: Configure) -> None:
    output_dir = configure("stopped").output_dir
    ask_to_stop(output_dir, "an earlier call")
    with asked_to_stop(output_dir, "this call") as is_stopped:
        assert not is_stopped()
        ask_to_stop(output_dir, "this call")
        deadline = time.monotonic() + 30
        while not is_stopped():
            assert time.monotonic() < deadline
            time.sleep(0.05)
    delete_marks(output_dir)
    assert list(Path(output_dir).rglob("*")) == [Path(output_dir, "ranges")]
