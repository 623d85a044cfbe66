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

CommandLine = Callable[..., tuple[int, str, str]]
SECRET = "testing-secret"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def url(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    use_cache(s3, tmp_path / "cache", monkeypatch)
    return f"s3://{s3.bucket()}/data/run"


def use_cache(s3: S3Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a machine whose caches are in a folder."""
    for name, value in s3.environment(cache).items():
        monkeypatch.setenv(name, value)


def change(config: Path, **sections: Any) -> None:
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | sections))


def what_is_committed(s3: S3Server, url: str) -> dict[str, bytes]:
    """Every file that is data, as `what_lies_there` gives those of a folder."""
    objects, tree = s3.objects(url), newest_commit(ObjectStore(url)).tree
    return {
        path: objects[entry.key] for path, entry in tree.items() if Path(path).name not in ("run.json", "report.html")
    }


def without_manifests(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not path.endswith("manifest.jsonl")}


def test_killed_here_and_continued_elsewhere_it_ends_with_the_same_bytes(
    s3: S3Server,
    url: str,
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed = scripted_server(latency=0.03)
    whole = write_config(tmp_path / "whole", undisturbed.base_url, samples=14, shard_rows=4)
    monkeypatch.chdir(whole.parent)
    assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    requests = undisturbed.stats()["asked"]

    server = scripted_server(latency=0.03)
    killed = write_config(tmp_path / "killed", server.base_url, samples=14, shard_rows=4)
    change(killed, output_dir=url)
    for shards in (0, 2):
        process = start(killed)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if server.stats()["asked"] > requests // 4 and s3.count(f"{url}/shards/") >= shards:
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    monkeypatch.chdir(killed.parent)
    assert server.stats()["repeated"] <= 2 * IN_FLIGHT  # a machine that has its journal asks nothing again
    assert any(entry.shard for entry in newest_commit(ObjectStore(url)).tree.values())

    assert command_line("status", url)[1].startswith(f"{url}: running, or killed (process ")

    use_cache(s3, tmp_path / "elsewhere", monkeypatch)
    assert command_line("run", "-c", "skillmill.yaml")[0] == 0
    assert what_is_committed(s3, url) == without_manifests(what_lies_there(whole))
    asked = server.stats()["asked"]
    assert asked - server.stats()["repeated"] == requests
    use_cache(s3, tmp_path / "cache", monkeypatch)  # back on the first machine
    code, printed, said = command_line("run", "-c", "skillmill.yaml")
    assert (code, server.stats()["asked"]) == (0, asked)
    assert "nothing left to do" in said
    assert f"{url}/export" in printed


def test_others_read_it_and_a_refresh_adds_to_it(
    s3: S3Server,
    url: str,
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = write_config(tmp_path / "run", scripted_server().base_url, samples=10)
    change(config, output_dir=url, refresh={"samples": 6}, pairs={"sources": ["draft"]}, export={})
    monkeypatch.chdir(config.parent)
    ran = command_line("run", "-c", "skillmill.yaml")
    use_cache(s3, tmp_path / "elsewhere", monkeypatch)
    refreshed = command_line("refresh", "-c", "skillmill.yaml")
    assert (ran[0], refreshed[0], refreshed[1].split()) == (0, 0, ["v2", f"{url}/export"])

    files = s3.files()
    shards = pads.dataset(f"{url}/shards".removeprefix("s3://"), filesystem=files, format="parquet").to_table()
    assert shards.num_rows == 16
    sft = pads.dataset(f"{url}/export/sft".removeprefix("s3://"), filesystem=files, format="parquet").to_table()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)  # for which s3:// is the network too
    loaded = datasets.load_dataset(
        "parquet",
        data_files={"train": f"{url}/export/sft/train-*.parquet"},
        storage_options=s3.options,
        cache_dir=str(tmp_path / "datasets"),
    )["train"]
    accepted = shards.filter(pads.field("verdict") == "accepted")
    assert sorted(loaded["id"]) == sorted(sft["id"].to_pylist()) == sorted(accepted["id"].to_pylist())
    copy = tmp_path / "elsewhere" / "skillmill" / "runs"
    [export] = copy.glob("*/output/export")
    assert s3.objects(f"{url}/export") == {
        str(path.relative_to(export)): path.read_bytes() for path in export.rglob("*") if path.is_file()
    }

    code, told, _ = command_line("status", f"{url}/")
    assert (code, told.splitlines()[0]) == (0, f"{url}: finished")
    assert f"{url}/report.html" in told
    assert command_line("export", "-c", "skillmill.yaml", "--format", "alpaca")[0] == 0
    assert files.exists(f"{url}/export/formats/alpaca/train-v0001-{shards['plan'][0].as_py()[:8]}-00000.jsonl")
    assert command_line("taxonomy", "show", "builtin:language", "--run", url)[0] == 0
    files.pipe_file(f"{url}/objects/run.json-000000000001-0123456789abcdef", b"of a lost upload")
    assert command_line("clean", url)[:2] == (0, "16 bytes are free\n")

    everywhere = [*map(str, (*ran, *refreshed)), told, *map(repr, s3.objects(url).values())]
    everywhere += [repr(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET in text for text in everywhere)


def test_of_two_runs_at_once_one_ends_with_one_line_and_then_goes_on(
    s3: S3Server,
    url: str,
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = scripted_server(latency=0.03)
    config = write_config(tmp_path / "run", server.base_url, samples=20)
    change(config, output_dir=url, pairs={"sources": []})
    processes = []
    for machine in ("first", "second"):
        use_cache(s3, tmp_path / machine, monkeypatch)
        processes.append(start(config, "generate"))
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1], errors
    [lost] = [number for number, process in enumerate(processes) if process.returncode == 1]
    assert errors[lost].strip().splitlines()[-1].startswith(f"skillmill: output_dir: {url}: another run has stored")
    assert "Traceback" not in errors[lost]
    before, asked = what_is_committed(s3, url), server.stats()["asked"]
    use_cache(s3, tmp_path / ("first", "second")[lost], monkeypatch)
    monkeypatch.chdir(config.parent)
    assert command_line("generate", "-c", "skillmill.yaml")[0] == 0
    assert (what_is_committed(s3, url), server.stats()["asked"]) == (before, asked)


def test_ranges_on_a_store_are_merged(
    s3: S3Server,
    url: str,
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = scripted_server()
    config = write_config(tmp_path / "run", server.base_url, samples=8)
    monkeypatch.chdir(config.parent)
    assert command_line("generate", "-c", "skillmill.yaml")[0] == 0
    change(config, output_dir=url)
    for machine, part in (("first", "1/2"), ("second", "2/2")):
        use_cache(s3, tmp_path / machine, monkeypatch)
        assert command_line("generate", "-c", "skillmill.yaml", "--range", part)[0] == 0
    use_cache(s3, tmp_path / "third", monkeypatch)
    code, printed, _ = command_line("merge", "-c", "skillmill.yaml")
    assert (code, printed.split(":")[0]) == (0, "merged 2 ranges")
    local = {path: content for path, content in what_lies_there(config).items() if path.startswith("shards/")}
    merged = {path: content for path, content in what_is_committed(s3, url).items() if path.startswith("shards/")}
    assert merged == local


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "cannot list"),
        (["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"], "cannot write"),
        (["s3:GetObject", "s3:ListBucket", "s3:PutObject"], "cannot delete"),
    ],
)
def test_credentials_that_lack_a_right_are_one_line(
    s3: S3Server,
    url: str,
    tmp_path: Path,
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    actions: list[str],
    message: str,
) -> None:
    write_config(tmp_path / "run", "http://127.0.0.1:9/v1", samples=5)
    with s3.checked_rights(actions) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code, _, errors = command_line("run", "-c", "run/skillmill.yaml", "--set", f"output_dir={url}")
    assert (code, len(errors.splitlines())) == (1, 1), errors
    assert errors.startswith(f"skillmill: output_dir: {message} {url}")
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
    url: str,
    tmp_path: Path,
    command_line: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    output_dir: str,
    variables: dict[str, str],
    code: int,
    message: str,
) -> None:
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", **variables}.items():
        monkeypatch.setenv(name, value)
    write_config(tmp_path / "run", "http://127.0.0.1:9/v1", samples=5)
    ended, printed, errors = command_line("run", "-c", "run/skillmill.yaml", "--set", f"output_dir={output_dir}")
    assert (ended, printed, len(errors.splitlines())) == (code, "", 1), errors
    assert errors.startswith(f"skillmill: {message}")
    assert "hidden" not in errors
    code, _, errors = command_line("status", output_dir)
    assert code in (1, 2)
    assert len(errors.splitlines()) == 1
