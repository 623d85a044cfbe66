"""What a run imports before its first request."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

LATER = (
    "pandas pyarrow prefect datasets torch sklearn scipy loky rich skillmill.skill_taxonomy.checkers "
    "skillmill.skill_taxonomy.extraction.from_teacher skillmill.train.check skillmill.filters.shirker.model"
).split()
"""Modules that take long to import and that a run needs after its first requests, or not at all."""

GENERATOR = f"""
import sys
from pathlib import Path

from skillmill.generators.instruct_skill_mix import InstructSkillMix


class Watched(InstructSkillMix):
    async def make(self, cell, teacher):
        imported = Path(__file__).with_name("imported.txt")
        if not imported.exists():
            imported.write_text(" ".join(name for name in {LATER} if name in sys.modules))
        return await super().make(cell, teacher)
"""


def test_before_its_first_request_a_run_imports_nothing_that_can_wait(
    tmp_path: Path, scripted_server: Callable[..., Any]
) -> None:
    (tmp_path / "watched.py").write_text(GENERATOR)
    config = {
        "output_dir": "out",
        "teacher": {"kind": "openai", "model": "scripted", "base_url": scripted_server().base_url},
        "generation": {"kind": "watched:Watched", "samples": 2},
    }
    (tmp_path / "skillmill.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "skillmill.flows.cli", "generate", "-c", "skillmill.yaml"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "imported.txt").read_text() == ""
