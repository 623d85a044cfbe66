"""Check the `train` block before the first request of a run, so that its faults do not show after all rows are made.

The trainer of each stage is built as in a training, for one row twice and a model without weights (torch's device
"meta").
"""

import logging
import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.train.config import TEMPLATE, LoraConfig, StageConfig, TrainConfig
from skillmill.train.job import Job
from skillmill.train.methods.continued import continued_job
from skillmill.train.methods.sft import sft_job
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.result import MARKER, finished
from skillmill.train.rows.load import check_rows
from skillmill.train.student import check_weights, model_arguments, peft_config, student_name, student_path, window
from skillmill.train.tokenizer import check_adapter_tokens, check_added_tokens, load_tokenizer
from skillmill.train.trl_arguments import known_arguments, one_line, trl_arguments, trl_classes

log = logging.getLogger(__name__)

ANSWER = [{"role": "assistant", "content": "Because."}]
ROW = {
    "prompt": [{"role": "user", "content": "Why?"}],
    "completion": ANSWER,
    "chosen": ANSWER,
    "rejected": ANSWER,
    "label": True,
}
"""The row that a trainer is built with; columns that only the rewards of GRPO read are left out."""
ROWS = 2
"""The number of rows that a trainer is built with."""
LOADING_ARGUMENTS = ("dtype", "attn_implementation", "trust_remote_code")
"""The arguments for loading a model that also concern one without weights."""

NUMBERS: dict[str, tuple[str, Callable[[float], bool]]] = {
    "per_device_train_batch_size": ("at least 1", lambda value: value >= 1),
    "gradient_accumulation_steps": ("at least 1", lambda value: value >= 1),
    "max_length": ("null or at least 1", lambda value: value >= 1),
    "num_train_epochs": ("more than 0", lambda value: value > 0),
    "max_steps": ("-1 for whole epochs, or at least 1", lambda value: value == -1 or value >= 1),
    "learning_rate": ("more than 0", lambda value: value > 0),
    "save_steps": ("more than 0", lambda value: value > 0),
}
"""The arguments that TRL takes with any number, and what a training needs."""


def check_train(config: TrainConfig, results_dir: Path) -> None:
    """Check the extra, the student, its tokenizer, the arguments and the machine, without training.

    Stages that have a result with these settings in `results_dir` are not checked; if all have one, nothing is
    imported. Raises `ConfigError`, `StoreError` if a result's folder holds something else, or `TeacherError` if the
    embedded student cannot be built.
    """
    folders = {stage: results_dir / config.folder(stage) for stage in config.stages}
    sft = sft_job(config, results_dir, folders["sft"], 0) if config.sft else None
    later = (stage for stage in config.stages if stage != "sft")
    continued = [continued_job(config, stage, results_dir, folders[stage], None, 0) for stage in later]
    jobs = [sft, *continued] if sft else continued
    pending = [job for job in jobs if not _has_result(job)]
    if not pending:
        return
    require_extra()
    for job in pending:
        _check_arguments(job.stage, job.settings)
        check_rows(job)
    student = student_path(config.student)
    check_weights(student)
    with offline_and_quiet():
        # The later stages take over the tokenizer of the SFT, whose chat template may come from its arguments.
        for job in pending:
            _check_window(job, student)
        tokenizer = load_tokenizer(sft or pending[0], student)
        for job in jobs:
            if job is not sft and sft and sft.settings.lora:
                check_adapter_tokens(job.stage, student, tokenizer)
            check_added_tokens(job, student, tokenizer)
            tokenizer = _built_tokenizer(job, student, tokenizer)


def _has_result(job: Job) -> bool:
    """Return whether `output_dir` has a result of these settings. Raises `StoreError` if it holds something else."""
    result = finished(job.output_dir)
    if result is None or result.student != student_name(job.student):
        return False
    recorded = orjson.loads((job.output_dir / MARKER).read_bytes())
    settings = {
        "args": job.settings.trl_args(),
        "lora": job.settings.lora and job.settings.lora.model_dump(),
        "rows": job.settings.described_rows(),
    }
    recorded.setdefault("rows", {})  # results of earlier versions
    return all(recorded.get(key) == orjson.loads(orjson.dumps(value, default=str)) for key, value in settings.items())


