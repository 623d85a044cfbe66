"""The run of a training job: check, build the trainer, train, save, record; the same for SFT and DPO."""

import gc
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import replace_folder, store_errors, temporary_path
from skillmill.train.dataset import CACHE, dataset_checksum
from skillmill.train.job import Job, job_details, job_fingerprint
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.result import TrainResult, finished, record
from skillmill.train.student import student_name, student_path
from skillmill.train.trl_arguments import one_line

MakeTrainer = Callable[[Job, str, Path], Any]
"""Arguments: the job, the student's path or name, the work folder. Returns a TRL trainer that writes to that folder."""


def run_job(job: Job, make_trainer: MakeTrainer) -> TrainResult:
    """Train, or return the recorded result if `output_dir` has one with the same fingerprint.

    The trainer writes to a hidden work folder, which replaces `output_dir` when it is complete. Raises
    `SkillmillError`; `output_dir` is then unchanged.
    """
    checksum = dataset_checksum(job)
    fingerprint = job_fingerprint(job, checksum)
    earlier = finished(job.output_dir)
    if earlier and earlier.fingerprint == fingerprint:
        return earlier

    require_extra()
    student = student_path(job.student)
    work = temporary_path(job.output_dir)
    try:
        with _write_errors(job):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
        with offline_and_quiet():
            trainer = _build_trainer(job, make_trainer, student, work)
            _train(job, trainer)
            logs = trainer.state.log_history
            result = TrainResult(
                stage=job.stage,
                path=job.output_dir,
                fingerprint=fingerprint,
                student=student_name(job.student),
                adapter=hasattr(trainer.model, "peft_config"),
                rows=len(trainer.train_dataset),
                steps=trainer.state.global_step,
                losses=tuple(entry["loss"] for entry in logs if "loss" in entry),
            )
            _save_weights(job, trainer, student, work)
        with _write_errors(job):
            record(work, result, logs, job_details(job, checksum))
        replace_folder(work, job.output_dir)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        gc.collect()  # trainers have reference cycles: without this the SFT model stays in memory during DPO
    return result


def _build_trainer(job: Job, make_trainer: MakeTrainer, student: str, work: Path) -> Any:
    from transformers import PrinterCallback

    try:
        trainer = make_trainer(job, student, work)
    except (TypeError, ValueError, NotImplementedError, OSError) as error:
        raise ConfigError(f"train.{job.stage}: {one_line(error)}") from error
    trainer.remove_callback(PrinterCallback)  # it prints to standard output; log.jsonl has the same entries
    if not len(trainer.train_dataset):
        raise SkillmillError(f"train: no row of {job.configuration!r} has room for an answer in max_length tokens")
    return trainer


def _train(job: Job, trainer: Any) -> None:
    import torch

    try:
        trainer.train()
    except torch.OutOfMemoryError:
        raise SkillmillError(
            f"train.{job.stage}: out of memory; lower train.{job.stage}.args.per_device_train_batch_size"
        ) from None


def _save_weights(job: Job, trainer: Any, student: str, work: Path) -> None:
    """Save the tokenizer and the adapter, or the full model in the dtype of the student's own files."""
    from transformers import AutoConfig

    model = trainer.model
    if not hasattr(model, "peft_config"):
        model.to(AutoConfig.from_pretrained(student).dtype)
    elif "ref" in model.peft_config:
        model.delete_adapter("ref")  # DPO's frozen copy of the SFT adapter
    with _write_errors(job):
        trainer.save_model(str(work))
        (work / "training_args.bin").unlink(missing_ok=True)  # a pickle with local paths; train.json has the arguments
        shutil.rmtree(work / CACHE, ignore_errors=True)


def _write_errors(job: Job) -> AbstractContextManager[None]:
    return store_errors(f"train.{job.stage}: cannot write {job.output_dir}")
