"""The student: where its weights lie, and the embedded one as bf16 safetensors, built once from the GGUF."""

import io
import shutil
from contextlib import nullcontext, redirect_stderr
from pathlib import Path

import orjson
from filelock import FileLock

from skillmill.data.errors import ConfigError
from skillmill.data.files import hidden, replace_folder, store_errors, sync
from skillmill.teachers.weights import FILE_SHA256, cache_dir, embedded_weights
from skillmill.train.quiet import offline_and_quiet, on_terminal, require_extra

EMBEDDED = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""What the embedded student is, by the name under which the world knows it."""
STUDENT_MARKER = "student.json"


def student_path(name: str | None) -> str:
    """A folder or name that `from_pretrained` loads without a network; None is the embedded student.

    The first call on a machine builds the embedded student (half a minute, 270 MB in the user's cache).
    Raises `ConfigError` for a student that is not on this machine or a missing extra.
    """
    if name is None:
        return str(_embedded_student())
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


def _embedded_student() -> Path:
    target = cache_dir() / "SmolLM2-135M-Instruct-bf16"
    if _whole(target):
        return target
    require_extra()
    gguf = embedded_weights()
    lock = FileLock(target.parent / f".{target.name}.lock")
    with store_errors(f"embedded student: cannot write {target}"), lock:
        if not _whole(target):  # another process may have built it while this one waited
            temporary = hidden(target)
            shutil.rmtree(temporary, ignore_errors=True)
            with offline_and_quiet():
                _convert(gguf, temporary)
            replace_folder(temporary, target)
    return target


def _whole(folder: Path) -> bool:
    """Built from the present weights, and complete: the folder appears by one rename, marker included."""
    try:
        marker = orjson.loads((folder / STUDENT_MARKER).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(marker.get("gguf_sha256") == FILE_SHA256)


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantize `gguf` into bf16 safetensors, tokenizer and chat template in `folder`.

    transformers refuses to save a model that came from a GGUF file, so the weights move into a fresh
    model of the same configuration, without its quantization entry.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = {}
    if hasattr(transformers, "GgufConfig"):  # later versions leave the weights packed unless told
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    # The bar over the tensors obeys no setting of transformers.
    with nullcontext() if on_terminal() else redirect_stderr(io.StringIO()):
        source = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, **options
        )
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)

    plain = {key: value for key, value in source.config.to_dict().items() if key != "quantization_config"}
    plain |= {"_name_or_path": EMBEDDED, "_model_name_or_path": EMBEDDED, "dtype": "bfloat16"}
    student = type(source)(type(source.config)(**plain)).to(torch.bfloat16)
    student.load_state_dict(source.state_dict())
    student.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    marker = {"model": EMBEDDED, "gguf_sha256": FILE_SHA256, "transformers": transformers.__version__}
    (folder / STUDENT_MARKER).write_bytes(orjson.dumps(marker))
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes 0600, of no use in a shared cache
        sync(file)
