"""The run of a training job: check, build the trainer, train, save, record; the same for all methods."""

import gc
import logging
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import replace_folder, store_errors, temporary_path
from skillmill.train.checkpoints import (
    PREFIX,
    checkpoint_callback,
    checkpoint_folder,
    keep_newest_checkpoint,
    move_checkpoints,
)
from skillmill.train.job import Job, job_details, job_fingerprint
from skillmill.train.processes import is_main_process, own_folder, wait_for_all
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.result import TrainResult, check_losses, finished, record
from skillmill.train.rows.facts import row_facts
from skillmill.train.rows.finish import finished_rows
from skillmill.train.rows.load import CACHE, load_job_rows, load_validation_rows, rows_checksum
from skillmill.train.student import student_name, student_path, window
from skillmill.train.trl_arguments import one_line
from skillmill.train.watch.cuts import Cuts, check_cuts, count_cuts
from skillmill.train.watch.held_out import FEWEST_ROWS, TRAINED_ON, HeldOut, hold_out
from skillmill.train.watch.progress import Progress, measure_apart, progress_callback

log = logging.getLogger(__name__)

MakeTrainer = Callable[[Job, str, Any, Any | None], Any]
"""Arguments: the job, the student's path or name, the rows to train on as a `datasets.Dataset`, and the rows to measure
on, if any. Returns a TRL trainer."""


def run_job(job: Job, make_trainer: MakeTrainer) -> TrainResult:
    """Train, or return the recorded result if `output_dir` has one with the same fingerprint.

    A training that was stopped continues from its newest complete checkpoint. The result is written to a hidden work
    folder, which replaces `output_dir` when it is complete. Of several processes of a training, the first one writes.
    Raises `SkillmillError`; `output_dir` is then unchanged.
    """
    checksum = rows_checksum(job)
    fingerprint = job_fingerprint(job, checksum)
    earlier = finished(job.output_dir)
    if earlier and earlier.fingerprint == fingerprint:
        wait_for_all()
        _settle_checkpoints(job)
        return earlier

    require_extra()
    student = student_path(job.student)
    work = own_folder(temporary_path(job.output_dir))
    try:
        with _write_errors(job):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            if not is_main_process():
                wait_for_all()
            checkpoint = keep_newest_checkpoint(checkpoint_folder(job.output_dir), fingerprint)
            if is_main_process():
                wait_for_all()
            loaded = load_job_rows(job, work)
        with offline_and_quiet():
            rows = _split_rows(job, loaded.dataset, work)
            trainer, cuts = _build_trainer(job, make_trainer, student, rows)
            progress = Progress(job.settings.measure)
            measure_apart(trainer, progress)
            trainer.add_callback(progress_callback(job.stage, progress, trainer))
            trainer.add_callback(checkpoint_callback(fingerprint))
            _train(job, trainer, checkpoint, fingerprint)
            logs = trainer.state.log_history
            result = TrainResult(
                stage=job.stage,
                path=job.output_dir,
                fingerprint=fingerprint,
                student=student_name(job.student),
                adapter=hasattr(trainer.model, "peft_config"),
                rows=_streamed_rows(trainer) if job.settings.streaming else cuts.rows - cuts.left_out,
                steps=trainer.state.global_step,
                losses=tuple(entry["loss"] for entry in logs if "loss" in entry),
                cut=None if job.settings.streaming else cuts.cut,
                left_out=None if job.settings.streaming else cuts.left_out,
                measure=progress.measure,
                held_out=tuple(progress.held_out),
                held_out_rows=len(rows.measured or ()) if progress.held_out else 0,
                held_out_origin=rows.origin if progress.held_out else "",
                best_step=_best_step(trainer),
                tokens_per_s=progress.tokens_per_s,
            )
            _check_losses(job, result)
            _save_weights(job, trainer, student, work)
        if is_main_process():
            with _write_errors(job):
                details = {**job_details(job, checksum), "sources": loaded.sources}
                record(work, result, logs, details, row_facts(job.settings))
            replace_folder(work, job.output_dir)
        _settle_checkpoints(job)
        wait_for_all()
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if is_main_process():
            with _write_errors(job):
                keep_newest_checkpoint(checkpoint_folder(job.output_dir), fingerprint)
        gc.collect()  # trainers have reference cycles: without this the SFT model stays in memory during DPO
    return result


