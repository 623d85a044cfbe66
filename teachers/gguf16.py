"""Rewrite a quantized GGUF file with 16-bit weights of the same values.

llama.cpp multiplies 4- and 8-bit weights with activations that it rounds to 8 bits. SmolLM2-135M has a few
huge activations, and the rounding costs it its answers: asked for the capital of France it says
"L'Étoile, la Marseillaise". With 16-bit weights the activations keep 16 bits, and it says what
transformers says from the same file. Time per token is the same, memory is 270 MB instead of 98 MB.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
ALIGNMENT = 32
VALUES_PER_BLOCK = 32
_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9

_Q4_1_BLOCK = np.dtype([("scale", "<f2"), ("minimum", "<f2"), ("nibbles", "u1", 16)])
_Q8_0_BLOCK = np.dtype([("scale", "<f2"), ("values", "i1", 32)])


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: bytes
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def values(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


def write_f16(source: Path, target: BinaryIO) -> None:
    """Write `source` to `target` with its Q4_1 and Q8_0 tensors as F16.

    Metadata and F32 tensors stay as they are. The same bytes on every machine.
    Raises `ValueError` for a file with other tensor types.
    """
    content = np.memmap(source, mode="r")
    magic, version, tensor_count, key_count = struct.unpack("<4sIQQ", content[:24].tobytes())
    if magic != b"GGUF" or version != 3:
        raise ValueError(f"{source} is not a GGUF version 3 file")
    with source.open("rb") as file:
        file.seek(24)
        for _ in range(key_count):
            _skip(file, _STRING)
            _skip(file, _number(file, "<I"))
        keys_end = file.tell()
        tensors = [_tensor(file) for _ in range(tensor_count)]
        data_start = _aligned(file.tell())

    target.write(content[:keys_end].tobytes())
    offset = 0
    for tensor in tensors:
        kind = F32 if tensor.kind == F32 else F16
        target.write(struct.pack("<Q", len(tensor.name)) + tensor.name)
        target.write(struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape))
        target.write(struct.pack("<IQ", kind, offset))
        offset = _aligned(offset + tensor.values * (4 if kind == F32 else 2))
    _pad(target)
    for tensor in tensors:
        target.write(_expanded(content[data_start + tensor.offset :], tensor).tobytes())
        _pad(target)


def _expanded(data: np.ndarray, tensor: _Tensor) -> np.ndarray:
    """The tensor's values in file order: float32 as stored, blocks of 32 as float16."""
    if tensor.kind == F32:
        return data[: tensor.values * 4]
    blocks = tensor.values // VALUES_PER_BLOCK
    if tensor.kind == Q4_1:
        block = data[: blocks * _Q4_1_BLOCK.itemsize].view(_Q4_1_BLOCK)
        # the low halves of the 16 bytes are the first 16 values, the high halves the others
        levels = np.concatenate([block["nibbles"] & 15, block["nibbles"] >> 4], axis=1).astype(np.float32)
        minimum = block["minimum"].astype(np.float32)[:, None]
        return (levels * block["scale"].astype(np.float32)[:, None] + minimum).astype("<f2")
    if tensor.kind == Q8_0:
        block = data[: blocks * _Q8_0_BLOCK.itemsize].view(_Q8_0_BLOCK)
        return (block["values"].astype(np.float32) * block["scale"].astype(np.float32)[:, None]).astype("<f2")
    raise ValueError(f"tensor {tensor.name!r} has GGML type {tensor.kind}, expected F32, Q4_1 or Q8_0")


def _tensor(file: BinaryIO) -> _Tensor:
    name = file.read(_number(file, "<Q"))
    shape = tuple(_number(file, "<Q") for _ in range(_number(file, "<I")))
    return _Tensor(name, shape, _number(file, "<I"), _number(file, "<Q"))


def _skip(file: BinaryIO, kind: int) -> None:
    """Step over one metadata value."""
    if kind == _STRING:
        file.seek(_number(file, "<Q"), 1)
    elif kind == _ARRAY:
        item, count = _number(file, "<I"), _number(file, "<Q")
        if item in _SCALAR_BYTES:
            file.seek(count * _SCALAR_BYTES[item], 1)
        else:
            for _ in range(count):
                _skip(file, item)
    else:
        file.seek(_SCALAR_BYTES[kind], 1)


def _number(file: BinaryIO, form: str) -> int:
    number: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return number


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _pad(file: BinaryIO) -> None:
    file.write(bytes(_aligned(file.tell()) - file.tell()))
