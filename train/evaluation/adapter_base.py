"""Whether a LoRA adapter belongs to a model, by the shapes of both, without loading their weights."""

from pathlib import Path

import orjson

from skillmill.data.errors import ConfigError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."

Shapes = dict[str, list[int]]


def check_adapter_base(role: str, adapter: Path, model: str) -> None:
    """Raise `ConfigError` if a matrix of the adapter does not fit the matrix of the model that it changes.

    Nothing is checked for a model that is no folder of safetensors files.
    """
    weights = _model_shapes(Path(model))
    file = adapter / ADAPTER_WEIGHTS
    if not file.is_file():
        raise ConfigError(f"evaluate.{role}: {adapter} has no {ADAPTER_WEIGHTS}, expected an adapter that PEFT saved")
    if not weights:
        return
    for name, shape in _shapes(file).items():
        module, _, rest = name.removeprefix(PREFIX).partition(".lora_")
        side = {"A.weight": 1, "B.weight": 0}.get(rest)
        if side is None:
            continue
        whole = weights.get(f"{module}.weight")
        if whole is None or shape[side] != whole[side]:
            found = "no such matrix" if whole is None else f"a matrix of {whole[0]} x {whole[1]}"
            raise ConfigError(
                f"evaluate.{role}: the adapter {adapter} is of another base: {module} has {shape[side]} "
                f"{'inputs' if side else 'outputs'} in it, and {model} has {found}"
            )


def _model_shapes(folder: Path) -> Shapes:
    if (folder / INDEX).is_file():
        names = sorted(set(orjson.loads((folder / INDEX).read_bytes())["weight_map"].values()))
    else:
        names = [WEIGHTS]
    return {
        name: shape for file in names if (folder / file).is_file() for name, shape in _shapes(folder / file).items()
    }


def _shapes(file: Path) -> Shapes:
    """Return the shapes of a safetensors file's tensors by name, from its header."""
    with file.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        header = orjson.loads(stream.read(size))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
