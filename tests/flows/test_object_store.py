"""An `output_dir` on S3: killed and continued here and elsewhere, two writers, readers, and what is refused."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow.dataset as pads
import pytest
import yaml
from killed_runs import IN_FLIGHT, start, what_lies_there, write_config
from s3_server import S3Server

from skillmill.data.remote.commits import newest_commit
from skillmill.data.remote.object_store import ObjectStore
from skillmill.flows.ranges.stop import ask_to_stop

CommandLine = Callable[..., tuple[int, str, str]]
SECRET = "testing-secret"


class Site:
    """A bucket, a folder of a run to be at `url`, and a machine with the caches in `folder / "cache"`."""

    def __init__(self, s3: S3Server, folder: Path, call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3, self.folder, self.call, self.monkeypatch = s3, folder, call, monkeypatch
        self.url = f"s3://{s3.bucket()}/data/run"
        self.use("cache")

    def use(self, machine: str) -> None:
        """Be the machine whose caches are in a folder of this name."""
        for name, value in self.s3.environment(self.folder / machine).items():
            self.monkeypatch.setenv(name, value)

    def configure(self, base_url: str, sections: dict[str, Any] | None = None, **generation: Any) -> Path:
        """Write a configuration with `output_dir` on the store, and go to its folder."""
        config = write_config(self.folder / "run", base_url, **generation)
        change(config, output_dir=self.url, **(sections or {}))
        self.monkeypatch.chdir(config.parent)
        return config

    def run(self, *command: str) -> tuple[int, str, str]:
        return self.call(*command, "-c", "skillmill.yaml")

    def committed(self) -> dict[str, bytes]:
        """Every file that is data, as `what_lies_there` gives those of a folder."""
        objects, tree = self.s3.objects(self.url), newest_commit(ObjectStore(self.url)).tree
        told = ("run.json", "report.html")
        return {path: objects[entry.key] for path, entry in tree.items() if Path(path).name not in told}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def site(s3: S3Server, tmp_path: Path, command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(s3, tmp_path, command_line, monkeypatch)


def change(config: Path, **sections: Any) -> None:
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | sections))


def without_manifests(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not path.endswith("manifest.jsonl")}


def test_killed_here_and_continued_elsewhere_it_ends_with_the_same_bytes(
    site: Site, scripted_server: Callable[..., Any]
) -> None:
    undisturbed = scripted_server(latency=0.03)
    whole = write_config(site.folder / "whole", undisturbed.base_url, samples=14, shard_rows=4)
    site.monkeypatch.chdir(whole.parent)
    assert site.run("run")[0] == 0
    requests = undisturbed.stats()["asked"]

    server = scripted_server(latency=0.03)
    killed = site.configure(server.base_url, samples=14, shard_rows=4)
    for shards in (0, 2):
        process = start(killed)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if server.stats()["asked"] > requests // 4 and site.s3.count(f"{site.url}/shards/") >= shards:
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert server.stats()["repeated"] <= 2 * IN_FLIGHT  # a machine that has its journal asks nothing again
    assert any(entry.shard for entry in newest_commit(ObjectStore(site.url)).tree.values())
    assert site.call("status", site.url)[1].startswith(f"{site.url}: running, or killed (process ")

    site.use("elsewhere")
    assert site.run("run")[0] == 0
    assert site.committed() == without_manifests(what_lies_there(whole))
    asked = server.stats()["asked"]
    assert asked - server.stats()["repeated"] == requests
    site.use("cache")  # back on the first machine
    code, printed, said = site.run("run")
    assert (code, server.stats()["asked"]) == (0, asked)
    assert "nothing left to do" in said
    assert f"{site.url}/export" in printed


def test_others_read_it_and_a_refresh_adds_to_it(site: Site, scripted_server: Callable[..., Any]) -> None:
    sections = {"refresh": {"samples": 6}, "pairs": {"sources": ["draft"]}, "export": {}}
    site.configure(scripted_server().base_url, sections, samples=10)
    ran = site.run("run")
    site.use("elsewhere")
    refreshed = site.run("refresh")
    url, files = site.url, site.s3.files()
    assert (ran[0], refreshed[0], refreshed[1].split()) == (0, 0, ["v2", f"{url}/export"])

    shards = pads.dataset(f"{url}/shards".removeprefix("s3://"), filesystem=files, format="parquet").to_table()
    assert shards.num_rows == 16
    sft = pads.dataset(f"{url}/export/sft".removeprefix("s3://"), filesystem=files, format="parquet").to_table()
    site.monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)  # for which s3:// is the network too
    loaded = datasets.load_dataset(
        "parquet",
        data_files={"train": f"{url}/export/sft/train-*.parquet"},
        storage_options=site.s3.options,
        cache_dir=str(site.folder / "datasets"),
    )["train"]
    accepted = shards.filter(pads.field("verdict") == "accepted")
    assert sorted(loaded["id"]) == sorted(sft["id"].to_pylist()) == sorted(accepted["id"].to_pylist())
    [export] = (site.folder / "elsewhere" / "skillmill" / "runs").glob("*/output/export")
    assert site.s3.objects(f"{url}/export") == {
        str(path.relative_to(export)): path.read_bytes() for path in export.rglob("*") if path.is_file()
    }

    code, told, _ = site.call("status", f"{url}/")
    assert (code, told.splitlines()[0]) == (0, f"{url}: finished")
    assert f"{url}/report.html" in told
    assert site.run("export", "--format", "alpaca")[0] == 0
    assert files.exists(f"{url}/export/formats/alpaca/train-v0001-{shards['plan'][0].as_py()[:8]}-00000.jsonl")
    assert site.call("taxonomy", "show", "builtin:language", "--run", url)[0] == 0
    ask_to_stop(url, "a call that was killed")
    assert files.exists(f"{url}/ranges/.stop-a call that was killed")
    files.pipe_file(f"{url}/objects/run.json-000000000001-0123456789abcdef", b"of a lost upload")
    assert site.call("clean", url)[:2] == (0, "16 bytes are free\n")
    assert not files.exists(f"{url}/ranges")

    everywhere = [*map(str, (*ran, *refreshed)), told, *map(repr, site.s3.objects(url).values())]
    everywhere += [repr(path.read_bytes()) for path in site.folder.rglob("*") if path.is_file()]
    assert not any(SECRET in text for text in everywhere)


def test_of_two_runs_at_once_one_ends_with_one_line_and_then_goes_on(
    site: Site, scripted_server: Callable[..., Any]
) -> None:
    server = scripted_server(latency=0.03)
    config = site.configure(server.base_url, {"pairs": {"sources": []}}, samples=20)
    processes = []
    for machine in ("first", "second"):
        site.use(machine)
        processes.append(start(config, "generate"))
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1], errors
    [lost] = [number for number, process in enumerate(processes) if process.returncode == 1]
    assert (
        errors[lost].strip().splitlines()[-1].startswith(f"skillmill: output_dir: {site.url}: another run has stored")
    )
    assert "Traceback" not in errors[lost]
    before, asked = site.committed(), server.stats()["asked"]
    site.use(("first", "second")[lost])
    assert site.run("generate")[0] == 0
    assert (site.committed(), server.stats()["asked"]) == (before, asked)


def test_ranges_on_a_store_are_merged(site: Site, scripted_server: Callable[..., Any]) -> None:
    config = site.configure(scripted_server().base_url, samples=8)
    assert site.run("generate", "--set", "output_dir=out")[0] == 0
    for machine, part in (("first", "1/2"), ("second", "2/2")):
        site.use(machine)
        assert site.run("generate", "--range", part)[0] == 0
    site.use("third")
    code, printed, _ = site.run("merge")
    assert (code, printed.split(":")[0]) == (0, "merged 2 ranges")
    local = {path: content for path, content in what_lies_there(config).items() if path.startswith("shards/")}
    merged = {path: content for path, content in site.committed().items() if path.startswith("shards/")}
    assert merged == local


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "cannot list"),
        (["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"], "cannot write"),
        (["s3:GetObject", "s3:ListBucket", "s3:PutObject"], "cannot delete"),
    ],
)
def test_credentials_that_lack_a_right_are_one_line(site: Site, actions: list[str], message: str) -> None:
    site.configure("http://127.0.0.1:9/v1", samples=5)
    with site.s3.checked_rights(actions) as variables:
        for name, value in variables.items():
            site.monkeypatch.setenv(name, value)
        code, _, errors = site.run("run")
    assert (code, len(errors.splitlines())) == (1, 1), errors
    assert errors.startswith(f"skillmill: output_dir: {message} {site.url}")
    assert "expected the rights to list, read, write and delete objects" in errors
    assert variables["AWS_SECRET_ACCESS_KEY"] not in errors


@pytest.mark.parametrize(
    ("output_dir", "variables", "code", "message"),
    [
        ("s3://no-such-bucket/run", {}, 1, "output_dir: s3://no-such-bucket/run: there is no bucket no-such-bucket"),
        ("s3://bucket/run", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, 1, "output_dir: cannot list s3://bucket/run: "),
        ("s3://bucket/run", {"AWS_ACCESS_KEY_ID": ""}, 1, "output_dir: cannot list s3://bucket/run: "),
        ("s3://me:hidden@bucket/run", {}, 2, "output_dir: expected a URL without a user or password"),
        ("file:///tmp/run", {}, 2, "output_dir: expected a path or a URL that begins with s3://, gs://, az://"),
    ],
    ids=["no bucket", "nobody listens", "no credentials", "password", "scheme"],
)
def test_what_cannot_be_an_output_directory_is_one_line(
    site: Site, output_dir: str, variables: dict[str, str], code: int, message: str
) -> None:
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", **variables}.items():
        site.monkeypatch.setenv(name, value)
    site.configure("http://127.0.0.1:9/v1", samples=5)
    ended, printed, errors = site.run("run", "--set", f"output_dir={output_dir}")
    assert (ended, printed, len(errors.splitlines())) == (code, "", 1), errors
    assert errors.startswith(f"skillmill: {message}")
    assert "hidden" not in errors
    code, _, errors = site.call("status", output_dir)
    assert (code in (1, 2), len(errors.splitlines()), "hidden" in errors) == (True, 1, False)
