"""Refreshes over a real HTTP teacher: ranges, versions, plans, filters, targets that cannot be met, reviews."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
import yaml

from skillmill.data.versions import Version, read_versions
from skillmill.flows.refresh.refresh import parse_time

CommandLine = Callable[..., tuple[int, str, str]]
MONDAY, TUESDAY = "2026-11-30T03:00:00+00:00", "2026-12-01T03:00:00+00:00"
STRICTER = {"repetition": {"max_compression": 2.28}}


class Project:
    """A folder with a configuration; `project("refresh")` calls skillmill there for standard error."""

    def __init__(self, folder: Path, server: Any, call: CommandLine) -> None:
        self.folder, self.server, self._call = folder, server, call
        skills = [{"name": f"skill {letter}", "definition": f"The act of doing {letter}."} for letter in "abcdef"]
        themes = [{"name": "How-to", "definition": "wants steps"}, {"name": "Why", "definition": "wants causes"}]
        (folder / "mine.yaml").write_text(yaml.safe_dump({"skills": skills, "query_types": themes}))
        self.write()

    def write(self, **sections: Any) -> None:
        teacher = {"kind": "openai", "model": "scripted", "base_url": self.server.base_url, "max_in_flight": 4}
        content = {
            "output_dir": "out",
            "taxonomy": "mine.yaml",
            "teacher": teacher | {"sampling": {"max_tokens": 600}},
            "generation": {"samples": 8, "shard_rows": 5},
            "refresh": {"samples": 4},
        }
        (self.folder / "skillmill.yaml").write_text(yaml.safe_dump(content | sections))

    def __call__(self, command: str, *arguments: str, code: int = 0) -> str:
        ended, _, err = self._call(command, "-c", "skillmill.yaml", *arguments)
        assert ended == code, err
        return err

    @property
    def versions(self) -> list[Version]:
        return list(read_versions(self.folder / "out").entries)

    def rows(self, configuration: str = "sft") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for file in sorted((self.folder / "out" / "export" / configuration).glob("*.parquet")):
            rows += pq.read_table(file).to_pylist()
        return rows

    def files(self) -> dict[str, bytes]:
        export = self.folder / "out" / "export"
        return {str(path.relative_to(export)): path.read_bytes() for path in sorted(export.rglob("*.parquet"))}


@pytest.fixture
def project(tmp_path: Path, scripted_server: Callable[..., Any], command_line: CommandLine) -> Project:
    return Project(tmp_path, scripted_server(), command_line)


def test_a_refresh_adds_the_next_range_in_files_of_its_own(project: Project) -> None:
    project("run")
    before = project.files()
    project("refresh")
    assert [row["index"] for row in project.rows()] == list(range(12))
    assert Counter(row["version"] for row in project.rows()) == {"v1": 8, "v2": 4}
    after = project.files()
    assert {name: after.get(name) for name in before if "v0001" in name} == {
        name: content for name, content in before.items() if "v0001" in name
    }
    first, second = project.versions
    assert (first.version, first.rows_new, first.rows) == ("v1", 8, 8)
    assert (second.version, second.rows_new, second.rows) == ("v2", 4, 12)
    card = (project.folder / "out/export/README.md").read_text()
    assert "| v2 |" in card
    loaded = datasets.load_dataset(
        str(project.folder / "out/export"), split="train", cache_dir=str(project.folder / "hf")
    )
    assert loaded["version"] == ["v1"] * 8 + ["v2"] * 4


def test_a_run_that_changes_nothing_makes_no_version(project: Project) -> None:
    project("run")
    project("run")
    project("export")
    assert [version.version for version in project.versions] == ["v1"]


def test_a_scheduled_time_is_done_once(project: Project) -> None:
    project("run")
    project("refresh", "--scheduled-time", MONDAY)
    asked = project.server.stats()["asked"]
    assert "is v2 already" in project("refresh", "--scheduled-time", "2026-11-30T04:00:00+01:00")
    assert project.server.stats()["asked"] == asked
    project("refresh", "--scheduled-time", TUESDAY)
    assert [version.scheduled_time for version in project.versions] == [None, MONDAY, TUESDAY]


def test_a_clock_that_went_back_changes_no_order(project: Project) -> None:
    project("run")
    project("refresh", "--scheduled-time", TUESDAY)
    ahead = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
    for path in (project.folder / "out").rglob("*"):
        os.utime(path, (ahead, ahead))
    project("refresh", "--scheduled-time", MONDAY)
    assert [(each.version, each.scheduled_time) for each in project.versions] == [
        ("v1", None),
        ("v2", TUESDAY),
        ("v3", MONDAY),
    ]
    everything = project.rows() + project.rows("rejected")
    assert Counter(row["version"] for row in everything) == {"v1": 8, "v2": 4, "v3": 4}
    for time, version in ((TUESDAY, "v2"), (MONDAY, "v3")):
        assert f"is {version} already" in project("refresh", "--scheduled-time", time)
    assert project.server.stats()["repeated"] == 0


def test_changed_filters_decide_the_rows_of_all_plans_again_without_the_teacher(project: Project) -> None:
    project("run")
    project.write(generation={"samples": 8, "shard_rows": 5, "k": 3})
    assert "v2 is a new plan: generation.k changed" in project("refresh")
    rejected = len(project.rows("rejected"))
    project.write(generation={"samples": 8, "shard_rows": 5, "k": 3}, filters=STRICTER, refresh={"samples": 1})
    asked = project.server.stats()["asked"]
    project("refresh")
    first, second, third = project.versions
    assert second.changed == ["generation.k"]
    assert list(third.plans) == [first.plan, second.plan]
    old = [row for row in project.rows("rejected") if row["version"] != "v3"]
    assert third.verdicts_changed == len(old) - rejected > 0
    assert {row["plan"] for row in project.rows()} == {first.plan, second.plan}
    assert project.server.stats()["asked"] - asked <= 8  # the turns of one cell


def test_run_exports_the_current_plan_and_refresh_all(project: Project) -> None:
    project("run")
    project.write(generation={"samples": 8, "shard_rows": 5, "k": 3})
    project("run")
    assert {row["k"] for row in project.rows()} == {3}
    project("refresh")
    assert {(row["k"], row["version"]) for row in project.rows()} == {(2, "v1"), (3, "v2"), (3, "v3")}
    assert [part.cells for part in project.versions[2].plans.values()] == [8, 12]


def test_weights_of_a_refresh_start_a_plan_of_their_own(project: Project) -> None:
    project("run")
    project.write(refresh={"samples": 4, "weights": {"skill a": 0}})
    project("refresh")
    assert project.versions[1].changed == ["generation.weights"]
    assert not any("skill a" in row["skills"] for row in project.rows() if row["version"] == "v2")


def test_a_space_that_is_used_up_is_no_failure(project: Project) -> None:
    project("run")
    project.write(refresh={"samples": 500})  # the space has 30 cells
    assert "the space of cells is used up after 22 new cells" in project("refresh")
    [part] = project.versions[-1].plans.values()
    assert (part.stop, part.cells) == (30, 30)
    assert "larger generation.k" in project.versions[-1].note
    asked = project.server.stats()["asked"]
    assert "no new rows, v2 stays the newest version" in project("refresh", "--scheduled-time", MONDAY)
    assert (len(project.versions), project.server.stats()["asked"]) == (2, asked)


def test_too_few_accepted_rows_end_a_refresh_with_a_line(
    tmp_path: Path, scripted_server: Callable[..., Any], command_line: CommandLine
) -> None:
    project = Project(tmp_path, scripted_server(), command_line)
    skills = [{"name": f"skill {number}", "definition": f"The act of doing {number}."} for number in range(30)]
    themes = [{"name": "Why", "definition": "wants causes"}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"skills": skills, "query_types": themes}))
    project("run")
    strict = {"repetition": {"max_compression": 1.01}}
    project.write(refresh={"accepted": 5, "samples": 300}, filters=strict, generation={"samples": 8, "keep": "final"})
    said = project("refresh")
    assert "0 of 200 new cells are accepted, less than refresh.min_accepted_share (0.005)" in said
    assert project.versions[-1].rows_new == 0
    assert project.versions[-1].dropped["repetition"] > 100


def test_a_budget_counts_from_the_start_of_the_refresh(project: Project) -> None:
    project("run")
    project.write(budget={"tokens": 20000}, refresh={"samples": 20})
    for version in (2, 3):
        assert "budget.tokens" in project("refresh")
        assert project.versions[-1].version == f"v{version}"
        assert 0 < project.versions[-1].rows_new < 20


@pytest.mark.parametrize(
    ("decision", "new_rows", "withdrawn"), [("keep", {"v1": 8, "v2": 4}, False), ("drop", {"v1": 8}, True)]
)
def test_a_review_comes_before_the_export(
    project: Project, decision: str, new_rows: dict[str, int], withdrawn: bool
) -> None:
    project("run")
    project.write(refresh={"samples": 4, "review": True})
    assert "v2 waits for a review" in project("refresh", "--scheduled-time", MONDAY)
    assert (len(project.versions), len(project.rows())) == (1, 8)
    project("refresh", "--scheduled-time", MONDAY, "--review", decision)
    assert Counter(row["version"] for row in project.rows()) == new_rows
    assert project.versions[1].withdrawn is withdrawn
    project.write()
    project("refresh", "--scheduled-time", TUESDAY)
    everything = project.rows() + project.rows("rejected")
    assert sorted(row["index"] for row in everything if row["version"] == "v3") == [12, 13, 14, 15]
    assert {row["version"] for row in everything} == {*new_rows, "v3"}
    assert project.server.stats()["repeated"] == 0


def test_a_run_between_start_and_end_of_a_refresh_takes_its_number_and_not_its_time(project: Project) -> None:
    project("run")
    waiting = {"refresh": {"samples": 4, "review": True}}
    project.write(**waiting)
    assert "v2 waits for a review" in project("refresh", "--scheduled-time", MONDAY)
    project.write(generation={"samples": 8, "shard_rows": 5, "k": 3})
    project("run")
    project.write(**waiting)
    project("refresh", "--scheduled-time", MONDAY, "--review", "keep")
    assert [(each.version, each.scheduled_time) for each in project.versions[1:]] == [("v2", None), ("v3", MONDAY)]
    assert Counter(row["version"] for row in project.rows() if row["k"] == 2) == {"v1": 8, "v3": 4}


HOLDER = """
import sys
from pathlib import Path
from skillmill.flows.runtime.output_lock import hold_output
with hold_output(Path("out"), Path("out/.work")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_refresh_leaves_the_directory_to_the_first(project: Project) -> None:
    project("run")
    asked = project.server.stats()["asked"]
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(
        command, cwd=project.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        said = project("refresh", "--scheduled-time", MONDAY)
        other.communicate("")
    assert f"refresh: nothing was done: output_dir: out is in use by another run (process {other.pid}, since" in said
    assert (len(project.versions), project.server.stats()["asked"]) == (1, asked)
    project("refresh", "--scheduled-time", MONDAY)
    assert len(project.versions) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--scheduled-time", "soon"), "--scheduled-time: expected a time in ISO 8601"),
        (("--set", "refresh.samples=0"), "refresh.samples: Input should be greater than or equal to 1, got 0"),
        (("--set", "output_dir=empty"), "empty holds no run yet"),
    ],
)
def test_bad_input_is_one_line(project: Project, arguments: tuple[str, ...], line: str) -> None:
    said = project("refresh", *arguments, code=1 if "empty" in line else 2)
    assert line in said
    assert said.count("\n") == 1
    assert not (project.folder / "empty").exists()


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-30T03:00:00Z", MONDAY),
        ("2026-11-30T04:00:00+01:00", MONDAY),
        ("2026-11-30 03:00", MONDAY),
        ("2026-11-30T03:00:00.123456+00:00", MONDAY),
        ("20261130T0300", MONDAY),
    ],
)
def test_a_time_has_one_form(text: str, utc: str) -> None:
    assert parse_time(text) == utc


def test_a_damaged_versions_file_is_named(project: Project) -> None:
    project("run")
    (project.folder / "out/versions.jsonl").write_text('{"version": "v1"\n')
    assert "versions.jsonl line 1 is not a version" in project("refresh", code=1)
