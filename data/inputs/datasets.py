"""Load a dataset by the name given in the configuration: a data file, its URL, a folder, or a Hugging Face hub name."""

import glob
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from skillmill.data.errors import ConfigError

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa

FORMATS = {
    **{".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv"},
    **{".parquet": "parquet", ".txt": "text"},
}
"""The `datasets` builder of a data file at a URL, for each ending of its name."""


def is_url(name: str) -> bool:
    """Return whether a dataset name is a URL, e.g. `hf://datasets/...` or `https://...`."""
    return "://" in name


def is_data_file(name: str) -> bool:
    """Return whether a dataset name can only be the path of a local data file, judged by its suffix."""
    return not is_url(name) and _builder(name) is not None


def is_hub_name(name: str) -> bool:
    """Return whether a dataset name can only be that of a dataset on the Hugging Face Hub."""
    return not is_url(name) and _builder(name) is None and not Path(name).exists()


def resolve_dataset_name(folder: Path, name: str) -> str:
    """Return the dataset name `name` of a configuration file in `folder`, as a path if it is a local one.

    It is a local one if its suffix is that of a data file, or if a file or folder of that name exists.
    """
    path = folder / Path(name).expanduser()
    return str(path) if is_data_file(name) or (not is_url(name) and path.exists()) else name


def read_dataset(
    key: str,
    name: str,
    subset: str | None,
    split: str,
    cache: Path,
    columns: Sequence[str] | None = None,
    encoding: str | None = None,
) -> "datasets.Dataset":
    """Load a dataset. Local data files are converted to memory-mapped Arrow files in `cache`.

    `columns` and `encoding` concern local data files: the columns to read, and the encoding of a text file. Paths are
    literal: `*`, `?`, `[` and `]` stand for themselves. Raises `ConfigError` that begins with `key`, the configuration
    key, if the dataset cannot be loaded.
    """
    path, builder = Path(name), _builder(name)
    if is_data_file(name) and not path.is_file():
        raise ConfigError(f"{key}: there is no file {name}")
    if builder is None and (is_url(name) or path.is_file()):
        raise ConfigError(f"{key}: {name}: expected a name that ends in {', '.join(FORMATS)}")
    import datasets  # imported here because the import takes seconds

    with _load_errors(key, name):
        if builder is not None and not is_url(name):
            return _read_file(path, split, cache, columns, encoding)
        if (path / "state.json").is_file():
            return datasets.load_from_disk(name)
        if (path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(name)[split]
        if builder is not None:
            options = {"sep": "\t"} if ".tsv" in name.lower() else {}
            return datasets.load_dataset(builder, data_files=name, split=split, **options)
        if not path.exists():
            return datasets.load_dataset(name, subset, split=split)
        with _without_patterns(path) as folder:
            return datasets.load_dataset(str(folder), subset, split=split, cache_dir=str(cache))


def stream_dataset(key: str, name: str, subset: str | None, split: str, revision: str) -> "datasets.IterableDataset":
    """Return a dataset on the Hugging Face Hub whose rows are read when they are iterated over, with its features.

    `revision`: the commit to read. Raises `ConfigError` as `read_dataset` does.
    """
    import datasets

    with _load_errors(key, name):
        stream = datasets.load_dataset(name, subset, split=split, revision=revision, streaming=True)
        return stream if stream.features else stream._resolve_features()


def hub_revision(key: str, name: str) -> str:
    """Return the newest commit of a dataset on the Hugging Face Hub. Raises `ConfigError` as `read_dataset` does."""
    import datasets
    from huggingface_hub import HfApi

    with _load_errors(key, name):
        return str(HfApi(endpoint=datasets.config.HF_ENDPOINT).dataset_info(name).sha)


@contextmanager
def _load_errors(key: str, name: str) -> Iterator[None]:
    """Raise whatever cannot be loaded in the block as `ConfigError`, without progress bars."""
    import datasets

    bars = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    except Exception as error:  # file readers and hub clients document no common base class
        cause = error.__cause__ if isinstance(error, datasets.exceptions.DatasetGenerationError) else None
        empty = isinstance(cause or error, StopIteration)  # raised by the reader of a file without lines
        message = "it has no rows" if empty else str(cause or error).strip() or type(error).__name__
        message = message.splitlines()[0].removeprefix(f"{name}: ").removeprefix("cannot be read ")
        raise ConfigError(f"{key}: {name} cannot be loaded: {message}") from None
    finally:
        if bars:
            datasets.enable_progress_bars()


def plain_text(value: object) -> str:
    """Return any cell of a dataset as plain text, "" for null.

    A message gives its content, a list its parts separated by blank lines, any other mapping one `key: text` per line.
    """
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    if isinstance(value, Mapping):
        content = next((value[key] for key in ("content", "value", "text") if value.get(key) is not None), None)
        if content is not None:
            return plain_text(content)
        return "\n".join(f"{key}: {text}" for key, inner in value.items() if (text := plain_text(inner)))
    if isinstance(value, list | tuple):
        return "\n\n".join(filter(None, map(plain_text, value)))
    return str(value).strip()


def mapped_dataset(batches: Iterable["pa.RecordBatch"], file: Path) -> "datasets.Dataset":
    """Write batches to an Arrow file and return it as a memory-mapped dataset.

    Raises `StopIteration` if there are no batches.
    """
    import datasets
    import pyarrow as pa

    rows = iter(batches)
    first = next(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # a dataset that is still mapped keeps the old file
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, first.schema) as writer:
        writer.write_batch(first)
        for batch in rows:
            writer.write_batch(batch)
    return datasets.Dataset.from_file(str(file))


def _read_file(
    path: Path, split: str, cache: Path, columns: Sequence[str] | None, encoding: str | None
) -> "datasets.Dataset":
    if split != "train":
        raise ValueError(f"Unknown split {split!r}, a file has only 'train'")
    from skillmill.data.inputs.row_files import open_rows  # takes 30 ms; names of datasets do not need it

    rows = open_rows(path, encoding, "encoding:", tuple(FORMATS))
    for name in columns or ():
        if rows.schema.names.count(name) > 1:
            rows.require(name, "column")
    present = [name for name in columns or () if name in rows.schema.names]
    return mapped_dataset(rows.batches(present or None), cache / "rows.arrow")


@contextmanager
def _without_patterns(folder: Path) -> Iterator[Path]:
    """Yield a folder in whose path `datasets` finds no pattern: the folder itself, or one with links to its files."""
    if glob.escape(str(folder.resolve())) == str(folder.resolve()):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        for file in (file for file in folder.rglob("*") if file.is_file()):
            link = Path(temporary) / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.resolve())
        yield Path(temporary)


def _builder(name: str) -> str | None:
    return FORMATS.get(Path(name.lower().removesuffix(".gz")).suffix)
