"""The student: where its weights are, how they are loaded and adapted, its name and its fingerprint."""

from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError
from skillmill.teachers.embedded_model.safetensors import EMBEDDED, embedded_safetensors
from skillmill.teachers.embedded_model.weights import FILE_SHA256
from skillmill.train.config import LoraConfig, StageConfig
from skillmill.train.machine import has_bf16
from skillmill.train.quiet import require_extra

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""The names of a model's only file of weights; `.index.json` after them names several files."""


def student_path(name: str | None) -> str:
    """Return a folder or name that `from_pretrained` loads without network access; None is the embedded student.

    The first call on a machine builds the embedded student (half a minute, 270 MB in the user's cache folder).
    Raises `ConfigError` for a student that is not on this machine or a missing extra, `TeacherError` if the embedded
    student cannot be built.
    """
    if name is None:
        return str(embedded_safetensors())
    folder = Path(name).expanduser()
    if folder.is_dir():
        if (folder / "adapter_config.json").exists():
            raise ConfigError(
                f"train.student: {folder} is an adapter, expected a model; `train.export: [merged]` writes one"
            )
        if not (folder / "config.json").exists():
            raise ConfigError(f"train.student: {folder} holds no config.json, expected a transformers model")
        return str(folder)
    require_extra()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        is_cached = isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        is_cached = False
    if not is_cached and (folder.is_absolute() or name.startswith((".", "~"))):
        raise ConfigError(f"train.student: there is no folder {folder}")
    if not is_cached:
        raise ConfigError(
            f"train.student: {name!r} is neither a folder nor in the local Hugging Face cache; "
            f"fetch it with `hf download {name}`, or leave it null for the embedded student"
        )
    return name


def check_weights(student: str) -> None:
    """Raise `ConfigError` if the folder or cached model that `student_path` returned lacks files of its weights."""
    from huggingface_hub import try_to_load_from_cache

    folder = Path(student)
    if not folder.is_dir():
        folder = Path(str(try_to_load_from_cache(student, "config.json"))).parent
    needed: set[str] = set()
    for index in filter(Path.is_file, (folder / f"{name}.index.json" for name in WEIGHT_FILES)):
        needed = set(orjson.loads(index.read_bytes())["weight_map"].values())
        break
    else:
        needed = {next((name for name in WEIGHT_FILES if (folder / name).is_file()), WEIGHT_FILES[0])}
    for name in sorted(needed):
        if not (folder / name).is_file():
            raise ConfigError(f"train.student: {student} has no weights, {name} is missing beside config.json")


def window(student: str) -> int | None:
    """Return the most tokens that a student reads (`max_position_embeddings`), None if its config.json has no limit."""
    from transformers import AutoConfig

    limit = getattr(AutoConfig.from_pretrained(student).get_text_config(), "max_position_embeddings", None)
    return int(limit) if limit else None


def model_arguments(settings: StageConfig) -> dict[str, Any]:
    """Return the keyword arguments of `from_pretrained` for the student.

    Full fine-tuning keeps the weights in fp32, because updates of 1e-5 are below the precision of bf16. Under an
    adapter the weights are frozen: bf16 then halves the memory without loss, if the machine has native bf16. The
    adapter itself is always fp32.
    """
    dtype = "bfloat16" if settings.lora and has_bf16() else "float32"
    return {"dtype": dtype, **(settings.args.get("model_init_kwargs") or {})}


def peft_config(lora: LoraConfig | None) -> Any:
    """Return the `peft.LoraConfig` for the settings, or None for full fine-tuning."""
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


def student_name(name: str | None) -> str:
    """Return the student's name in the model card and in `train.json`."""
    return name or EMBEDDED


def student_fingerprint(name: str | None) -> str:
    """Return a text that changes with the student's weights, without reading them.

    It is the checksum of the embedded weights' file, the names, sizes and modification times of a folder's files, or
    the name of a model in the Hugging Face cache.
    """
    if name is None:
        return f"gguf:{FILE_SHA256}"
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return name
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return orjson.dumps([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]).decode()
