"""Rows are tokenised as TRL does it, and prepared as TRL would prepare them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from skillmill.data.errors import ConfigError
from skillmill.train.config import DpoConfig, SftConfig
from skillmill.train.job import Job
from skillmill.train.methods.sft import sft_job, sft_trainer
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.rows.load import check_rows, load_rows
from skillmill.train.watch.cuts import count_cuts

from ..conftest import ROOMY, config
from ..tiny_students import TEMPLATE, write_student
from .conftest import job_of

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_extra()
    return write_student(tmp_path_factory.mktemp("student") / "tiny")


def job_with(student: Path, export: Path, folder: Path, **args: Any) -> Job:
    sft = {"lora": None, "args": {**ROOMY, **args}}
    return sft_job(config(student=str(student), sft=sft, dpo=None), export, folder / "sft", 1)


OTHER = TEMPLATE.replace("\\n", " ").replace("{{ m['role'] }}", "{{ m['role'] | upper }}")
CASES: dict[str, dict[str, Any]] = {
    "whole": {"max_length": None},
    "roomy": {},
    "cut": {"max_length": 52},
    "left out": {"max_length": 47},
    "keep end": {"max_length": 30, "truncation_mode": "keep_end"},
    "whole loss": {"max_length": 47, "completion_only_loss": False},
    "template": {"chat_template_path": "TEMPLATE", "max_length": 52},
}


@pytest.mark.parametrize("case", CASES)
def test_the_prepared_rows_are_those_of_trl(
    case: str, student: Path, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = dict(CASES[case])
    if "chat_template_path" in args:
        (tmp_path / "other.jinja").write_text(OTHER)
        args["chat_template_path"] = str(tmp_path / "other.jinja")
    job = job_with(student, export, tmp_path, **args)
    rows = load_rows(job, tmp_path / "work")
    held_out = rows.select(range(4))
    with offline_and_quiet():
        ours = sft_trainer(job, str(student), rows, held_out)
        counted = count_cuts(job, ours, rows)
        monkeypatch.setattr("skillmill.train.methods.sft.prepared", lambda *_: None)
        trls = sft_trainer(job, str(student), rows, held_out)
    assert ours.row_tokens is not None and trls.row_tokens is None
    for one, other in ((ours.train_dataset, trls.train_dataset), (ours.eval_dataset, trls.eval_dataset)):
        assert one["input_ids"][:] == other["input_ids"][:]
        assert one["labels"][:] == other["labels"][:]
    assert counted == count_cuts(job, trls, rows)
    assert len(ours.train_dataset) == counted.rows - counted.left_out
    batch, expected = (next(iter(trainer.get_train_dataloader())) for trainer in (ours, trls))
    assert {name: value.tolist() for name, value in batch.items()} == {
        name: value.tolist() for name, value in expected.items()
    }


@pytest.mark.parametrize("args", [{"packing": True, "packing_strategy": "wrapped"}, {"shuffle_dataset": True}])
def test_trl_prepares_rows_that_it_packs_or_shuffles(
    args: dict[str, Any], student: Path, export: Path, tmp_path: Path
) -> None:
    job = job_with(student, export, tmp_path, **args)
    with offline_and_quiet():
        trainer = sft_trainer(job, str(student), load_rows(job, tmp_path / "work"), None)
    assert trainer.row_tokens is None and len(trainer.train_dataset) > 0


def test_rows_are_ordered_by_the_loss_of_the_student(student: Path, export: Path, tmp_path: Path) -> None:
    import torch

    sft = {"lora": None, "order": "loss", "args": ROOMY}
    job = sft_job(config(student=str(student), sft=sft, dpo=None), export, tmp_path / "sft", 1)
    rows = load_rows(job, tmp_path / "work")
    with offline_and_quiet():
        trainer = sft_trainer(job, str(student), rows, None)
    assert len(trainer.train_dataset) == len(rows) and trainer.args.train_sampling_strategy == "sequential"
    trainer.model.eval()
    losses = []
    for row in trainer.train_dataset:
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        with torch.no_grad():
            losses.append(float(trainer.model(input_ids=ids, labels=labels).loss))
    assert losses == pytest.approx(sorted(losses), abs=1e-4) and losses[0] < losses[-1]


@pytest.mark.parametrize("settings", [{"streaming": True}, {"phases": [{}, {}]}])
def test_the_order_by_loss_is_for_one_pass_over_known_rows(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="order: loss is expected without phases and streaming"):
        SftConfig.model_validate({"order": "loss", **settings})


def test_the_order_by_loss_is_for_sft(export: Path) -> None:
    with pytest.raises(ConfigError, match=r"^train\.dpo\.order: loss is expected with train\.sft without packing$"):
        check_rows(job_of("dpo", export, DpoConfig(order="loss")))