def _split_rows(job: Job, dataset: Any, work: Path) -> HeldOut:
    """Return the rows to train on and to measure on. Raises `ConfigError` if none are there to select weights with."""
    rows = hold_out(dataset, load_validation_rows(job, work), job.settings.held_out)
    if job.settings.select == "held_out" and (rows.measured is None or rows.origin == TRAINED_ON):
        raise ConfigError(
            f"train.{job.stage}.select: held_out expects validation rows (export.validation), or at least "
            f"{FEWEST_ROWS} rows and train.{job.stage}.held_out above 0; found {_count(rows.trained)} rows"
        )
    measured = rows.measured and rows.measured.select_columns(list(job.columns))
    return replace(rows, trained=finished_rows(job, rows.trained), measured=measured)


def _count(rows: Any) -> int | str:
    return len(rows) if hasattr(rows, "__len__") else "streamed"


def _streamed_rows(trainer: Any) -> int:
    """Return the number of rows that the steps of a training on a stream had."""
    args = trainer.args
    return int(trainer.state.global_step * args.train_batch_size * args.gradient_accumulation_steps * args.world_size)


def _best_step(trainer: Any) -> int | None:
    """Return the step of the checkpoint that was loaded at the end, None if the weights are those of the last step."""
    best = trainer.state.best_model_checkpoint if trainer.args.load_best_model_at_end else None
    return int(Path(best).name.removeprefix(PREFIX)) if best else None


def _build_trainer(job: Job, make_trainer: MakeTrainer, student: str, rows: HeldOut) -> tuple[Any, Cuts]:
    from transformers import PrinterCallback

    try:
        trainer = make_trainer(job, student, rows.trained, rows.measured)
    except (TypeError, ValueError, NotImplementedError, OSError) as error:
        raise ConfigError(f"train.{job.stage}: {one_line(error)}") from error
    trainer.remove_callback(PrinterCallback)  # it prints to standard output; log.jsonl has the same entries
    cuts = count_cuts(job, trainer, rows.trained)
    limit, most = getattr(trainer.args, "max_length", None), window(student)
    if most and min(cuts.longest, limit or cuts.longest) > most:
        raise ConfigError(
            f"train.{job.stage}.args.max_length: expected at most {most}, the window of the student; the longest row "
            f"has {cuts.longest} tokens"
        )
    check_cuts(job, limit, cuts)
    return trainer, cuts


def _train(job: Job, trainer: Any, checkpoint: Path | None, fingerprint: str) -> None:
    import torch

    if checkpoint:
        log.info(f"train {job.stage}: continues from the checkpoint after {_step(checkpoint)}")
    try:
        with _write_errors(job):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except KeyboardInterrupt:
        newest = keep_newest_checkpoint(checkpoint_folder(job.output_dir), fingerprint)
        kept = f"the checkpoint after {_step(newest)} is kept" if newest else "there is no checkpoint yet"
        log.info(f"train {job.stage}: stopped after step {trainer.state.global_step}; {kept}")
        raise
    except torch.OutOfMemoryError:
        raise SkillmillError(
            f"train.{job.stage}: out of memory; lower train.{job.stage}.args.per_device_train_batch_size"
        ) from None


def _step(checkpoint: Path) -> str:
    return f"step {checkpoint.name.removeprefix(PREFIX)}"


def _check_losses(job: Job, result: TrainResult) -> None:
    """Raise `SkillmillError` if a loss is not finite, and delete the checkpoints, which would continue so."""
    try:
        check_losses(result, job.settings.trl_args().get("learning_rate"))
    except SkillmillError:
        shutil.rmtree(checkpoint_folder(job.output_dir), ignore_errors=True)
        raise


def _save_weights(job: Job, trainer: Any, student: str, work: Path) -> None:
    """Save the tokenizer and the adapter, or the full model in the dtype of the student's own files.

    Weights that are split over several processes are saved in the dtype that they were trained in.
    """
    from transformers import AutoConfig

    model = trainer.model
    if not hasattr(model, "peft_config"):
        if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
            model.to(AutoConfig.from_pretrained(student).dtype)
    elif "ref" in model.peft_config:
        model.delete_adapter("ref")  # DPO's frozen copy of the SFT adapter
    with _write_errors(job):
        trainer.save_model(str(work))
        (work / "training_args.bin").unlink(missing_ok=True)  # a pickle with local paths; train.json has the arguments
        shutil.rmtree(work / CACHE, ignore_errors=True)


def _settle_checkpoints(job: Job) -> None:
    """Move the checkpoints into the finished result if they were asked for, else delete them."""
    if is_main_process():
        with _write_errors(job):
            move_checkpoints(job.output_dir, job.settings.keeps_checkpoints)


def _write_errors(job: Job) -> AbstractContextManager[None]:
    return store_errors(f"train.{job.stage}: cannot write {job.output_dir}")
