"""A small Hub that the process under test takes for the real one, and a dataset folder to publish."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer
from huggingface_hub import constants

from skillmill.data.hub.publish import Publication, PublishResult, Release, publish_release
from skillmill.data.hub.session import hub_session, open_repository

NAME = "someone/skills"
Publish = Callable[..., PublishResult]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub on loopback, with the token of somebody who may write."""
    with HubServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        # `huggingface_hub` reads two of them once, when it is imported.
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset folder: files in large file storage, regular ones and an empty one."""
    contents = {
        "README.md": b"---\nlicense: apache-2.0\n---\n# skills v1\n",
        "version.json": b'{"version": "v1"}',
        "sft/train-v0001.parquet": b"PAR1 first" * 100,
        "sft/notes.txt": b"",
        "preference/train-v0001.parquet": b"PAR1 pairs" * 100,
    }
    for path, content in contents.items():
        write(tmp_path / "export" / path, content)
    return tmp_path / "export"


@pytest.fixture
def publish(folder: Path) -> Publish:
    """Publish the folder: `publish("v2", earlier=["v1"])`. The checksum of a version is made of its name."""

    def call(version: str = "v1", earlier: tuple[str, ...] = (), **options: object) -> PublishResult:
        publication = Publication(folder, release(version), tuple(map(release, earlier)), **options)  # type: ignore[arg-type]
        repository = open_repository(NAME)
        with hub_session(repository.token):
            return publish_release(publication, repository, first_pause_s=0.01)

    return call


def release(version: str) -> Release:
    return Release(version, version.removeprefix("v") * 64)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
