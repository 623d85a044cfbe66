"""The model of the engine `vllm`: its path, and a name for it that is the same on every machine."""

import hashlib
from pathlib import Path
from typing import Any

from skillmill.data.errors import TeacherError
from skillmill.teachers.embedded_model.safetensors import EMBEDDED, embedded_safetensors
from skillmill.teachers.embedded_model.weights import FILE_SHA256

LORA = "lora"
"""The key of `engine_args` with the folder of a LoRA adapter. vLLM has no such argument."""

_CONTENT = ("config.json", "generation_config.json", "tokenizer*", "chat_template*", "*.safetensors", "*.bin")
"""The files that determine a model's replies."""
_HASHED_WHOLE = 16 << 20
"""Bytes. Of a larger file, `_BLOCKS` blocks of `_BLOCK` bytes are hashed."""
_BLOCKS, _BLOCK = 64, 1 << 16


def vllm_model(model: str | None, section: str = "teacher") -> str:
    """Return what vLLM loads: a folder or a name on the model hub; for None the folder of the embedded model.

    Raises `TeacherError` if a path is not a folder of a model or the embedded model cannot be built.
    """
    if model is None:
        return str(embedded_safetensors())
    return str(_folder(model, f"{section}.model")) if _is_path(model) else model


def vllm_name(model: str | None, engine_args: dict[str, Any], section: str = "teacher") -> str:
    """Return the teacher's name, which is part of the plan, as `checkpoint_name` does."""
    return f"vllm:{checkpoint_name(model, engine_args, section)}"


def checkpoint_name(model: str | None, engine_args: dict[str, Any], section: str = "teacher") -> str:
    """Return the name of a model with its adapter; a folder's name includes a checksum of its content.

    Raises `TeacherError` if a path is not a folder of a model or of an adapter.
    """
    if model is None:
        name = f"{EMBEDDED.split('/')[1]}-{FILE_SHA256[:8]}"
    else:
        name = _name_with_checksum(_folder(model, f"{section}.model")) if _is_path(model) else model
    if engine_args.get(LORA):
        adapter = _folder(engine_args[LORA], f"{section}.engine_args.lora", "adapter_config.json")
        name += f"+{_name_with_checksum(adapter)}"
    return name


def _is_path(model: str) -> bool:
    return model.startswith(("/", ".", "~")) or Path(model).is_dir()


def _folder(path: str, key: str, needed: str = "config.json") -> Path:
    folder = Path(path).expanduser()
    if not (folder / needed).is_file():
        raise TeacherError(f"{key}: {folder} holds no {needed}, expected a folder that transformers saved")
    return folder


def _name_with_checksum(folder: Path) -> str:
    """Return the folder's name and a checksum of its `_CONTENT`: small files whole, large ones by 64 blocks each."""
    digest = hashlib.sha256()
    files = {file for pattern in _CONTENT for file in folder.glob(pattern) if file.is_file()}
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _HASHED_WHOLE:
                digest.update(file.read())
                continue
            for block in range(_BLOCKS):
                file.seek(block * (size - _BLOCK) // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"
