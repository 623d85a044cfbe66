"""The embedded model as bf16 safetensors with tokenizer and chat template, for vLLM and TRL.

It is converted from the GGUF file once on a machine. The conversion runs in a process of its own, so that the caller
loads no torch and gets no output of transformers.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    """Return the folder in the user's cache; the first call on a machine creates it (10 s, 270 MB).

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


def _convert(source: Path, folder: Path) -> None:
    """Write the weights, configuration and tokenizer of a GGUF file of the architecture "llama" to `folder`.

    `from_pretrained` of transformers reads GGUF files too, in three times the CPU time: it reads the vocabulary twice
    and makes a table of names for each tensor. It cannot save what it has read.
    """
    import torch
    import transformers
    from gguf import MODEL_ARCH, GGUFReader, dequantize, get_tensor_name_map

    reader = GGUFReader(source)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name)
    config = transformers.LlamaConfig(**_shape(reader), dtype="bfloat16", _name_or_path=EMBEDDED)
    with torch.device("meta"):  # no memory and no random numbers for weights that are replaced
        student = transformers.LlamaForCausalLM(config)
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    weights = {}
    for key in student.state_dict().keys() - {"lm_head.weight"}:  # the same weights as the embedding's
        tensor = tensors[names.get_name(key, try_suffixes=(".weight",))]
        values = dequantize(tensor.data, tensor.tensor_type)
        layer = key.split(".")[-2]
        weights[key] = torch.tensor(
            _in_halves(values, heads[layer]) if layer in heads else values, dtype=torch.bfloat16
        )
    student.load_state_dict(weights, strict=False, assign=True)
    student.tie_weights()
    student.save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    marker = {"model": EMBEDDED, "gguf_sha256": FILE_SHA256, "transformers": transformers.__version__}
    (folder / MARKER).write_bytes(orjson.dumps(marker))
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes 0600, but other users may share the cache
        sync(file)


def _shape(reader: Any) -> dict[str, Any]:
    """Return the arguments of transformers' `LlamaConfig` that the metadata of a GGUF file give."""
    fields = {
        "num_hidden_layers": "llama.block_count",
        "max_position_embeddings": "llama.context_length",
        "hidden_size": "llama.embedding_length",
        "intermediate_size": "llama.feed_forward_length",
        "num_attention_heads": "llama.attention.head_count",
        "num_key_value_heads": "llama.attention.head_count_kv",
        "head_dim": "llama.rope.dimension_count",
        "rms_norm_eps": "llama.attention.layer_norm_rms_epsilon",
        "vocab_size": "llama.vocab_size",
        "bos_token_id": "tokenizer.ggml.bos_token_id",
        "eos_token_id": "tokenizer.ggml.eos_token_id",
        "pad_token_id": "tokenizer.ggml.padding_token_id",
        "unk_token_id": "tokenizer.ggml.unknown_token_id",
    }
    shape = {argument: reader.get_field(name).contents() for argument, name in fields.items()}
    theta = reader.get_field("llama.rope.freq_base").contents()
    return {**shape, "rope_parameters": {"rope_type": "default", "rope_theta": theta}, "tie_word_embeddings": True}


def _in_halves(values: Any, heads: int) -> Any:
    """Return query or key weights with the rotary halves of each head one after the other, as in transformers.

    llama.cpp has them interleaved: first with first, second with second.
    """
    pairs = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return pairs.swapaxes(1, 2).reshape(values.shape)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]), Path(sys.argv[2]))
