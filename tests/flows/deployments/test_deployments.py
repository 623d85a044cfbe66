"""All flows on a real Prefect server: deployed by the installed package, run, cancelled, reviewed and scheduled."""

import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from deployed_site import POOL, Site, deployed_site, wait_until
from prefect.settings import PREFECT_API_URL, temporary_settings
from processes import descendants_of

from skillmill.flows.deployments.flows import FLOWS
from skillmill.flows.runtime.output_lock import read_holder
from tests.conftest import SUPPORT
from tests.train.tiny_students import write_student

pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]

DOCUMENT = Path(__file__).parents[3] / "docs" / "deployments.md"
REPOSITORY = "someone/weekly"
TIMES = ["2026-11-09T03:00:00+00:00", "2026-11-16T03:00:00+00:00"]
LONG = ("generation.samples=2000", "teacher.max_in_flight=4")
CommandLine = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with deployed_site(tmp_path_factory) as site:
        yield site


@pytest.fixture
def here(site: Site, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Call a command in this process, in the folder of the site; `here(..., prefect=True)` on its server."""
    monkeypatch.chdir(site.folder)

    def call(*arguments: str, prefect: bool = False) -> tuple[int, str, str]:
        url = site.server.url if prefect else ""
        monkeypatch.setenv("PREFECT_API_URL", url)
        with temporary_settings({PREFECT_API_URL: url or None}):
            return command_line(*arguments)

    return call


def test_deployments_need_no_clone(site: Site) -> None:
    found = {row["tags"][1]: row for row in site.server.rows("deployments")}
    assert set(found) == set(FLOWS)
    for row in found.values():
        assert row["entrypoint"].startswith("skillmill.flows.deployments.flows.")
        assert row["parameters"] == {"config_path": str(site.folder / "skillmill.yaml"), "overrides": []}
        assert row["job_variables"] == {"working_dir": str(site.folder)}
        assert row["global_concurrency_limit"]["limit"] == 1
        assert not row["schedules"]
    [limit] = [row for row in site.server.rows("v2/concurrency_limits") if row["name"].startswith("skillmill-teacher-")]
    assert limit["limit"] == 1


def test_forms_have_the_fields_of_the_models_with_their_descriptions(site: Site) -> None:
    forms = {row["tags"][1]: row["parameter_openapi_schema"] for row in site.server.rows("deployments")}
    assert all(form["required"] == ["config_path"] for form in forms.values())
    fields = {command: form["properties"] for command, form in forms.items()}
    assert all(field["description"] for form in fields.values() for field in form.values())
    assert {command: set(form) - {"config_path", "overrides"} for command, form in fields.items()} == {
        **{command: set() for command in FLOWS},
        "refresh": {"scheduled_time"},
        "publish": {"without_license"},
        "evaluate": {"student", "baseline"},
    }
    assert fields["run"]["overrides"]["items"] == {"type": "string"}
    assert fields["refresh"]["scheduled_time"]["anyOf"][0]["format"] == "date-time"
    assert fields["publish"]["without_license"]["type"] == "boolean"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--cron", "hello"], "skillmill: --cron: expected five fields"),
        (["--work-pool", "nowhere"], "skillmill: --work-pool: the server has no work pool 'nowhere'; create it with"),
        (["--set", "teacher.headers={a: b}"], "skillmill: --set teacher.headers: the value may be a secret"),
    ],
)
def test_bad_input_is_one_clear_line(site: Site, here: CommandLine, flags: list[str], line: str) -> None:
    code, _, said = here("deploy", "-c", "skillmill.yaml", "--name", "refused", *flags, prefect=True)
    assert code == 2
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert all(row["name"] == "weekly" for row in site.server.rows("deployments"))


def test_every_flow_completes_and_shows_what_it_made(site: Site, here: CommandLine) -> None:
    with scheduled_refreshes(site, here):
        run_every_flow(site)


def run_every_flow(site: Site) -> None:
    """The flows of one directory follow each other; those of another directory run beside them."""
    run, taxonomy = site.completed(site.start("run"), site.start("taxonomy", "output_dir=steps"))
    assert run["name"] == "run weekly"
    assert "| cells | 6 |" in site.artifacts(run["id"])["funnel"]["data"]
    assert site.artifacts(run["id"])["progress"]["data"] == 100.0
    assert "| skills | 154 |" in site.artifacts(taxonomy["id"])["counts"]["data"]

    shutil.copytree(site.folder / "out", site.folder / "trained")
    write_student(site.folder / "student")
    arguments = "{per_device_train_batch_size: 2, max_steps: 1, max_length: 1024, use_cpu: true}"
    settings = ["output_dir=trained", "train.student=student", f"train.sft.args={arguments}"]
    first, generated, trained = site.completed(
        site.start("refresh", scheduled_time=TIMES[0]),
        site.start("generate", "output_dir=steps", "generation.samples=4"),
        site.start("train", *settings),
    )
    assert [row["version"] for row in table_of_versions(site, first)] == ["v1", "v2"]
    assert "| cells | 4 |" in site.artifacts(generated["id"])["counts"]["data"]
    assert "trained/train/sft" in site.artifacts(trained["id"])["counts"]["data"]
    assert list((site.folder / "trained" / "train" / "sft").glob("*.safetensors"))

    student = f"{{kind: openai, model: scripted, base_url: '{site.teacher.base_url}'}}"
    examined = ["taxonomy=builtin:checkable", "k=[1]", "samples=2", "bootstrap=100", "baseline=null"]
    second, filtered, evaluated = site.completed(
        site.start("refresh", scheduled_time=TIMES[1]),
        site.start("filter", "output_dir=steps", "generation.samples=4"),
        site.start(
            "evaluate",
            "output_dir=trained",
            f"evaluate.student={student}",
            *(f"evaluate.{setting}" for setting in examined),
        ),
    )
    assert [each["scheduled_time"] for each in site.versions()] == [None, *TIMES]
    assert [row["version"] for row in table_of_versions(site, second)] == ["v1", "v2", "v3"]
    assert "| cells | 4 |" in site.artifacts(filtered["id"])["counts"]["data"]

    assert "Graded by: rule" in site.artifacts(evaluated["id"])["evaluation"]["data"]

    published = site.finish("publish", f"export.repo_id={REPOSITORY}", "export.private=false", without_license=True)
    assert f"| repository | {REPOSITORY} |" in site.artifacts(published["id"])["counts"]["data"]
    assert site.hub.repos[REPOSITORY].tags.keys() == {"v3"}
    assets = wait_until(lambda: materialized_assets(site), "the asset of the version arrives")
    assert assets == [f"hf://datasets/{REPOSITORY}/v3"]


def materialized_assets(site: Site) -> list[str]:
    """Return the assets of Prefect that were made; the server stores events some seconds after they came."""
    event = {"name": ["prefect.asset.materialization.succeeded"]}
    found = site.server.call("events/filter", {"filter": {"event": event}})
    return [each["resource"]["prefect.resource.id"] for each in found["events"]]


def table_of_versions(site: Site, run: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(site.artifacts(run["id"])["versions"]["data"])
    return rows


@contextmanager
def scheduled_refreshes(site: Site, here: CommandLine) -> Iterator[None]:
    """Schedule refreshes of a run of its own beside the block; at its end, wait for one that has its time."""
    flags = ["-c", "skillmill.yaml", "--set", "output_dir=scheduled", "--work-pool", POOL]
    assert here("run", *flags[:4])[0] == 0
    deploy = ["deploy", *flags, "--name", "scheduled"]
    soon = (datetime.now(UTC).minute + 2) % 10  # then every ten minutes, so that few runs take time from the others
    assert here(*deploy, "--cron", f"{soon}-59/10 * * * *", prefect=True)[0] == 0

    def ended() -> list[dict[str, Any]]:
        return [row for row in site.server.rows("flow_runs") if row["auto_scheduled"] and row["end_time"]]

    try:
        yield
        done = wait_until(ended, "a schedule starts a refresh")
    finally:
        assert here(*deploy, prefect=True)[0] == 0  # without the schedule
    assert {row["state_type"] for row in done} == {"COMPLETED"}
    due = done[0]["expected_start_time"].replace("Z", "+00:00").replace(".000000", "")
    assert due in [each["scheduled_time"] for each in site.versions("scheduled")]


def process_of(site: Site, output: str) -> int:
    """Return the process that holds an output directory, as soon as there is one."""

    def held() -> int | None:
        holder, is_held = read_holder(site.folder / output)
        return holder.process if holder and is_held else None

    return int(wait_until(held, f"a run holds {output}"))


def cancel(site: Site, run: str, processes: list[int]) -> None:
    """Cancel a flow run as the UI does, and wait for the end of its processes."""
    began = time.monotonic()
    site.server.call(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in processes), f"{processes} end")
    print(f"all {len(processes)} processes ended {time.monotonic() - began:.1f} s after the flow run was cancelled")
    assert site.server.ended(run)["state_type"] == "CANCELLED"


def test_runs_that_contend_wait_or_are_skipped_and_a_cancelled_one_makes_room(site: Site) -> None:
    long = site.start("run", "output_dir=contended", *LONG)
    holder = process_of(site, "contended")
    asked = site.teacher.stats()["asked"]
    wait_until(lambda: site.teacher.stats()["asked"] >= asked + 8, "the run asks its teacher")
    (site.folder / "waits").mkdir()
    shutil.copyfile(site.folder / "contended" / "taxonomy.yaml", site.folder / "waits" / "taxonomy.yaml")
    same_directory = site.start("refresh", "output_dir=contended")
    same_teacher = site.start("generate", "output_dir=waits", "generation.samples=2")
    [skipped] = site.completed(same_directory)
    assert skipped["state_name"] == "Skipped"
    assert f"in use by another run (process {holder}" in skipped["state"]["message"]
    process_of(site, "waits")
    assert not (site.folder / "waits" / "manifest.jsonl").exists()
    cancel(site, long, [holder, *descendants_of(holder)])
    assert not read_holder(site.folder / "contended")[1]
    assert not (site.folder / "contended" / "export").exists()
    goes_on = site.start("run", "output_dir=contended", "generation.samples=6")
    site.completed(same_teacher, goes_on)
    assert [each["rows"] > 0 for each in site.versions("contended")] == [True]


@pytest.mark.model
def test_a_cancelled_run_leaves_no_served_or_embedded_model_behind(site: Site) -> None:
    command = f"{sys.executable} {SUPPORT / 'scripted_server.py'} --latency 0.2 --port {{port}}"
    config = site.write(
        "served.yaml",
        output_dir="served",
        teacher={"kind": "openai", "model": "scripted", "serve": command},
        grader={"kind": "embedded"},
        grading={"when": "always"},
        generation={"samples": 2000},
    )
    run = site.start("run", config_path=config)
    holder = process_of(site, "served")
    wait_until(lambda: asked_of_served(holder) >= 4, "the served teacher is asked, the grader is loaded")
    assert "xllamacpp" in Path(f"/proc/{holder}/maps").read_text()
    processes = [holder, *descendants_of(holder)]
    assert len(processes) >= 3, "the flow run, the keeper and the served command"
    cancel(site, run, processes)
    assert not (site.folder / "served" / "export").exists()


def asked_of_served(process: int) -> int:
    """Return how many requests the command that a process serves has had, 0 before it answers."""
    try:
        lines = descendants_of(process).values()
        ports = {found[1] for line in lines if (found := re.search(r"--port (\d+)", line))}
        with urllib.request.urlopen(f"http://127.0.0.1:{ports.pop()}/stats", timeout=10) as answer:
            return int(json.load(answer)["asked"])
    except (KeyError, OSError):
        return 0


def test_a_review_suspends_the_refresh_until_a_person_decides(site: Site, here: CommandLine) -> None:
    assert here("run", "-c", "skillmill.yaml", "--set", "output_dir=reviewed")[0] == 0
    for number, decision in enumerate(["drop", "keep"], start=2):
        run = site.start("refresh", "output_dir=reviewed", "refresh.review=true")
        paused = site.server.await_run(run, lambda found: found["state_type"] == "PAUSED", "waiting for the review")
        assert paused["state_name"] == "Suspended"
        keys = paused["state"]["state_details"]["run_input_keyset"]
        told = site.server.call(f"flow_runs/{run}/input/{keys['description']}")
        assert "report.html" in told
        assert f"v{number} waits for a review" in told
        wait_until(lambda: not read_holder(site.folder / "reviewed")[1], "nobody holds the directory in the meantime")
        assert len(site.versions("reviewed")) == number - 1
        site.server.call(f"flow_runs/{run}/resume", {"run_input": {"decision": decision}})
        site.completed(run)
        assert site.versions("reviewed")[-1]["withdrawn"] == (decision == "drop")
    assert [each["version"] for each in site.versions("reviewed")] == ["v1", "v2", "v3"]


@contextmanager
def webhook() -> Iterator[tuple[str, list[bytes]]]:
    """Run a server on loopback; yield its address and the list of the bodies that it gets."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", bodies
    finally:
        server.shutdown()
        server.server_close()


def test_a_fault_is_a_failed_run_with_one_line_that_calls_the_webhook_of_the_documents(site: Site) -> None:
    [code] = [
        block for block in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if "Automation(" in block
    ]
    with webhook() as (address, bodies):
        code = code.replace("https://hooks.example.com/skillmill", address)
        made = subprocess.run(
            [sys.executable, "-c", code], env=site.server.environment, capture_output=True, text=True, timeout=600
        )
        assert made.returncode == 0, made.stderr
        failed = site.server.ended(site.start("refresh", "output_dir=missing"))
        assert failed["state_type"] == "FAILED"
        [body] = wait_until(lambda: bodies, "the automation calls the webhook")
    assert json.loads(body) == {"text": f"{failed['name']}: {failed['state']['message']}"}
    assert "missing holds no run yet" in failed["state"]["message"]
    assert "\n" not in failed["state"]["message"]
    assert not (site.folder / "missing").exists()
