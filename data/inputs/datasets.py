"""Load a dataset by the name given in the configuration: a data file, its URL, a folder, or a Hugging Face hub name."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from skillmill.data.errors import ConfigError

if TYPE_CHECKING:
    import datasets

FORMATS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "text"}
"""The `datasets` builder for each file name suffix."""


def is_url(name: str) -> bool:
    """Return whether a dataset name is a URL, e.g. `hf://datasets/...` or `https://...`."""
    return "://" in name


def is_data_file(name: str) -> bool:
    """Return whether a dataset name can only be the path of a local data file, judged by its suffix."""
    return not is_url(name) and _builder(name) is not None


def resolve_dataset_name(folder: Path, name: str) -> str:
    """Return the dataset name `name` of a configuration file in `folder`, as a path if it is a local one.

    It is a local one if its suffix is that of a data file, or if a file or folder of that name exists.
    """
    path = folder / Path(name).expanduser()
    return str(path) if is_data_file(name) or (not is_url(name) and path.exists()) else name


def read_dataset(key: str, name: str, subset: str | None, split: str, cache: Path) -> "datasets.Dataset":
    """Load a dataset. Local data files are converted to memory-mapped Arrow files in `cache`.

    Raises `ConfigError` that begins with `key`, the configuration key, if the dataset cannot be loaded.
    """
    path, builder = Path(name), _builder(name)
    if is_data_file(name) and not path.is_file():
        raise ConfigError(f"{key}: there is no file {name}")
    if builder is None and (is_url(name) or path.is_file()):
        raise ConfigError(f"{key}: {name}: expected a name that ends in {', '.join(FORMATS)}")
    import datasets  # imported here because the import takes seconds

    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        if (path / "state.json").is_file():
            return datasets.load_from_disk(name)
        if (path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(name)[split]
        options = {"cache_dir": str(cache)} if path.exists() else {}
        if builder is not None:
            return datasets.load_dataset(builder, data_files=name, split=split, **options)
        return datasets.load_dataset(name, subset, split=split, **options)
    except Exception as error:  # file readers and hub clients document no common base class
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        empty = isinstance(cause or error, StopIteration)  # raised by the reader of a file without lines
        message = "it has no rows" if empty else str(cause or error).strip() or type(error).__name__
        raise ConfigError(f"{key}: {name} cannot be loaded: {message.splitlines()[0]}") from None
    finally:
        if bars:
            datasets.enable_progress_bars()


def plain_text(value: object) -> str:
    """Return any cell of a dataset as plain text, "" for null.

    A message gives its content, a list its parts separated by blank lines, any other mapping one `key: text` per line.
    """
    if value is None:
        return ""
    if isinstance(value, Mapping):
        content = next((value[key] for key in ("content", "value", "text") if key in value), None)
        if content is not None:
            return plain_text(content)
        return "\n".join(f"{key}: {text}" for key, inner in value.items() if (text := plain_text(inner)))
    if isinstance(value, list | tuple):
        return "\n\n".join(filter(None, map(plain_text, value)))
    return str(value).strip()


def _builder(name: str) -> str | None:
    return FORMATS.get(Path(name.lower().removesuffix(".gz")).suffix)
