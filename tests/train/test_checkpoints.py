"""A training that was stopped continues from its newest checkpoint and ends as an undisturbed one."""

import logging
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from skillmill.data.files import sha256_of
from skillmill.train.checkpoints import COMPLETE, checkpoint_folder, keep_newest_checkpoint
from skillmill.train.config import SftConfig, TrainConfig
from skillmill.train.job import Job, job_fingerprint
from skillmill.train.methods.dpo import train_dpo
from skillmill.train.methods.sft import train_sft
from skillmill.train.quiet import require_extra
from skillmill.train.result import TrainResult

from .conftest import ROOMY, config
from .tiny_students import write_student

SEED = 1
LORA = {"r": 4, "dropout": 0.1}
STEPS: dict[str, Any] = {**ROOMY, "max_steps": 8, "save_steps": 2}  # eight rows in batches of two: two epochs
MINE = "mine"


def write_checkpoint(folder: Path, step: int, fingerprint: str | None = MINE) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "optimizer.pt").write_bytes(b"12345")
    if fingerprint:
        marker = {"fingerprint": fingerprint, "sizes": {"optimizer.pt": 5}}
        (checkpoint / COMPLETE).write_bytes(orjson.dumps(marker))
    return checkpoint


def test_the_newest_complete_checkpoint_counts_and_others_are_deleted(tmp_path: Path) -> None:
    folder = checkpoint_folder(tmp_path / "exp[k=3]*")
    for step in (9, 10):
        write_checkpoint(folder, step)
    write_checkpoint(folder, 11, fingerprint="of other rows")
    write_checkpoint(folder, 12, fingerprint=None)
    (write_checkpoint(folder, 13) / "optimizer.pt").write_bytes(b"123")
    (write_checkpoint(folder, 14) / "optimizer.pt").unlink()
    (write_checkpoint(folder, 15) / COMPLETE).write_bytes(b'{"fingerprint": "mi')
    (folder / "checkpoint-x").mkdir()
    (folder / "README.md").write_text("TRL's own card")
    newest = keep_newest_checkpoint(folder, MINE)
    assert newest == folder / "checkpoint-10"
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-10", "checkpoint-9"]
    assert keep_newest_checkpoint(folder, "changed settings") is None
    assert not folder.exists()


def test_resume_from_checkpoint_is_refused_in_one_line() -> None:
    for stage in ("sft", "dpo"):
        with pytest.raises(ValidationError, match="`resume_from_checkpoint` is chosen by skillmill: the newest"):
            TrainConfig.model_validate({stage: {"args": {"resume_from_checkpoint": "nowhere"}}})


def test_checkpoints_do_not_make_another_training_of_it(tmp_path: Path) -> None:
    def fingerprint(**args: Any) -> str:
        job = Job("sft", SftConfig(args=args), None, tmp_path, "sft", ("prompt", "completion"), tmp_path, SEED)
        return job_fingerprint(job, "rows")

    assert fingerprint() == fingerprint(save_steps=500) == fingerprint(save_strategy="epoch", save_total_limit=1)
    assert fingerprint() != fingerprint(max_steps=1)


def test_checkpoints_that_are_asked_for_are_all_kept() -> None:
    asked = SftConfig(args={"save_strategy": "epoch"})
    assert asked.keeps_checkpoints and "save_total_limit" not in asked.trl_args()
    assert not SftConfig().keeps_checkpoints and SftConfig().trl_args()["save_total_limit"] == 2


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_extra()
    return write_student(tmp_path_factory.mktemp("student") / "tiny")


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "adapter": ("sft", {"sft": {"lora": LORA, "args": STEPS}, "dpo": None}),
    "all weights": ("sft", {"sft": {"lora": None, "args": {**STEPS, "save_strategy": "steps"}}, "dpo": None}),
    "dpo of an adapter": ("dpo", {"sft": {"lora": LORA, "args": {**ROOMY, "max_steps": 1}}, "dpo": {"args": STEPS}}),
}


@pytest.mark.train
@pytest.mark.parametrize(
    ("case", "event", "step", "name", "kept"),
    [
        ("adapter", "on_step_end", 5, "SIGKILL", 4),
        ("all weights", "on_save", 6, "SIGKILL", 4),  # the third checkpoint is not marked yet
        ("dpo of an adapter", "on_train_end", 8, "SIGINT", 6),  # the last step is inside an epoch of three steps
    ],
)
def test_a_stopped_training_continues_with_the_same_losses(
    case: str, event: str, step: int, name: str, kept: int, student: Path, dataset: Path, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    stage, block = CASES[case]
    settings = config(student=str(student), **block)
    undisturbed, stopped = tmp_path / "undisturbed", tmp_path / "exp[k=3]"
    expected = train(settings, stage, dataset, undisturbed)
    if stage == "dpo":
        train_sft(settings, dataset, stopped / "sft", SEED)

    command = [sys.executable, str(Path(__file__).parent / "stopped_training.py"), settings.model_dump_json()]
    command += [str(dataset), str(stopped), stage, event, str(step), name]
    # A job that a shell put in the background ignores Ctrl-C, and so would its children.
    heeds_ctrl_c = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=heeds_ctrl_c)
    assert done.returncode == -signal.Signals[name], done.stderr
    if name == "SIGINT":
        assert f"train {stage}: stopped after step {step}; the checkpoint after step {kept} is kept" in done.stderr

    caplog.set_level(logging.INFO)
    result = train(settings, stage, dataset, stopped)
    assert f"train {stage}: continues from the checkpoint after step {kept}" in caplog.messages
    assert result.losses == expected.losses and result.steps == 8
    assert result.held_out == expected.held_out
    assert [step for step, _ in result.held_out] == ([0, 3, 6, 8] if stage == "dpo" else [0, 4, 8])
    assert checksum(result) == checksum(expected)
    left = {path.name for path in stopped.iterdir() if path.name.startswith(".")}
    assert left == set()
    kept_in_result = {path.name for path in result.path.glob("checkpoint-*")}
    assert kept_in_result == ({f"checkpoint-{n}" for n in (2, 4, 6, 8)} if case == "all weights" else set())


def train(settings: TrainConfig, stage: str, dataset: Path, folder: Path) -> TrainResult:
    if stage == "sft":
        return train_sft(settings, dataset, folder / "sft", SEED)
    sft = train_sft(settings, dataset, folder / "sft", SEED)
    return train_dpo(settings, dataset, folder / "dpo", sft.path, SEED)


def checksum(result: TrainResult) -> str:
    return sha256_of(result.path / ("adapter_model.safetensors" if result.adapter else "model.safetensors"))
