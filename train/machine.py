"""Defaults that depend on the machine: bf16 arithmetic, GPU or CPU. They are not part of a training's fingerprint."""

from typing import Any


def machine_arguments() -> dict[str, Any]:
    """Return the TRL arguments that depend on the machine."""
    import torch

    has_gpu = torch.accelerator.is_available()
    return {
        "bf16": has_bf16(),
        "use_cpu": not has_gpu,
        "dataloader_pin_memory": has_gpu,
        "gradient_checkpointing": has_gpu,  # saves GPU memory for about a fifth more time; CPUs have enough memory
    }


def has_bf16() -> bool:
    """Return whether the GPU, or else the CPU, has native bf16 arithmetic.

    Native bf16 halves the training time. Emulated bf16 is many times slower than fp32.
    """
    import torch

    if torch.accelerator.is_available():
        return not torch.cuda.is_available() or bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
