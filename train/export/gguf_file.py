"""Write a transformers model as a GGUF file, which llama.cpp and the embedded engine load.

Weights have 8 bits (Q8_0), the format that llama.cpp multiplies fastest; norms and biases have 32. Supported are the
architectures in `ARCHITECTURES` with a byte-level BPE tokenizer whose way of splitting is in `SPLITTERS`. For all
others, llama.cpp's own script `convert_hf_to_gguf.py` converts the merged weights.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from skillmill.data.errors import ConfigError, SkillmillError
from skillmill.data.files import store_errors, sync, temporary_path

ARCHITECTURES = {"llama": "LLAMA", "mistral": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
"""The name of gguf's `MODEL_ARCH` by `model_type` of config.json."""
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITTERS = {
    "byte level": "gpt-2",
    "digits, byte level": "smollm",
    rf"{CONTRACTIONS}\p{{N}}{REST}, byte level": "qwen2",
    rf"{CONTRACTIONS}\p{{N}}{{1,3}}{REST}, byte level": "llama-bpe",
}
"""llama.cpp's name (`tokenizer.ggml.pre`) by the steps of a tokenizer's pre-tokenizer."""
CONVERTER = "convert train/student/merged with llama.cpp's convert_hf_to_gguf.py"


def write_gguf(model: Path, target: Path) -> None:
    """Write the transformers model in the folder `model` to the file `target`, whole or not at all.

    Raises `ConfigError` if the architecture or the tokenizer is not supported, `SkillmillError` if the file cannot be
    written.
    """
    import gguf

    config = orjson.loads((model / "config.json").read_bytes())
    architecture = ARCHITECTURES.get(config["model_type"])
    if architecture is None or config.get("rope_scaling") or config.get("sliding_window"):
        raise ConfigError(
            f"train.export: gguf expects a model of the architectures {', '.join(ARCHITECTURES)} without scaled rotary "
            f"embeddings, found {config['model_type']}; {CONVERTER}"
        )
    tokenizer = tokenizer_fields(model, config["vocab_size"])
    kind = gguf.MODEL_ARCH[architecture]
    temporary = temporary_path(target)
    with store_errors(f"train.export: cannot write {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            writer = gguf.GGUFWriter(temporary, gguf.MODEL_ARCH_NAMES[kind])
            _add_shape(writer, config)
            _add_tokenizer(writer, tokenizer)
            for name, values in tensors_of(model, kind, config):
                _add_tensor(writer, name, values)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            sync(temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    import gguf

    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    writer.add_name("student")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_rope_freq_base(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_rope_dimension_count(size)
    writer.add_key_length(size)
    writer.add_value_length(size)


def tokenizer_fields(model: Path, vocab_size: int) -> dict[str, Any]:
    """Return the fields that `_add_tokenizer` writes. Raises `ConfigError` if the tokenizer is of another kind."""
    import gguf
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    parts = orjson.loads(tokenizer.backend_tokenizer.to_str())
    splitter = SPLITTERS.get(_steps(parts["pre_tokenizer"]))
    if parts["model"]["type"] != "BPE" or splitter is None:
        raise ConfigError(
            f"train.export: gguf expects a byte-level BPE tokenizer that splits text as one of "
            f"{', '.join(sorted(SPLITTERS.values()))} does, found another; {CONVERTER}"
        )
    names = {index: token for token, index in tokenizer.get_vocab().items()}
    added = {token["id"]: token["special"] for token in parts["added_tokens"]}
    kind = gguf.TokenType
    types = [
        (kind.CONTROL if added[index] else kind.USER_DEFINED) if index in added
        else kind.NORMAL if index in names
        else kind.UNUSED
        for index in range(vocab_size)
    ]  # fmt: skip
    merges = parts["model"]["merges"]
    return {
        "pre": splitter,
        "tokens": [names.get(index, f"[PAD{index}]") for index in range(vocab_size)],
        "types": types,
        "merges": [pair if isinstance(pair, str) else " ".join(pair) for pair in merges],
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "adds_bos": tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id,
        "template": tokenizer.chat_template,
    }


def _steps(part: dict[str, Any] | None) -> str:
    """Return the steps of a pre-tokenizer of the tokenizers library in one text, as in the keys of `SPLITTERS`."""
    if part is None:
        return ""
    if part["type"] == "Sequence":
        return ", ".join(map(_steps, part["pretokenizers"]))
    if part["type"] == "Split":
        return str(part["pattern"].get("Regex"))
    return {"ByteLevel": "byte level", "Digits": "digits"}.get(part["type"], str(part["type"]))


def _add_tokenizer(writer: Any, fields: dict[str, Any]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(fields["pre"])
    writer.add_token_list(fields["tokens"])
    writer.add_token_types(fields["types"])
    writer.add_token_merges(fields["merges"])
    for add, key in (
        (writer.add_bos_token_id, "bos"),
        (writer.add_eos_token_id, "eos"),
        (writer.add_pad_token_id, "pad"),
    ):
        if fields[key] is not None:
            add(fields[key])
    writer.add_add_bos_token(fields["adds_bos"])
    if fields["template"]:
        writer.add_chat_template(fields["template"])


def tensors_of(model: Path, kind: Any, config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the name in GGUF and the values, float32, of each weight. Raises `SkillmillError` for an unknown weight."""
    import gguf
    from safetensors.torch import load_file

    names = gguf.get_tensor_name_map(kind, config["num_hidden_layers"])
    heads = config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    for file in sorted(model.glob("*.safetensors")):
        for key, tensor in load_file(file).items():
            if key == "lm_head.weight" and config.get("tie_word_embeddings"):
                continue
            name = names.get_name(key, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise SkillmillError(f"train.export: gguf knows no tensor {key}; {CONVERTER}")
            values = tensor.float().numpy()
            if kind == gguf.MODEL_ARCH.LLAMA and key.endswith(("q_proj.weight", "k_proj.weight")):
                values = _interleaved(values, heads if "q_proj" in key else kv_heads)
            yield name, values


def _interleaved(values: Any, heads: int) -> Any:
    """Return query or key weights in llama.cpp's order of the rotary halves: first with first, second with second."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)


def _add_tensor(writer: Any, name: str, values: Any) -> None:
    import gguf

    if values.ndim == 1:
        writer.add_tensor(name, values)
    elif values.shape[-1] % gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType.Q8_0][0]:
        writer.add_tensor(name, values.astype("float16"))
    else:
        eight = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quantize(values, eight), raw_dtype=eight)
