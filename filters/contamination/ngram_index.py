"""Rows that hold texts of evaluation sets: shared runs of words are counted, longer ones reject the row.

Rows and sets are compared by n-grams of normalised words (papers.md 8): runs of `report` words are a signal, runs of
`drop` words a reason. A text of an evaluation set with fewer words than `drop` counts where a row holds all of it. One
with fewer than `report` may stand in any text (GPT-3's report, appendix C, goes no lower than eight words): it counts
where it is the whole instruction.

The index is a file with sorted 64-bit hashes, which all processes map into memory. No text is in it: the signals say
where in the row a shared run stands, so that `shared_runs` reads its words off the row itself.
"""

import hashlib
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import orjson

from skillmill.data.errors import ConfigError
from skillmill.data.files import sha256_of, store_errors, write_whole
from skillmill.data.inputs.datasets import plain_text, read_dataset
from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.ngrams import Hashes, hashed, ngram_hashes, normal_words
from skillmill.filters.config import Contamination
from skillmill.filters.contamination.evaluation_sets import EvaluationSet
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

FORMAT = "skillmill evaluation n-grams 2"
KEY = "filters.contamination.sets"
BORDER = "\n"
"""Stands between instruction and response. It is no word, so no run crosses it."""
NGRAMS, PLACE, WORDS = "evaluation_ngrams", "evaluation_place", "evaluation_words"
"""The signals. `evaluation_ngrams`: how many of the row's runs of `report` words stand in a set. With ":" and the name
of a set, for each that shares some: how many; where among the row's words the run stands that rejects it (else the
first shared one); and how many words that run has."""


class Index(NamedTuple):
    """Runs in ascending order, and for each the number of its set, doubled, plus one where it rejects a row."""

    runs: Hashes
    marks: Hashes

    def holding(self, runs: Hashes, rejecting: bool) -> Iterator[tuple[int, int]]:
        """(place among `runs`, number of the set) for each that stands in a set."""
        entries = np.searchsorted(self.runs, runs)
        for place in np.flatnonzero(self.runs.take(entries, mode="clip") == runs).tolist():
            entry = int(entries[place])
            while entry < len(self.runs) and self.runs[entry] == runs[place]:
                number, rejects = divmod(int(self.marks[entry]), 2)
                if rejects == rejecting:
                    yield place, number
                entry += 1


class SharedRun(NamedTuple):
    """What a row shares with one set: how many n-grams, and the normalised words of the run that counted most."""

    evaluation_set: str
    ngrams: int
    words: str


def contamination(sample: Sample, cell: Cell, options: Contamination) -> Verdict:
    """Instruction and response against the evaluation sets of options that `with_index` gave."""
    if not options.sets:
        return Verdict()
    assert options.index is not None, "the index is made where the configuration is taken up, by with_index"
    asked, said = normal_words(sample.instruction), normal_words(sample.response)
    shared, rejecting = _runs(_mapped(options.index), hashed([*asked, BORDER, *said]), len(asked), options)
    signals = {NGRAMS: float(len({run.place for run in shared}))}
    for run in reversed(rejecting + shared):  # the first of each set is what stays
        name = options.sets[run.number].name
        signals |= {f"{PLACE}:{name}": float(run.place), f"{WORDS}:{name}": float(run.words)}
    for run in shared:
        name = f"{NGRAMS}:{options.sets[run.number].name}"
        signals[name] = signals.get(name, 0.0) + 1
    return verdict(Reason.CONTAMINATION, bool(rejecting), **signals)


def shared_runs(instruction: str, response: str, signals: dict[str, float]) -> list[SharedRun]:
    """What the signals of a row say in words, for people; needs neither index nor sets."""
    words = [*normal_words(instruction), BORDER, *normal_words(response)]
    found = []
    for signal, ngrams in signals.items():
        kind, _, name = signal.partition(":")
        if kind == NGRAMS and name:
            place, length = int(signals[f"{PLACE}:{name}"]), int(signals[f"{WORDS}:{name}"])
            found.append(SharedRun(name, int(ngrams), " ".join(words[place : place + length])))
    return found


