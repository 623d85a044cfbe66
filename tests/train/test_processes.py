"""Trainings of several processes: the shipped configurations of launchers, and a training that the first one writes."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from skillmill.train.presets import LAUNCH_FILES
from skillmill.train.quiet import require_extra
from skillmill.train.result import finished

from .conftest import ROOMY, config, write_dataset
from .tiny_students import write_student

PROGRAM = """
import logging, sys
from pathlib import Path
from skillmill.train.config import TrainConfig
from skillmill.train.methods.sft import train_sft
if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    train_sft(TrainConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), 1)
"""


@pytest.mark.train
@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_accelerate_reads_the_shipped_configurations(name: str) -> None:
    require_extra()
    from accelerate.commands.config.config_args import load_config_from_file

    loaded = load_config_from_file(str(LAUNCH_FILES[name]))
    assert loaded.distributed_type.value == {"fsdp": "FSDP", "zero3": "DEEPSPEED"}[name]
    assert loaded.num_processes == 8


@pytest.mark.train
def test_two_processes_train_and_the_first_one_writes(tmp_path: Path) -> None:
    require_extra()
    student = write_student(tmp_path / "student")
    args = {**ROOMY, "num_train_epochs": 1, "save_steps": 1}
    settings = config(student=str(student), sft={"lora": {"r": 4}, "args": args}, dpo=None)
    data = write_dataset(tmp_path / "export", rows=8, pairs=1)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(program)]
    command += [settings.model_dump_json(), str(data), str(tmp_path / "out" / "sft")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = finished(tmp_path / "out" / "sft")
    assert result is not None and result.steps == 2  # eight rows in two batches of two at a time
    assert [step for step, _ in result.held_out] == [0, 2]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["sft"]
    assert done.stderr.count("held-out loss") == 2
    assert orjson.loads((result.path / "train.json").read_bytes())["result"]["steps"] == 2
