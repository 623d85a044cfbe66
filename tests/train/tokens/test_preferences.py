"""DPO and KTO get the tokens that TRL would make of their rows."""

from pathlib import Path
from typing import Any

import pytest

from skillmill.train.config import TrainConfig
from skillmill.train.job import Job
from skillmill.train.methods.continued import continued_job
from skillmill.train.methods.dpo import dpo_trainer
from skillmill.train.methods.kto import kto_trainer
from skillmill.train.quiet import offline_and_quiet
from skillmill.train.rows.load import load_rows
from skillmill.train.watch.cuts import count_cuts

from ..conftest import ROOMY

pytestmark = pytest.mark.train

TRAINERS = {"dpo": dpo_trainer, "kto": kto_trainer}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("dpo", {"max_length": None}),
    ("dpo", {"max_length": 52}),
    ("dpo", {"max_length": 47}),
    ("dpo", {"max_length": 30, "truncation_mode": "keep_end"}),
    ("kto", {"max_length": None}),
    ("kto", {"max_length": 47, "per_device_train_batch_size": 3}),
    ("kto", {"max_length": 52, "loss_type": "apo_zero_unpaired"}),
]


def job_with(stage: str, args: dict[str, Any], student: Path, export: Path, folder: Path) -> Job:
    block = {"student": str(student), stage: {"lora": None, "args": {**ROOMY, **args}}}
    return continued_job(TrainConfig.model_validate(block), stage, export, folder / stage, None, 1)


@pytest.mark.parametrize(("stage", "args"), CASES)
def test_the_rows_of_preferences_are_those_of_trl(
    stage: str, args: dict[str, Any], student: Path, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_with(stage, args, student, export, tmp_path)
    rows = load_rows(job, tmp_path / "work")
    held_out = rows.select(range(4))
    with offline_and_quiet():
        ours = TRAINERS[stage](job, str(student), rows, held_out)
        counted = count_cuts(job, ours, rows)
        monkeypatch.setattr(f"skillmill.train.methods.{stage}.in_batches", lambda trainer: trainer)
        trls = TRAINERS[stage](job, str(student), rows, held_out)
    assert ours.row_sizes is not None and not hasattr(trls, "row_sizes")
    for one, other in ((ours.train_dataset, trls.train_dataset), (ours.eval_dataset, trls.eval_dataset)):
        assert one.to_list() == other.select_columns(one.column_names).to_list()
    assert counted == count_cuts(job, trls, rows)
    assert len(ours.train_dataset) == counted.rows - counted.left_out > 0
    batch, expected = (next(iter(trainer.get_train_dataloader())) for trainer in (ours, trls))
    assert {name: value.tolist() for name, value in batch.items()} == {
        name: value.tolist() for name, value in expected.items()
    }


def test_a_trl_that_makes_other_tokens_makes_all_of_them(
    student: Path, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trl

    class Other(trl.DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Any, *given: Any) -> Any:
            made = super()._prepare_dataset(dataset, *given)
            return made.map(lambda row: {"prompt_ids": [0, *row["prompt_ids"]]})

    monkeypatch.setattr(trl, "DPOTrainer", Other)
    job = job_with("dpo", {}, student, export, tmp_path)
    rows = load_rows(job, tmp_path / "work")
    with offline_and_quiet():
        trainer = dpo_trainer(job, str(student), rows, None)
    assert trainer.row_sizes is None and len(trainer.train_dataset) == len(rows) > 16
    assert {row["prompt_ids"][0] for row in trainer.train_dataset} == {0}


def test_rows_without_room_for_an_answer_are_left_to_trl(student: Path, export: Path, tmp_path: Path) -> None:
    job = job_with("dpo", {"max_length": 5}, student, export, tmp_path)
    rows = load_rows(job, tmp_path / "work")
    with offline_and_quiet():
        trainer = dpo_trainer(job, str(student), rows, None)
    assert trainer.row_sizes is None and len(trainer.train_dataset) == 0
    assert count_cuts(job, trainer, rows).left_out == len(rows)
