"""Rewrite a quantized GGUF file with 16-bit weights of the same values.

llama.cpp multiplies 4- and 8-bit weights with activations that it rounds to 8 bits. SmolLM2-135M has a few
huge activations, and the rounding costs it its answers: asked for the capital of France it says
"L'Étoile, la Marseillaise". With 16-bit weights the activations keep 16 bits, and it says what
transformers says from the same file. Time per token is the same, memory is 270 MB instead of 98 MB.
"""

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType, dequantize

# The writer makes these itself.
_OWN_KEYS = {"general.architecture", "general.file_type", "general.quantization_version"}


def write_f16(source: Path, target: Path) -> None:
    """Write `source` to `target` with its quantized tensors as F16; F32 tensors and metadata stay as they are."""
    reader = GGUFReader(source)
    architecture = reader.get_field("general.architecture")
    if architecture is None:
        raise ValueError(f"{source} names no architecture")
    writer = GGUFWriter(target, architecture.contents())
    for field in reader.fields.values():
        if field.name not in _OWN_KEYS and not field.name.startswith("GGUF."):
            item = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], item)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        plain = tensor.tensor_type == GGMLQuantizationType.F32
        values = tensor.data if plain else dequantize(tensor.data, tensor.tensor_type).astype(np.float16)
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
