"""Ranges on a Ray and a Dask cluster of this machine: the rows of a local run, also if a worker is killed.

`make test-cluster` runs them in an environment that has Ray and Dask; `make test` leaves those out.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from killed_runs import IN_FLIGHT, finish, start, what_lies_there, write_config
from prefect_server import PrefectServer, running_server

from skillmill.data.errors import ConfigError
from skillmill.flows.checks import check_settings
from skillmill.flows.commands.status import describe_directory
from skillmill.flows.config import load_config
from skillmill.flows.ranges.stop import ask_to_stop
from skillmill.flows.runtime.workspace import read_state

pytest.importorskip("prefect_ray")
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    with running_server(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(autouse=True)
def of_this_server(prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers of the clusters, which are processes of their own, report to one server."""
    for name, value in prefect_server.environment.items():
        monkeypatch.setenv(name, value)


def configured(folder: Path, base_url: str, **runner: Any) -> Path:
    path = write_config(folder, base_url, samples=24)
    sections = {"runner": runner, "pairs": {"sources": []}, "refresh": {"samples": 9}}
    content = yaml.safe_load(path.read_text()) | sections
    path.write_text(yaml.safe_dump(content))
    return path


def rows(config: Path) -> dict[str, bytes]:
    return {name: content for name, content in what_lies_there(config).items() if name.startswith(("shards", "mani"))}


def wait_until_asked(server: Any, requests: int, process: subprocess.Popen[str]) -> None:
    """Wait until the teacher of a running command has had this many requests."""
    deadline = time.monotonic() + 120
    while server.stats()["asked"] < requests:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes on this machine."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[Any]:
    import distributed

    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


def test_ray_gives_the_rows_of_a_local_run_and_of_its_refresh(
    tmp_path: Path, scripted_server: Callable[..., Any], ray_cluster: Any
) -> None:
    whole = configured(tmp_path / "whole", scripted_server().base_url)
    finish(whole, "generate")
    server = scripted_server()
    config = configured(tmp_path / "ray", server.base_url, kind="ray", address=ray_cluster.address, workers=3)
    finish(config, "generate")
    assert rows(config) == rows(whole)
    assert server.stats()["repeated"] == 0
    asked = server.stats()["asked"]
    assert "nothing left to do" in finish(config, "generate")
    assert server.stats()["asked"] == asked
    refused = start(config, "refresh", "--set", "refresh={accepted: 5}")
    assert "in a refresh, refresh.samples and no refresh.accepted" in refused.communicate(timeout=120)[1]
    for each in (whole, config):
        finish(each, "refresh")
    assert rows(config) == rows(whole)
    assert (tmp_path / "ray/out/ranges/24-33/3-of-3").is_dir()
    assert server.stats()["repeated"] == 0


