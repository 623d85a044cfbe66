"""The student: where its weights lie and what it is called."""

from pathlib import Path

import orjson

from skillmill.data.errors import ConfigError
from skillmill.teachers.embedded_model.safetensors import EMBEDDED, embedded_safetensors
from skillmill.teachers.embedded_model.weights import FILE_SHA256
from skillmill.train.quiet import require_extra


def student_path(name: str | None) -> str:
    """A folder or name that `from_pretrained` loads without a network; None is the embedded student.

    The first call on a machine builds the embedded student (half a minute, 270 MB in the user's cache).
    Raises `ConfigError` for a student that is not on this machine or a missing extra, `TeacherError` where the
    embedded one cannot be built.
    """
    if name is None:
        return str(embedded_safetensors())
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise ConfigError(f"train.student: {folder} holds no config.json, expected a transformers model")
        return str(folder)
    require_extra()
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        found = False
    if not found:
        raise ConfigError(
            f"train.student: {name!r} is neither a folder nor in the local Hugging Face cache; "
            f"fetch it with `hf download {name}`, or leave it null for the embedded student"
        )
    return name


def student_name(name: str | None) -> str:
    """What the student is called in a card and in `train.json`."""
    return name or EMBEDDED


def student_fingerprint(name: str | None) -> str:
    """What stands for the student's weights in a fingerprint, without reading gigabytes."""
    if name is None:
        return f"gguf:{FILE_SHA256}"
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return name
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return orjson.dumps([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]).decode()
