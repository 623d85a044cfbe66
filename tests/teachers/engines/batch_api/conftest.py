"""Batches are gathered and polled quickly."""

import pytest
from batch_calls import QUICK

from skillmill.teachers.engines.batch_api import batches


@pytest.fixture(autouse=True)
def quick_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PACE", QUICK)
