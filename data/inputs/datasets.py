"""Datasets as `datasets` reads them: a data file, its address, a folder, or a name on the Hugging Face hub."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skillmill.data.errors import ConfigError

FORMATS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}
"""Endings of data files, and what `datasets` calls them."""


def is_address(name: str) -> bool:
    """Whether it is where a file lies that others serve: `hf://datasets/...`, `https://...`."""
    return "://" in name


def is_data_file(name: str) -> bool:
    """Whether a dataset's name can only be that of a file on this machine."""
    return not is_address(name) and _format(name) is not None


def joined(folder: Path, name: str) -> str:
    """A dataset that a file in `folder` names: a path where something lies there or where its ending says so."""
    path = folder / Path(name).expanduser()
    return str(path) if is_data_file(name) or (not is_address(name) and path.exists()) else name


def read_dataset(key: str, name: str, subset: str | None, split: str, cache: Path) -> Any:
    """The `datasets.Dataset` of that name; a local file is laid out as Arrow in `cache`, which memory maps.

    Raises `ConfigError` that begins with `key`, the place in the configuration, where it cannot be had.
    """
    path, form = Path(name), _format(name)
    if is_data_file(name) and not path.is_file():
        raise ConfigError(f"{key}: there is no file {name}")
    if form is None and (is_address(name) or path.is_file()):
        raise ConfigError(f"{key}: {name}: expected a name that ends in {', '.join(FORMATS)}")
    import datasets  # seconds to import, so only here

    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        if (path / "state.json").is_file():
            return datasets.load_from_disk(name)
        if (path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(name)[split]
        own = {"cache_dir": str(cache)} if path.exists() else {}
        if form is not None:
            return datasets.load_dataset(form, data_files=name, split=split, **own)
        return datasets.load_dataset(name, subset, split=split, **own)
    except Exception as error:  # readers, hub clients and their transports raise whatever they like
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        empty = isinstance(cause or error, StopIteration)  # what its reader says of a file without a line
        said = "it has no rows" if empty else str(cause or error).strip() or type(error).__name__
        raise ConfigError(f"{key}: {name} cannot be loaded: {said.splitlines()[0]}") from None
    finally:
        if bars:
            datasets.enable_progress_bars()


def plain_text(value: Any) -> str:
    """Any value of any column as plain text: of messages what they say, of other structures keys and values."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        said = next((value[key] for key in ("content", "value", "text") if key in value), None)
        if said is not None:
            return plain_text(said)
        return "\n".join(f"{key}: {text}" for key, inner in value.items() if (text := plain_text(inner)))
    if isinstance(value, list | tuple):
        return "\n\n".join(filter(None, map(plain_text, value)))
    return str(value).strip()


def _format(name: str) -> str | None:
    return FORMATS.get(Path(name.lower().removesuffix(".gz")).suffix)
