"""Which model `teacher.kind: vllm` serves: where it lies, and a name for it that is the same on every machine."""

import hashlib
from pathlib import Path
from typing import Any

from skillmill.data.errors import TeacherError
from skillmill.teachers.embedded_model.safetensors import EMBEDDED, embedded_safetensors
from skillmill.teachers.embedded_model.weights import FILE_SHA256

LORA = "lora"
"""Our one key of `teacher.engine_args` that vLLM does not have: the folder of a LoRA adapter."""

_ANSWERS = ("config.json", "generation_config.json", "tokenizer*", "chat_template*", "*.safetensors", "*.bin")
_WHOLE = 16 << 20
_BLOCKS, _BLOCK = 64, 1 << 16


def vllm_model(model: str | None) -> str:
    """What vLLM loads: a folder, a name on the model hub, or for None the embedded model.

    Raises `TeacherError` where a path leads nowhere or the embedded model cannot be built.
    """
    if model is None:
        return str(embedded_safetensors())
    return str(_folder(model)) if _is_path(model) else model


def vllm_name(model: str | None, engine_args: dict[str, Any]) -> str:
    """The teacher's name, which is part of the plan: folders are told apart by content, not by where they lie."""
    if model is None:
        name = f"{EMBEDDED.split('/')[1]}-{FILE_SHA256[:8]}"
    else:
        name = _named(_folder(model)) if _is_path(model) else model
    if engine_args.get(LORA):
        name += f"+{_named(_folder(engine_args[LORA], 'engine_args.lora', 'adapter_config.json'))}"
    return f"vllm:{name}"


def _is_path(model: str) -> bool:
    return model.startswith(("/", ".", "~")) or Path(model).is_dir()


def _folder(path: str, key: str = "model", needed: str = "config.json") -> Path:
    folder = Path(path).expanduser()
    if not (folder / needed).is_file():
        raise TeacherError(f"teacher.{key}: {folder} holds no {needed}, expected a folder that transformers saved")
    return folder


def _named(folder: Path) -> str:
    """The folder's own name and a hash of what makes the answers: small files whole, weights by 64 blocks of each."""
    digest = hashlib.sha256()
    files = {file for pattern in _ANSWERS for file in folder.glob(pattern) if file.is_file()}
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(file.read())
                continue
            for block in range(_BLOCKS):
                file.seek(block * (size - _BLOCK) // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"
