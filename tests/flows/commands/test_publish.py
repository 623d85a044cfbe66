"""`skillmill publish`: the command as a process, killed between the calls; and what it needs of a run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from example_rows import example_row
from exports import export_stores
from hub_server import HubServer

from skillmill.data.errors import SkillmillError
from skillmill.data.records import Sample
from skillmill.data.store import grade_store, pair_store, sample_store
from skillmill.flows.commands.publish import preview_publication, publish
from skillmill.flows.config import Config, load_config
from skillmill.flows.pipeline import run

PLAN = "a" * 16
NAME = "someone/skills"


def add_version(root: Path, number: int = 1) -> None:
    """Export a further version of an output directory."""
    stores = sample_store(root), pair_store(root), grade_store(root)
    for store in stores:
        store.recover()
    first = 10 * number
    rows = [example_row(Sample(f"Question {number}?", "Answer."), PLAN, first)]
    stores[0].commit(PLAN, first, first + 10, rows, 1, 1)
    export_stores(stores, {PLAN: "c" * 16})


def write_config(folder: Path, **export: Any) -> Path:
    content = {
        "output_dir": str(folder / "out"),
        "teacher": {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"},
        "export": {"repo_id": NAME} | export,
    }
    path = folder / "skillmill.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def command(config: Path, hub: HubServer, *options: str, **variables: str) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-m", "skillmill.flows.cli", "publish", "-c", str(config), *options]
    environment = {**os.environ, **hub.environment, **variables}
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=config.parent
    )


def test_a_process_killed_between_any_two_calls_is_finished_by_the_same_command(tmp_path: Path) -> None:
    add_version(tmp_path / "out")
    config = write_config(tmp_path)
    # Each process gets further than the one before: it is killed before or after a call has its effect. The calls in
    # between fail in tests/data/hub/test_faults.py.
    moments = [
        ("create", True),
        ("preupload", True),
        ("put", True),
        ("commit", False),
        ("commit", True),
        ("tag", True),
    ]
    with HubServer() as hub:
        for call, has_effect in moments:
            hold = hub.hold(call, has_effect)
            process = command(config, hub)
            assert hold.came.wait(120), (call, has_effect)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
            del hub.holds[call]
            hold.is_dropped = True
            hold.release.set()
        process = command(config, hub)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        repo = hub.repos[NAME]
        assert [commit.title[:12] for commit in repo.history("main")] == ["skillmill v1", "initial comm"]
        assert repo.tags == {"v1": repo.main}
        assert out == f"v1         {hub.address}/datasets/{NAME}/tree/v1\n"
        assert err == f"publish: nothing to do, v1 in {NAME} is published\n"
        local = {path.read_bytes() for path in (tmp_path / "out" / "export").rglob("*") if path.is_file()}
        assert local == {blob.content for path, blob in repo.head.files.items() if path != ".gitattributes"}


def test_the_command_lists_publishes_and_names_the_version(tmp_path: Path) -> None:
    add_version(tmp_path / "out")
    config = write_config(tmp_path)
    with HubServer() as hub:
        out, err = (listed := command(config, hub, "--dry-run")).communicate(timeout=120)
        assert listed.returncode == 0, err
        assert "new        README.md\n" in out
        assert f"publish: v1 would go to {hub.address}/datasets/{NAME}: " in err
        assert hub.repos == {}
        out, err = (refused := command(config, hub, HF_TOKEN="hf_reader")).communicate(timeout=120)
        assert (refused.returncode, out) == (1, "")
        assert err.count("\n") == 1
        assert err.startswith("skillmill: HF_TOKEN: cannot create someone/skills: the token has no right to do so (403")
        assert "hf_reader" not in err
        out, err = (published := command(config, hub)).communicate(timeout=120)
        assert published.returncode == 0, err
        assert err.splitlines()[-1] == f"publish: v1 in {NAME} is published"
        assert "hf_writer" not in out + err


def test_a_run_publishes_what_it_exported(
    tmp_path: Path,
    scripted_server: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from huggingface_hub import constants

    server = scripted_server()
    settings = [f"teacher.base_url={server.base_url}", "generation.samples=3"]
    config = load_config(write_config(tmp_path), settings)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        with pytest.raises(SkillmillError, match="HF_TOKEN: expected a token"):
            run(config)
        assert server.stats()["asked"] == 0
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        run(config)
        run(config)
        assert "differs" not in caplog.text  # an export that is repeated has the same card
        assert hub.repos[NAME].tags == {"v1": hub.repos[NAME].main}
        assert len(hub.repos[NAME].history("main")) == 2


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path))


def test_a_public_dataset_needs_a_license(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, private=False))
    with pytest.raises(
        SkillmillError, match=r"teacher\.license: expected the licence .* or publish with --yes"
    ) as told:
        publish(config)
    assert told.value.exit_code == 2


def test_a_repository_is_needed(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, repo_id=None))
    with pytest.raises(SkillmillError, match=r"export\.repo_id: expected the dataset repository"):
        publish(config)


@pytest.mark.parametrize("repo_id", ["skills", "a/b/c", "https://huggingface.co/a/b", "a b/c", "", "-a/b.git"])
def test_a_repository_id_that_is_none_is_told(tmp_path: Path, repo_id: str) -> None:
    with pytest.raises(SkillmillError, match=r"export\.repo_id: expected owner/name"):
        load_config(write_config(tmp_path, repo_id=repo_id))


@pytest.mark.parametrize("call", [publish, preview_publication])
def test_what_is_published_is_a_version(config: Config, monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SkillmillError, match="has no version to publish: run `skillmill run` first"):
        call(config)
    assert not config.output.exists()
    add_version(config.output)
    file = next((config.output / "export" / "sft").glob("*.parquet"))
    file.write_bytes(b"other rows")
    with pytest.raises(SkillmillError, match="does not hold the rows of v1: run `skillmill export` first"):
        call(config)


@pytest.mark.parametrize("parent", ["main", "abc", "g" * 40, "../x"])
def test_a_parent_is_a_commit(config: Config, monkeypatch: pytest.MonkeyPatch, parent: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    with pytest.raises(SkillmillError, match="--parent: expected a commit, at least 7 of its 40 hex digits, got"):
        publish(config, parent=parent)
