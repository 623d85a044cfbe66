"""The index of evaluation sets: a file of sorted n-gram hashes that every process maps into memory.

For each text of `report` normalised words or more, the index holds its n-grams of `report` words and its n-grams of
`drop` words (of all its words if it has fewer than `drop`). For a shorter text it holds one hash of the whole text.
The index stores 64-bit hashes and set numbers, never text.
"""

import hashlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import orjson

from skillmill.data.errors import ConfigError
from skillmill.data.files import sha256_of, store_errors, write_atomic
from skillmill.data.inputs.chats import read_turns
from skillmill.data.inputs.datasets import plain_text, read_dataset
from skillmill.data.text.ngrams import Hashes, hashed, ngram_hashes, normal_words
from skillmill.filters.contamination.evaluation_sets import EvaluationSet
from skillmill.filters.contamination.filter import Contamination

FORMAT = "skillmill evaluation n-grams 3"
KEY = "filters.contamination.sets"
SEPARATOR = "\n"
"""Pseudo-word between two texts. `normal_words` never returns it, so no n-gram of one text crosses it."""


class NgramIndex(NamedTuple):
    """The n-grams of all evaluation sets, without repeats, sorted by hash and then by mark."""

    hashes: Hashes
    """Hashes of the n-grams, uint64, (entries,), ascending. An n-gram of several sets has several entries."""
    marks: Hashes
    """For each entry 2 * (number of its set) + 1 if a row with this n-gram is rejected, uint64, (entries,)."""

    def matches(self, hashes: Hashes, rejecting: bool) -> Iterator[tuple[int, int]]:
        """Yield (position in `hashes`, number of the set) for each n-gram that a set contains.

        `rejecting` selects the entries that reject a row, or else those that do not.
        """
        entries = np.searchsorted(self.hashes, hashes)
        for position in np.flatnonzero(self.hashes.take(entries, mode="clip") == hashes).tolist():
            entry = int(entries[position])
            while entry < len(self.hashes) and self.hashes[entry] == hashes[position]:
                number, rejects = divmod(int(self.marks[entry]), 2)
                if rejects == rejecting:
                    yield position, number
                entry += 1


def with_index(options: Contamination, folder: Path) -> Contamination:
    """Return the options with the path of their index, a file in `folder`.

    If the file is missing or damaged, the sets are read and the index is written; other index files in `folder` are
    deleted. The options are returned unchanged if the filter is off or has no sets. Raises `ConfigError`, naming the
    set, if a set cannot be read or has no text of `report` words; raises `StoreError` if the file cannot be written.
    """
    if not (options.enabled and options.sets):
        return options
    path = folder / f"{_fingerprint(options)}.npy"
    if not _is_index(path):
        content = io.BytesIO()
        np.save(content, np.stack(_build(options)))
        with store_errors(f"cannot write {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content.getvalue())
        for old in {*folder.glob("*.npy")} - {path}:
            old.unlink(missing_ok=True)
    return options.indexed_in(path)


@lru_cache(maxsize=4)
def load_index(path: Path) -> NgramIndex:
    """Return the index at `path`, mapped into memory."""
    return NgramIndex(*np.asarray(np.load(path, mmap_mode="r")))


def whole_text_hash(words: Hashes) -> Hashes:
    """Return the hash of a whole text, (1,), from the hashes of its words.

    The separators at both ends make it differ from the hash of the same words inside a longer text.
    """
    separator = hashed([SEPARATOR])
    return ngram_hashes(np.concatenate([separator, words, separator]), len(words) + 2)


def _is_index(path: Path) -> bool:
    try:
        table = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # missing or damaged
        return False
    return bool(table.ndim == 2 and len(table) == 2 and table.dtype == np.uint64)


def _fingerprint(options: Contamination) -> str:
    """Return 16 hex digits over everything that the index depends on: lengths, hub names and contents of files."""
    sources = [(_content(each), each.subsets, each.split_to_read, each.columns, each.encoding) for each in options.sets]
    inputs = orjson.dumps([FORMAT, options.report, options.drop, sources])
    return hashlib.sha256(inputs).hexdigest()[:16]


def _content(source: EvaluationSet) -> str | list[tuple[str, str]]:
    """Return the checksum of a set's file, name and checksum of each file of its folder, or its name on the hub."""
    path = Path(source.dataset)
    with store_errors(f"{KEY}.{source.name}: cannot read {path}"):
        if path.is_dir():
            return [
                (str(file.relative_to(path)), sha256_of(file)) for file in sorted(path.rglob("*")) if file.is_file()
            ]
        return sha256_of(path) if path.is_file() else source.dataset


def _build(options: Contamination) -> NgramIndex:
    """Read the sets and return their index."""
    hashes: list[Hashes] = []
    marks: list[Hashes] = []

    def add(ngrams: Hashes, number: int, rejects: bool) -> None:
        hashes.append(ngrams)
        marks.append(np.full(len(ngrams), 2 * number + rejects, np.uint64))

    for number, source in enumerate(options.sets):
        usable = False
        for text in _texts(source):
            words = hashed(normal_words(text))
            if len(words) >= options.report:
                usable = True
                add(ngram_hashes(words, options.report), number, False)
                if options.drop:
                    add(ngram_hashes(words, min(options.drop, len(words))), number, True)
            elif len(words):
                add(whole_text_hash(words), number, False)
        if not usable:
            where = f"{', '.join(source.columns)} of {source.dataset}"
            raise ConfigError(f"{KEY}.{source.name}: no text in {where} has {options.report} words or more")
    return _sorted_without_repeats(NgramIndex(np.concatenate(hashes), np.concatenate(marks)))


def _sorted_without_repeats(index: NgramIndex) -> NgramIndex:
    order = np.lexsort((index.marks, index.hashes))
    index = NgramIndex(index.hashes[order], index.marks[order])
    is_new = np.ones(len(order), bool)
    is_new[1:] = (index.hashes[1:] != index.hashes[:-1]) | (index.marks[1:] != index.marks[:-1])
    return NgramIndex(index.hashes[is_new], index.marks[is_new])


def _texts(source: EvaluationSet) -> Iterator[str]:
    """Yield every text of the set's columns; a list, such as the turns of a chat, contains several texts."""
    key = f"{KEY}.{source.name}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for subset in source.subsets:
            table = read_dataset(
                key, source.dataset, subset, source.split_to_read, Path(folder), source.columns, source.encoding
            )
            if unknown := [column for column in source.columns if column not in table.column_names]:
                there = ", ".join(table.column_names)
                raise ConfigError(f"{key}: there is no column {unknown[0]!r} in {source.dataset}, expected of {there}")
            for row in table.select_columns(list(source.columns)):
                for column, value in row.items():
                    turns = read_turns(value, column)
                    parts = [turn.text for turn in turns] if turns else value if isinstance(value, list) else [value]
                    yield from map(plain_text, parts)
