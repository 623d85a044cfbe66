"""What SFT and DPO have in common: one job is data, student and settings in, a finished folder out."""

import dataclasses
import difflib
import gc
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import replace_folder, sha256_of, store_errors, temporary_path
from skillmill.train.config import LoraConfig, StageConfig, TrainConfig
from skillmill.train.quiet import offline_and_quiet, on_terminal, require_extra
from skillmill.train.result import TrainResult, finished, record
from skillmill.train.student import student_fingerprint, student_name, student_path

CACHE = ".cache"


@dataclass(frozen=True)
class Job:
    """One training. `columns` are the columns of the `configuration` of the dataset that it reads."""

    stage: str
    settings: StageConfig
    student: str | None
    dataset_dir: Path
    configuration: str
    columns: tuple[str, ...]
    output_dir: Path
    seed: int
    start: TrainResult | None = None
    """The finished training whose weights this one continues; None starts from the student."""


def run_job(job: Job, make_trainer: Callable[[Job, str, Path], Any]) -> TrainResult:
    """Train, or give back the result of the same training done before.

    `make_trainer(job, student, work)` returns a TRL trainer that writes into `work`, a hidden folder
    that takes the place of `output_dir` when all is in it. Raises `SkillmillError`.
    """
    files = _files(job)
    checksums = [(file.name, sha256_of(file)) for file in files]
    dataset_sha256 = hashlib.sha256(orjson.dumps(checksums)).hexdigest()
    fingerprint = _fingerprint(job, dataset_sha256)
    done = finished(job.output_dir)
    if done and done.fingerprint == fingerprint:
        return done

    require_extra()
    student = student_path(job.student)
    work = temporary_path(job.output_dir)
    try:
        with store_errors(f"train.{job.stage}: cannot write {job.output_dir}"):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
        with offline_and_quiet():
            trainer = _made(job, make_trainer, student, work)
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
            _save(job, trainer, student, work)
        with store_errors(f"train.{job.stage}: cannot write {job.output_dir}"):
            record(work, result, logs, _details(job, dataset_sha256))
        replace_folder(work, job.output_dir)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        gc.collect()  # trainers are cyclic: without this DPO would start beside the SFT model
    return result


def load_rows(job: Job, work: Path) -> Any:
    """The job's rows as a `datasets.Dataset` with its columns alone; the Arrow cache lies in `work`."""
    from datasets import load_dataset

    rows = load_dataset(
        str(job.dataset_dir), job.configuration, split="train", cache_dir=str(work / CACHE / "datasets")
    )
    return rows.select_columns(list(job.columns))