@pytest.mark.parametrize("kind", ["ray", "dask"])
def test_ctrl_c_stops_the_ranges_and_the_same_command_goes_on(
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    whole = configured(tmp_path / "whole", scripted_server().base_url)
    finish(whole, "generate")
    server = scripted_server(latency=0.1)
    cluster = request.getfixturevalue(f"{kind}_cluster")
    address = cluster.address if kind == "ray" else cluster.scheduler_address
    config = configured(tmp_path / kind, server.base_url, kind=kind, address=address, workers=2)
    marks = tmp_path / kind / "out" / "ranges"
    ask_to_stop(str(marks.parent), "a call that was killed")
    process = start(config, "generate")
    wait_until_asked(server, 30, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "generate: stopping 2 ranges" in errors
    assert list(marks.glob(".stop-*")) == []
    asked = server.stats()["asked"]
    describe_directory(tmp_path / kind / "out")
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("out: stopped (Ctrl-C)")
    assert not [line for line in told if "running" in line or "interrupted" in line]  # each range has ended by itself
    time.sleep(1.5)
    assert server.stats()["asked"] == asked  # nobody asks any more
    finish(config, "generate")
    assert rows(config) == rows(whole)
    assert server.stats()["repeated"] <= IN_FLIGHT * 2


def test_a_node_of_ray_that_is_lost_costs_no_row(
    tmp_path: Path, scripted_server: Callable[..., Any], ray_cluster: Any
) -> None:
    whole = configured(tmp_path / "whole", scripted_server().base_url)
    finish(whole, "generate")
    node = ray_cluster.add_node(num_cpus=1)
    server = scripted_server(latency=0.1)
    config = configured(tmp_path / "ray", server.base_url, kind="ray", address=ray_cluster.address, workers=3)
    process = start(config, "generate")
    wait_until_asked(server, 30, process)
    ray_cluster.remove_node(node, allow_graceful=False)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert rows(config) == rows(whole)
    assert server.stats()["repeated"] <= IN_FLIGHT


def test_a_worker_of_dask_that_is_killed_costs_no_row(
    tmp_path: Path, scripted_server: Callable[..., Any], dask_cluster: Any
) -> None:
    whole = configured(tmp_path / "whole", scripted_server().base_url)
    finish(whole, "generate")
    server = scripted_server(latency=0.1)
    address = dask_cluster.scheduler_address
    config = configured(tmp_path / "dask", server.base_url, kind="dask", address=address, workers=2)
    process = start(config, "generate")
    wait_until_asked(server, 30, process)
    victim = next(iter(dask_cluster.workers.values())).pid
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert rows(config) == rows(whole)
    assert server.stats()["repeated"] <= IN_FLIGHT


def test_a_budget_ends_the_ranges_as_it_ends_a_run(
    tmp_path: Path, scripted_server: Callable[..., Any], dask_cluster: Any
) -> None:
    whole = configured(tmp_path / "whole", scripted_server().base_url)
    finish(whole, "generate")
    server = scripted_server()
    address = dask_cluster.scheduler_address
    config = configured(tmp_path / "dask", server.base_url, kind="dask", address=address, workers=2)
    errors = finish(config, "generate", "--set", "budget.tokens=20000")
    assert re.search(r"generate: budget\.tokens: .* tokens are used in range \d/2; what was finished is kept", errors)
    assert read_state(config.parent / "out")["status"] == "partial"
    finish(config, "generate")
    assert rows(config) == rows(whole)


def test_a_range_that_fails_is_one_line(tmp_path: Path, dask_cluster: Any) -> None:
    address = dask_cluster.scheduler_address
    config = configured(tmp_path / "dask", "http://127.0.0.1:9/v1", kind="dask", address=address, workers=2)
    process = start(config, "generate")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "skillmill: range 1/2: teacher.base_url: cannot reach http://127.0.0.1:9/v1" in errors


@pytest.mark.parametrize("kind", ["ray", "dask"])
def test_what_no_cluster_can_run_is_one_line(tmp_path: Path, scripted_server: Callable[..., Any], kind: str) -> None:
    base_url = scripted_server().base_url
    without_samples: dict[str, Any] = {"generation.samples": "null", "generation.accepted": 5}

    def fails(with_runner: dict[str, Any], **changes: Any) -> str:
        path = configured(tmp_path / str(len(list(tmp_path.iterdir()))), base_url, kind=kind, **with_runner)
        config = load_config(path, [f"{key}={value}" for key, value in changes.items()])
        with pytest.raises(ConfigError) as failed:
            check_settings(config)
        return str(failed.value)

    assert fails({}) == f"runner.workers: missing, kind {kind} expects the number of ranges"
    assert fails({"workers": 2}, **without_samples).startswith("generation.samples: ranges expect the number of cells")
    assert fails({"address": "nowhere", "workers": 2}).startswith("runner.address: expected HOST:PORT of the cluster")
    assert fails({"address": "tcp://127.0.0.1:9", "workers": 2}) == (
        "runner.address: cannot reach tcp://127.0.0.1:9 (Connection refused)"
    )