def _check_arguments(stage: str, settings: StageConfig) -> None:
    """Raise `ConfigError` for arguments that TRL does not know, or that no training can have on this machine."""
    import torch

    fields = known_arguments(trl_classes(stage)[1], stage, settings)
    args, prefix = settings.args, f"train.{stage}.args"
    for key, (expected, holds) in NUMBERS.items():
        if key not in fields or (value := args.get(key, fields[key].default)) is None:
            continue
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ConfigError(f"{prefix}.{key}: expected a number, got {value!r}") from None
        if key in args and not holds(number):
            raise ConfigError(f"{prefix}.{key}: expected {expected}, got {value!r}")
    if torch.accelerator.is_available():
        return
    device = (args.get("model_init_kwargs") or {}).get("device_map")
    if args.get("use_cpu") is False or (device is not None and "cpu" not in str(device) and device != "auto"):
        key = "use_cpu" if args.get("use_cpu") is False else "model_init_kwargs.device_map"
        raise ConfigError(f"{prefix}.{key}: asks for a GPU, and this machine has none that torch can use")


def _check_window(job: Job, student: str) -> None:
    """Raise `ConfigError` if a configured length is more than the student reads."""
    limit = window(student)
    for key in ("max_length", "max_completion_length"):
        length = job.settings.args.get(key)
        if limit and length is not None and int(length) > limit:
            raise ConfigError(
                f"train.{job.stage}.args.{key}: expected at most {limit}, the window of the student, got {length}"
            )


def _built_tokenizer(job: Job, student: str, tokenizer: Any) -> Any:
    """Build the trainer of a stage and return its tokenizer. Raises `ConfigError` that names the argument at fault."""
    original = deepcopy(tokenizer)  # TRL sets the chat template in place
    try:
        return _build(job, student, tokenizer)
    except Exception as raised:  # models, templates and integrations raise any exception
        if isinstance(raised, SkillmillError) and raised.__cause__ is None:
            raise
        error = raised.__cause__ or raised
        if _is_without_weights(error):
            log.debug("train.%s: cannot be checked without weights: %s", job.stage, one_line(error))
            return tokenizer
        raise ConfigError(f"{_fault(job, student, original)}: {one_line(error)}") from None


def _fault(job: Job, student: str, tokenizer: Any) -> str:
    """Return the key without which the trainer of the job can be built, or else the key of the stage."""
    stage, settings, args = f"train.{job.stage}", job.settings, job.settings.args
    without = {
        f"{stage}.args.{key}": settings.model_copy(
            update={"args": {k: v for k, v in settings.args.items() if k != key}}
        )
        for key in settings.args
    }
    if settings.lora:
        modules = settings.lora.model_copy(update={"target_modules": LoraConfig().target_modules})
        without[f"{stage}.lora.target_modules"] = settings.model_copy(update={"lora": modules})
    for key, others in without.items():
        try:
            _build(replace(job, settings=others), student, deepcopy(tokenizer))
        except Exception as error:
            if not _is_without_weights(error):
                continue
        return key
    return f"{stage}.args.{TEMPLATE}" if TEMPLATE in args else stage


def _is_without_weights(error: BaseException) -> bool:
    """Return whether an error says nothing about a training, because it comes from the device "meta"."""
    return isinstance(error, NotImplementedError) or "meta" in str(error)


def _build(job: Job, student: str, tokenizer: Any) -> Any:
    """Build the trainer with all that it makes at the start of a training; return its tokenizer."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer_without_weights(replace(job, output_dir=Path(folder) / "result"), student, tokenizer)
        if len(trainer.train_dataset):  # not if `max_length` has no room for the row
            trainer.get_train_dataloader()
        trainer.create_optimizer_and_scheduler(num_training_steps=100)
        return trainer.processing_class


def _trainer_without_weights(job: Job, student: str, tokenizer: Any) -> Any:
    import datasets
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    trainer_class, config_class = trl_classes(job.stage)
    off_device = type(config_class.__name__, (config_class,), {"place_model_on_device": False})
    given = model_arguments(job.settings).items()

    def model() -> Any:
        config = AutoConfig.from_pretrained(student)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, **{k: v for k, v in given if k in LOADING_ARGUMENTS})

    # Without an adapter, DPO and KTO would load their reference model from the student's files.
    others = {"ref_model": model()} if job.stage in ("dpo", "kto") and job.settings.lora is None else {}
    if job.stage == "grpo":
        others["reward_funcs"] = lambda prompts, **_: [0.0] * len(prompts)
    rows = datasets.Dataset.from_list([{column: ROW[column] for column in job.columns if column in ROW}] * ROWS)
    return trainer_class(
        model=model(),
        args=trl_arguments(off_device, job, model_init_kwargs=None),
        train_dataset=rows,
        eval_dataset=rows,
        processing_class=tokenizer,
        peft_config=peft_config(job.settings.lora),
        **others,
    )
