"""Fixtures of the tests of graded runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graded_runs import Runs


@pytest.fixture
def runs(tmp_path: Path, scripted_server: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.chdir(tmp_path)
    return Runs(tmp_path, scripted_server(), scripted_server(bad="doing c"))
