"""The embedded model as bf16 safetensors with its tokenizer and chat template: what vLLM serves and TRL trains.

Built once on a machine out of the GGUF file, in a process of its own: transformers talks a lot, and a gigabyte of
torch is of no use to whoever only wants the folder.
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
"""What the embedded model is, by the name under which the world knows it."""
MARKER = "student.json"


def embedded_safetensors() -> Path:
    """The folder in the user's cache; the first call on a machine builds it (half a minute, 270 MB).

    Raises `TeacherError` where it cannot be built, such as without transformers.
    """
    target = cache_dir() / "SmolLM2-135M-Instruct-bf16"
    if _whole(target):
        return target
    gguf = embedded_weights()
    lock = FileLock(target.parent / f".{target.name}.lock")
    with store_errors(f"embedded model: cannot write {target}"), lock:
        if not _whole(target):  # another process may have built it while this one waited
            temporary = temporary_path(target)
            shutil.rmtree(temporary, ignore_errors=True)
            _convert_apart(gguf, temporary)
            replace_folder(temporary, target)
    return target


def _whole(folder: Path) -> bool:
    """Built from the present weights, and complete: the folder appears by one rename, marker included."""
    try:
        marker = orjson.loads((folder / MARKER).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return bool(marker.get("gguf_sha256") == FILE_SHA256)


def _convert_apart(gguf: Path, folder: Path) -> None:
    command = [sys.executable, "-m", __name__, str(gguf), str(folder)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")  # noqa: S603
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"]
        raise TeacherError(f"embedded model: transformers and torch cannot build {folder} ({said[-1]})")


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantize `gguf` into `folder`.

    transformers refuses to save a model that came from a GGUF file, so the weights move into a fresh
    model of the same configuration, without its quantization entry.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options = {}
    if hasattr(transformers, "GgufConfig"):  # later versions leave the weights packed unless told
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
        file.chmod(0o644)  # safetensors writes 0600, of no use in a shared cache
        sync(file)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