def with_index(options: Contamination, folder: Path) -> Contamination:
    """The options with their index, a file in `folder`. Where it is not there, the sets are read and it is written.

    Raises `ConfigError` that names the set which cannot be had or has nothing to look for.
    """
    if not (options.enabled and options.sets):
        return options
    path = folder / f"{_fingerprint(options)}.npy"
    if not _is_index(path):
        content = io.BytesIO()
        np.save(content, np.stack(_indexed(options)))
        with store_errors(f"cannot write {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, content.getvalue())
        for old in {*folder.glob("*.npy")} - {path}:
            old.unlink(missing_ok=True)
    return options.indexed_in(path)


class _Run(NamedTuple):
    number: int
    """Of the set."""
    place: int
    words: int


def _runs(index: Index, words: Hashes, asked: int, options: Contamination) -> tuple[list[_Run], list[_Run]]:
    """The runs that a row shares with sets, and those that reject it, the longest first.

    `asked` is how many of the words are the instruction's. A run that rejects begins with one that is shared.
    """
    found = index.holding(ngram_hashes(words, options.report), False)
    shared = [_Run(number, place, options.report) for place, number in found]
    whole = []
    if asked < options.report:
        whole = [_Run(number, 0, asked) for _, number in index.holding(_whole(words[:asked]), False)]
    rejecting = list(whole) if options.drop else []
    if shared and options.drop:
        for length in range(options.drop, options.report - 1, -1):
            found = index.holding(ngram_hashes(words, length), True)
            rejecting += [_Run(number, place, length) for place, number in found]
    return whole + shared, rejecting


def _whole(words: Hashes) -> Hashes:
    """One run: a whole text, from border to border."""
    border = hashed([BORDER])
    return ngram_hashes(np.concatenate([border, words, border]), len(words) + 2)


@lru_cache(maxsize=4)
def _mapped(path: Path) -> Index:
    return Index(*np.asarray(np.load(path, mmap_mode="r")))


def _is_index(path: Path) -> bool:
    try:
        table = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, or damaged
        return False
    return bool(table.ndim == 2 and len(table) == 2 and table.dtype == np.uint64)


def _fingerprint(options: Contamination) -> str:
    """Of all that the index is made from: settings, names on the hub, and the contents of files."""
    sources = [(_content(each), each.subsets, each.split_to_read, each.columns) for each in options.sets]
    made_from = orjson.dumps([FORMAT, options.report, options.drop, sources])
    return hashlib.sha256(made_from).hexdigest()[:16]


def _content(source: EvaluationSet) -> Any:
    path = Path(source.dataset)
    with store_errors(f"{KEY}.{source.name}: cannot read {path}"):
        if path.is_dir():
            return [
                (str(file.relative_to(path)), sha256_of(file)) for file in sorted(path.rglob("*")) if file.is_file()
            ]
        return sha256_of(path) if path.is_file() else source.dataset


def _indexed(options: Contamination) -> Index:
    runs: list[Hashes] = []
    marks: list[Hashes] = []

    def add(hashes: Hashes, number: int, rejects: bool) -> None:
        runs.append(hashes)
        marks.append(np.full(len(hashes), 2 * number + rejects, np.uint64))

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
                add(_whole(words), number, False)
        if not usable:
            where = f"{', '.join(source.columns)} of {source.dataset}"
            raise ConfigError(f"{KEY}.{source.name}: no text in {where} has {options.report} words or more")
    index = Index(np.concatenate(runs), np.concatenate(marks))
    order = np.lexsort((index.marks, index.runs))
    index = Index(index.runs[order], index.marks[order])
    new = np.ones(len(order), bool)
    new[1:] = (index.runs[1:] != index.runs[:-1]) | (index.marks[1:] != index.marks[:-1])
    return Index(index.runs[new], index.marks[new])


def _texts(source: EvaluationSet) -> Iterator[str]:
    """Every text of the set's columns; a list, such as the turns of a chat, holds several."""
    key = f"{KEY}.{source.name}"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for subset in source.subsets:
            table = read_dataset(key, source.dataset, subset, source.split_to_read, Path(folder))
            if unknown := [column for column in source.columns if column not in table.column_names]:
                there = ", ".join(table.column_names)
                raise ConfigError(f"{key}: there is no column {unknown[0]!r} in {source.dataset}, expected of {there}")
            for row in table.select_columns(list(source.columns)):
                for value in row.values():
                    for part in value if isinstance(value, list) else [value]:
                        yield plain_text(part)
