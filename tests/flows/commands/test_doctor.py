"""`skillmill doctor`: one line a finding, and exit code 1 only if something that every run needs is missing."""

import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace

import pytest

from skillmill.flows.commands import doctor

CommandLine = Callable[..., tuple[int, str, str]]


def without(*missing: str) -> Callable[[str], str]:
    """Return an `importlib.metadata.version` that does not find the packages `missing`."""

    def fake_version(package: str) -> str:
        if package in missing:
            raise PackageNotFoundError(package)
        return version(package)

    return fake_version


def test_a_machine_with_everything(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    code, out, err = command_line("doctor")
    assert (code, err) == (0, "")
    assert {line[:7] for line in out.splitlines()} <= {"ok     ", "absent "}
    assert f"ok      prefect {version('prefect')}\n" in out
    assert "ok      50 GB free for " in out


def test_a_missing_package_is_an_error_and_the_remedy_is_named(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version", without("fastapi"))
    code, out, _ = command_line("doctor")
    assert code == 1
    assert "MISSING fastapi: pip install skillmill\n" in out


def test_what_only_some_runs_need_is_no_error(
    command_line: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    monkeypatch.setattr(doctor, "version", without("xllamacpp"))
    monkeypatch.setattr(doctor, "find_spec", lambda package: None)
    monkeypatch.setattr(doctor, "cache_dir", lambda: tmp_path / "new" / "cache")
    code, out, _ = command_line("doctor")
    assert code == 0
    assert "absent  xllamacpp: " in out
    assert 'absent  extra train: pip install "skillmill[train]"' in out
    assert "absent  embedded model: fetched at the first use" in out


def test_a_full_disk_is_an_error(command_line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e9))
    code, out, _ = command_line("doctor")
    assert code == 1
    assert "MISSING 1 GB free for " in out
