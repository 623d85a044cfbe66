"""A student with one token a byte, and an export of rows."""

from pathlib import Path

import pytest

from skillmill.train.quiet import require_extra

from ..rows.conftest import export
from ..tiny_students import write_student

__all__ = ["export"]


@pytest.fixture(scope="package")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_extra()
    return write_student(tmp_path_factory.mktemp("student") / "tiny")
