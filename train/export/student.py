"""Export the trained student: the adapter alone, its weights merged into the student, and GGUF."""

import logging
import shutil
from pathlib import Path
from typing import Any, get_args

from skillmill.data.errors import ConfigError
from skillmill.data.files import replace_folder, store_errors, temporary_path
from skillmill.train.checkpoints import PREFIX
from skillmill.train.config import ExportFormat, TrainConfig
from skillmill.train.export.gguf_file import write_gguf
from skillmill.train.quiet import offline_and_quiet, require_extra
from skillmill.train.result import TrainResult, finished
from skillmill.train.student import student_name, student_path

log = logging.getLogger(__name__)

GGUF = "student.gguf"


def last_result(config: TrainConfig, results_dir: Path) -> TrainResult:
    """Return the finished training of the last stage that has one. Raises `ConfigError` if none has."""
    for stage in reversed(config.stages):
        if result := finished(results_dir / config.folder(stage)):
            return result
    raise ConfigError(f"train.export: {results_dir} has no finished training; run `skillmill train` first")


def export_student(config: TrainConfig, results_dir: Path, formats: list[str]) -> list[Path]:
    """Write the student of the last finished stage into `results_dir`/student; return the paths, one for each format.

    `adapter` is a folder with adapter and tokenizer, `merged` a folder that transformers, vLLM and others load, `gguf`
    a file for llama.cpp. Each is written whole or not at all. Raises `ConfigError` if a format does not apply.
    """
    known = get_args(ExportFormat)
    if unknown := [name for name in formats if name not in known]:
        raise ConfigError(f"train.export: there is no format {unknown[0]!r}, expected {', '.join(known)}")
    result = last_result(config, results_dir)
    if result.student != (student := student_name(config.student)):
        raise ConfigError(f"train.export: the result in {result.path} trained {result.student}, expected {student}")
    if "adapter" in formats and not result.adapter:
        raise ConfigError(f"train.export: adapter: {result.path} has no adapter, all weights were trained")
    require_extra()
    folder = results_dir / "student"
    work = temporary_path(folder / "merged")
    paths = {"adapter": folder / "adapter", "merged": folder / "merged", "gguf": folder / GGUF}
    with store_errors(f"train.export: cannot write {folder}"), offline_and_quiet():
        shutil.rmtree(work, ignore_errors=True)
        work.parent.mkdir(parents=True, exist_ok=True)
        try:
            if "adapter" in formats:
                _copy(result.path, paths["adapter"])
            if {"merged", "gguf"} & set(formats):
                merge(result, student_path(config.student), work)
            if "gguf" in formats:
                write_gguf(work, paths["gguf"])
            if "merged" in formats:
                replace_folder(work, paths["merged"])
        finally:
            shutil.rmtree(work, ignore_errors=True)
    for name in formats:
        log.info(f"train export: {name} of the {result.stage} result in {paths[name]}")
    return [paths[name] for name in formats]


def merge(result: TrainResult, student: str, target: Path) -> None:
    """Write the model of a result, with its adapter merged if it has one, and its tokenizer into the folder `target`.

    The adapter is added in float32; the sum is rounded to the dtype of the student's own files.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    if not result.adapter:
        _copy(result.path, target)
        return
    import torch
    from peft import PeftModel

    tokenizer = AutoTokenizer.from_pretrained(result.path)
    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    merged: Any = PeftModel.from_pretrained(model, str(result.path)).merge_and_unload()
    merged.to(AutoConfig.from_pretrained(student).dtype or torch.float32).save_pretrained(target)
    tokenizer.save_pretrained(target)


def _copy(source: Path, target: Path) -> None:
    """Copy a result without its checkpoints, log and marker, whole or not at all."""
    work = temporary_path(target)
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work, ignore=shutil.ignore_patterns(f"{PREFIX}*", "train.json", "log.jsonl"))
    replace_folder(work, target)
