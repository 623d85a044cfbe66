"""All flows deployed on a real Prefect server, and run by a real process worker that was started elsewhere."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect_server import PrefectServer, running_server

from skillmill.flows.runtime.output_lock import hold_output, read_holder
from tests.conftest import SUPPORT, ScriptedServer

pytestmark = pytest.mark.server

COMMANDS = {"run", "refresh", "taxonomy", "generate", "filter", "publish", "train"}


@dataclass
class Site:
    """A server, a worker and a folder that is no clone, with the configuration of the run `weekly`."""

    server: PrefectServer
    folder: Path
    teacher: ScriptedServer

    def deploy(self, *flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "skillmill.flows.cli", "deploy", "-c", "skillmill.yaml", *flags]
        return subprocess.run(
            command, cwd=self.folder, env=self.server.environment, capture_output=True, text=True, timeout=120
        )

    def run(self, name: str, *overrides: str, **parameters: Any) -> str:
        return self.server.start(f"skillmill-{name}/weekly", {**parameters, "overrides": list(overrides)})

    def finish(self, name: str, *overrides: str, **parameters: Any) -> dict[str, Any]:
        found = self.server.ended(self.run(name, *overrides, **parameters))
        assert found["state_type"] == "COMPLETED", found["state"]
        return found

    def versions(self, output: str = "out") -> list[dict[str, Any]]:
        path = self.folder / output / "versions.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def artifacts(self, run: str) -> dict[str, Any]:
        return {row["key"]: row for row in self.server.rows("artifacts") if row["flow_run_id"] == run}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, str(SUPPORT / "scripted_server.py"), "--latency", "0.2"]
    teacher_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        teacher = ScriptedServer(teacher_process)
        content = {
            "name": "weekly",
            "output_dir": "out",
            "teacher": {"kind": "openai", "model": "scripted", "base_url": teacher.base_url},
            "generation": {"samples": 6},
            "refresh": {"samples": 3},
        }
        (folder / "skillmill.yaml").write_text(yaml.safe_dump(content))
        with running_server(tmp_path_factory.mktemp("prefect")) as server:
            server.prefect("work-pool", "create", "--type", "process", "skillmill")
            site = Site(server, folder, teacher)
            deployed = site.deploy()
            assert deployed.returncode == 0, deployed.stderr
            worker = subprocess.Popen(
                [sys.executable, "-m", "prefect", "worker", "start", "--pool", "skillmill"],
                cwd=elsewhere,
                env={**server.environment, "PREFECT_WORKER_QUERY_SECONDS": "1", "PREFECT_WORKER_PREFETCH_SECONDS": "1"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A job that a shell put in the background ignores Ctrl-C, by which Prefect stops a worker.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
            try:
                yield site
            finally:
                worker.terminate()
                try:
                    worker.wait(timeout=60)
                finally:
                    worker.kill()
        assert not list(elsewhere.iterdir())
    finally:
        teacher_process.kill()
        teacher_process.wait()


def test_deployments_need_no_clone(site: Site) -> None:
    found = {row["tags"][1]: row for row in site.server.rows("deployments")}
    assert set(found) == COMMANDS
    for row in found.values():
        assert row["entrypoint"].startswith("skillmill.flows.deployments.flows.")
        assert row["parameters"] == {"config_path": str(site.folder / "skillmill.yaml"), "overrides": []}
        assert row["job_variables"] == {"working_dir": str(site.folder)}
        assert row["global_concurrency_limit"]["limit"] == 1
        assert not row["schedules"]
        form = row["parameter_openapi_schema"]["properties"]
        assert all(field.get("description") for field in form.values())
    [limit] = [row for row in site.server.rows("v2/concurrency_limits") if row["name"].startswith("skillmill-teacher-")]
    assert limit["limit"] == 1


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--cron", "hello"], "skillmill: --cron: expected five fields"),
        (["--work-pool", "nowhere"], "skillmill: --work-pool: the server has no work pool 'nowhere'; create it with"),
        (["--set", "teacher.headers={a: b}"], "skillmill: --set teacher.headers: the value may be a secret"),
    ],
)
def test_bad_input_is_one_clear_line(site: Site, flags: list[str], line: str) -> None:
    refused = site.deploy("--name", "refused", *flags)
    assert refused.returncode == 2
    [said] = refused.stderr.splitlines()
    assert said.startswith(line)
    assert all(row["name"] == "weekly" for row in site.server.rows("deployments"))


def test_a_run_and_two_missed_times_make_three_versions_in_order(site: Site) -> None:
    run = site.finish("run")
    assert run["name"] == "run weekly"
    shown = site.artifacts(run["id"])
    assert "| cells | 6 |" in shown["funnel"]["data"]
    assert shown["progress"]["data"] == 100.0
    times = ["2026-11-09T03:00:00+00:00", "2026-11-16T03:00:00+00:00"]
    for time_due in (*times, times[0]):  # the last one is done already
        last = site.finish("refresh", scheduled_time=time_due)
    assert [each["scheduled_time"] for each in site.versions()] == [None, *times]
    table = json.loads(site.artifacts(last["id"])["versions"]["data"])
    assert [row["version"] for row in table] == ["v1", "v2", "v3"]


def test_a_refresh_of_a_held_directory_is_skipped(site: Site) -> None:
    with hold_output(site.folder / "out", site.folder / "out" / ".work"):
        skipped = site.finish("refresh")
    assert skipped["state_name"] == "Skipped"
    assert f"in use by another run (process {os.getpid()}" in skipped["state"]["message"]


def test_a_cancelled_run_ends_and_the_next_one_goes_on(site: Site) -> None:
    run = site.run("run", "output_dir=cancelled", "generation.samples=2000", "teacher.max_in_flight=4")
    asked = site.teacher.stats()["asked"]
    while site.teacher.stats()["asked"] < asked + 8:
        time.sleep(0.2)
    holder, is_held = read_holder(site.folder / "cancelled")
    assert holder is not None and is_held
    site.server.call(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert site.server.ended(run)["state_type"] == "CANCELLED"
    deadline = time.monotonic() + 60
    while Path(f"/proc/{holder.process}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not read_holder(site.folder / "cancelled")[1]
    assert not (site.folder / "cancelled" / "export").exists()
    site.finish("run", "output_dir=cancelled", "generation.samples=6")
    assert [each["rows"] > 0 for each in site.versions("cancelled")] == [True]


@pytest.mark.parametrize("decision", ["drop", "keep"])
def test_a_review_suspends_the_refresh_until_a_person_decides(site: Site, decision: str) -> None:
    before = len(site.versions())
    run = site.run("refresh", "refresh.review=true")
    paused = site.server.await_run(run, lambda found: found["state_type"] == "PAUSED", "waiting for the review")
    assert paused["state_name"] == "Suspended"
    keys = paused["state"]["state_details"]["run_input_keyset"]
    told = site.server.call(f"flow_runs/{run}/input/{keys['description']}")
    assert "report.html" in told and "waits for a review" in told
    with hold_output(site.folder / "out", site.folder / "out" / ".work"):
        pass  # nobody holds the directory in the meantime
    assert len(site.versions()) == before
    site.server.call(f"flow_runs/{run}/resume", {"run_input": {"decision": decision}})
    assert site.server.ended(run)["state_type"] == "COMPLETED"
    [made] = site.versions()[before:]
    assert made["withdrawn"] == (decision == "drop")


def test_a_fault_is_a_failed_run_with_one_line(site: Site) -> None:
    failed = site.server.ended(site.run("refresh", "output_dir=nowhere"))
    assert failed["state_type"] == "FAILED"
    assert "nowhere" in failed["state"]["message"] and "\n" not in failed["state"]["message"]
    assert not (site.folder / "nowhere").exists()


def test_a_schedule_starts_a_refresh_that_has_its_time(site: Site) -> None:
    assert site.deploy("--cron", "* * * * *").returncode == 0
    deadline = time.monotonic() + 240
    while not (done := [row for row in site.server.rows("flow_runs") if row["auto_scheduled"] and row["end_time"]]):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert site.deploy().returncode == 0  # without the schedule
    assert {row["state_type"] for row in done} == {"COMPLETED"}
    due = done[0]["expected_start_time"].replace("Z", "+00:00").replace(".000000", "")
    assert due in [each["scheduled_time"] for each in site.versions()]
