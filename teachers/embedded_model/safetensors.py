"""The embedded model as bf16 safetensors with tokenizer and chat template, for vLLM and TRL.

It is converted from the GGUF file once on a machine. The conversion runs in a process of its own, so that the caller
loads no torch and gets no output of transformers.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
from filelock import FileLock

from skillmill.data.errors import TeacherError
from skillmill.data.files import replace_folder, store_errors, sync, temporary_path
from skillmill.teachers.embedded_model.weights import FILE_SHA256, cache_dir, embedded_weights

EMBEDDED = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The embedded model's name on the Hugging Face hub."""
MARKER = "student.json"
"""A file with the checksum of the weights that the folder was converted from."""


def embedded_safetensors() -> Path:
    """Return the folder in the user's cache; the first call on a machine creates it (half a minute, 270 MB).

    Raises `TeacherError` if it cannot be created, for example without transformers.
    """
    target = cache_dir() / "SmolLM2-135M-Instruct-bf16"
    if _is_complete(target):
        return target
    gguf = embedded_weights()
    lock = FileLock(target.parent / f".{target.name}.lock")
    with store_errors(f"embedded model: cannot write {target}"), lock:
        if not _is_complete(target):  # another process may have created it meanwhile
            temporary = temporary_path(target)
            shutil.rmtree(temporary, ignore_errors=True)
            _convert_in_subprocess(gguf, temporary)
            replace_folder(temporary, target)
    return target


def _is_complete(folder: Path) -> bool:
    """Return whether the folder was converted from the present weights. It is created whole, by one rename."""
    try:
        marker = orjson.loads((folder / MARKER).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(marker.get("gguf_sha256") == FILE_SHA256)


def _convert_in_subprocess(gguf: Path, folder: Path) -> None:
    command = [sys.executable, "-m", __name__, str(gguf), str(folder)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")  # noqa: S603
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
        raise TeacherError(f"embedded model: transformers and torch cannot build {folder} ({lines[-1]})")


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantize `gguf` into `folder`.

    transformers cannot save a model that it loaded from a GGUF file, so the weights are copied into a new model with
    the same configuration except its quantization entry.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = {}
    if hasattr(transformers, "GgufConfig"):  # versions with it keep the weights quantized by default
        options["quantization_config"] = transformers.GgufConfig(dequantize=True)
    source = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32, **options)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)

    plain = {key: value for key, value in source.config.to_dict().items() if key != "quantization_config"}
    plain |= {"_name_or_path": EMBEDDED, "_model_name_or_path": EMBEDDED, "dtype": "bfloat16"}
    student = type(source)(type(source.config)(**plain)).to(torch.bfloat16)
    student.load_state_dict(source.state_dict())
    student.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    marker = {"model": EMBEDDED, "gguf_sha256": FILE_SHA256, "transformers": transformers.__version__}
    (folder / MARKER).write_bytes(orjson.dumps(marker))
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes 0600, but other users may share the cache
        sync(file)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