def trl_arguments(kind: Any, job: Job, work: Path, **more: Any) -> Any:
    """The user's arguments over our defaults as a `kind`, `trl.SFTConfig` or `trl.DPOConfig`.

    Raises `ConfigError` that names `train.<stage>.args.<key>` for an argument that `kind` does not have.
    """
    where = f"train.{job.stage}.args"
    fields = known_arguments(kind, job.stage, job.settings)
    arguments = {**_machine_defaults(), "seed": job.seed, **job.settings.trl_args(), **more}
    for key, value in arguments.items():
        # YAML reads 2e-4 as a string: it wants a point in a float.
        if isinstance(value, str) and isinstance(fields[key].default, float):
            try:
                arguments[key] = float(value)
            except ValueError:
                raise ConfigError(f"{where}.{key}: expected a number, got {value!r}") from None
    try:
        return kind(output_dir=str(work), disable_tqdm=not on_terminal(), **arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise ConfigError(f"{where}: {_one_line(error)}") from error


def known_arguments(kind: Any, stage: str, settings: StageConfig) -> dict[str, Any]:
    """The dataclass fields of `kind`, by name. Raises `ConfigError` for an argument that is none of them."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key in settings.args:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"train.{stage}.args.{key}: is no argument of trl.{kind.__name__}{hint}")
    return fields


def check_train(config: TrainConfig, done: Path) -> None:
    """Complain now about what would fail after hours of generation: a missing extra, an unknown argument.

    Does nothing, and loads nothing, where every stage has a result under `done`. Raises `ConfigError`.
    """
    stages = {stage: getattr(config, stage) for stage in ("sft", "dpo") if not (done / config.folder(stage)).exists()}
    missing = {stage: settings for stage, settings in stages.items() if settings}
    if not missing:
        return
    require_extra()
    import trl

    for stage, settings in missing.items():
        known_arguments({"sft": trl.SFTConfig, "dpo": trl.DPOConfig}[stage], stage, settings)


def model_arguments(job: Job) -> dict[str, Any]:
    """Keyword arguments of `from_pretrained` for the student.

    Full fine-tuning keeps its weights in fp32: steps of 1e-5 vanish in bf16's 8 bits. Frozen weights
    under an adapter lose nothing in bf16 and take half the memory, where the machine reckons in it;
    the adapter itself is fp32.
    """
    dtype = "bfloat16" if job.settings.lora and _has_bf16() else "float32"
    return {"dtype": dtype, **(job.settings.args.get("model_init_kwargs") or {})}


def peft_config(lora: LoraConfig | None) -> Any:
    """The `peft.LoraConfig`, None for full fine-tuning."""
    if lora is None:
        return None
    import peft

    return peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.target_modules,
        task_type="CAUSAL_LM",
    )


def _files(job: Job) -> list[Path]:
    """The Parquet files of the job's training split. Raises when they hold no row."""
    import pyarrow.parquet as pq

    files = sorted((job.dataset_dir / job.configuration).glob("train-*.parquet"))
    if not files:
        raise ConfigError(
            f"train.{job.stage}: {job.dataset_dir} is no exported dataset with a configuration "
            f"{job.configuration!r}; run `skillmill export` first"
        )
    if not sum(pq.read_metadata(file).num_rows for file in files):
        raise SkillmillError(f"train: the dataset has no rows (configuration {job.configuration!r})")
    return files


def _fingerprint(job: Job, dataset_sha256: str) -> str:
    facts = {
        "stage": job.stage,
        "lora": job.settings.lora.model_dump() if job.settings.lora else None,
        "args": job.settings.trl_args(),
        "seed": job.seed,
        "dataset": dataset_sha256,
        "student": student_fingerprint(job.student),
        "start": job.start.fingerprint if job.start else None,
    }
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()


def _details(job: Job, dataset_sha256: str) -> dict[str, Any]:
    """What card and marker say beside the result. Names of local folders stay out of a card."""
    local = job.student is not None and Path(job.student).expanduser().is_dir()
    return {
        "base_model": None if local else student_name(job.student),
        "dataset": {
            "folder": job.dataset_dir.name,
            "configuration": job.configuration,
            "sha256": dataset_sha256,
        },
        "lora": job.settings.lora.model_dump() if job.settings.lora else None,
        "args": job.settings.trl_args(),
        "seed": job.seed,
        "start": f"the {job.start.stage} result {job.start.fingerprint[:16]}" if job.start else "the base model",
    }


def _machine_defaults() -> dict[str, Any]:
    """Arguments that hang on the machine, so not on the fingerprint."""
    import torch

    gpu = torch.accelerator.is_available()
    return {
        "bf16": _has_bf16(),
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "gradient_checkpointing": gpu,  # saves memory, of which a CPU has plenty, for a fifth of the time
    }


def _has_bf16() -> bool:
    """Whether the machine reckons in bf16: it halves the time there, and is emulated, many times slower, elsewhere."""
    import torch

    if torch.accelerator.is_available():
        return not torch.cuda.is_available() or torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _made(job: Job, make_trainer: Callable[[Job, str, Path], Any], student: str, work: Path) -> Any:
    from transformers import PrinterCallback

    try:
        trainer = make_trainer(job, student, work)
    except (TypeError, ValueError, NotImplementedError, OSError) as error:
        raise ConfigError(f"train.{job.stage}: {_one_line(error)}") from error
    trainer.remove_callback(PrinterCallback)  # prints to standard output; log.jsonl has it all
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


def _save(job: Job, trainer: Any, student: str, work: Path) -> None:
    """Adapter or full model with the tokenizer, in the dtype of the student's own files."""
    from transformers import AutoConfig

    model = trainer.model
    if not hasattr(model, "peft_config"):
        model.to(AutoConfig.from_pretrained(student).dtype)
    elif "ref" in model.peft_config:
        model.delete_adapter("ref")  # DPO's frozen copy of the SFT adapter
    with store_errors(f"train.{job.stage}: cannot write {job.output_dir}"):
        trainer.save_model(str(work))
        (work / "training_args.bin").unlink(missing_ok=True)  # a pickle of local paths; the marker has them
        shutil.rmtree(work / CACHE, ignore_errors=True)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
