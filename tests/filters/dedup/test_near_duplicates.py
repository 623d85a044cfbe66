"""The near-duplicate filter keeps the first of similar rows, for any batches and interruptions."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillmill.data.errors import StoreError
from skillmill.data.reasons import DUPLICATE, NEAR_DUPLICATE
from skillmill.filters.dedup.band_index import BandIndex
from skillmill.filters.dedup.duplicate_of import DuplicateOf
from skillmill.filters.dedup.minhash import Bands, signature, similarity
from skillmill.filters.dedup.near_duplicates import Corpus
from skillmill.filters.dedup.options import NearDuplicates
from skillmill.filters.dedup.signatures import HEADER_BYTES, RowTexts, record_type

PLAN, OTHER = "a1b2c3d4" * 4, "00000001" * 4
RECORD = record_type(128).itemsize


def prose(seed: int, words: int = 60) -> str:
    dice = random.Random(seed)
    return " ".join("".join(dice.choices("abcdefghij", k=5)) for _ in range(words))


def reworded(text: str, word: int) -> str:
    """The text with one word of sixty changed: a similarity of about 0.9."""
    words = text.split()
    words[word] = "another"
    return " ".join(words)


@contextmanager
def corpus(path: Path, plan: str = PLAN, **options: Any) -> Iterator[Corpus]:
    opened = Corpus(path, NearDuplicates(**options), plan)
    try:
        yield opened
    finally:
        opened.close()


def row_texts(index: int, instruction: str = "", response: str = "", row_id: int | None = None) -> RowTexts:
    return RowTexts(index if row_id is None else row_id, index, instruction, response)


def kept_of(matches: list[DuplicateOf | None], rows: list[RowTexts]) -> list[int]:
    return [text.index for text, match in zip(rows, matches, strict=True) if match is None]


@st.composite
def families(draw: st.DrawFn) -> list[tuple[int, RowTexts]]:
    """Rows of a few families in index order: a family's texts are equal or differ in one word."""
    picks = draw(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(5, 50)), min_size=1, max_size=40))
    rows = []
    for index, (family, equal, word) in enumerate(picks):
        response = prose(family) if equal else reworded(prose(family), word)
        rows.append((family, row_texts(index, prose(1000 + index, 20), response)))
    return rows


@given(families())
@settings(max_examples=40, deadline=None)
def test_the_lowest_index_of_each_family_is_kept(rows: list[tuple[int, RowTexts]]) -> None:
    firsts: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder, corpus(Path(folder) / "signatures") as kept:
        for (family, text), match in zip(rows, kept.decide([text for _, text in rows]), strict=True):
            first = firsts.setdefault(family, text.index)
            assert (match is None) == (first == text.index)
            if match is not None:
                assert match.index == first
                assert match.response > 0.7
                assert match.instruction < 0.2


@given(families(), st.lists(st.integers(1, 12), min_size=1), st.data())
@settings(max_examples=40, deadline=None)
def test_batches_and_interruptions_change_nothing_and_no_signature_is_computed_twice(
    rows: list[tuple[int, RowTexts]], sizes: list[int], data: st.DataObject
) -> None:
    texts = [text for _, text in rows]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with corpus(folder / "whole") as undisturbed:
            wanted = undisturbed.decide(texts)
        found: list[DuplicateOf | None] = []
        while len(found) < len(texts):
            with corpus(folder / "stopped") as resumed:
                assert not resumed.missing(kept_of(found, texts[: len(found)]))
                resumed.keep(kept_of(found, texts[: len(found)]))
                assert resumed.computed == 0
                for _ in range(data.draw(st.integers(1, 3))):
                    size = data.draw(st.sampled_from(sizes))
                    found += resumed.decide(texts[len(found) : len(found) + size])
        assert found == wanted
        assert (folder / "whole").read_bytes() == (folder / "stopped").read_bytes()


@given(st.lists(st.sampled_from(["What is 3+4?", "what is  3+4?", "What is 3-4?", "Why?", "Name three birds, please"])))
@settings(max_examples=40, deadline=None)
def test_no_two_kept_rows_have_equal_instructions_and_different_ones_are_kept(instructions: list[str]) -> None:
    rows = [row_texts(index, text, "Seven.") for index, text in enumerate(instructions)]
    with tempfile.TemporaryDirectory() as folder, corpus(Path(folder) / "signatures") as kept:
        matches = kept.decide(rows)
    left = [text.instruction for text, match in zip(rows, matches, strict=True) if match is None]
    plain = [" ".join(text.lower().split()) for text in left]
    assert len(plain) == len(set(plain)) == len({" ".join(text.lower().split()) for text in instructions})
    assert all(match.reason == DUPLICATE and match.instruction == 1 for match in matches if match)


@given(cut=st.integers(0, 6 * RECORD), flip=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_torn_tail_is_dropped_and_computed_again(cut: int, flip: bool) -> None:
    texts = [row_texts(index, prose(index, 15), prose(50 + index)) for index in range(6)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signatures"
        with corpus(path) as kept:
            kept.decide(texts)
        whole = path.read_bytes()
        torn = whole[: HEADER_BYTES + cut]
        if flip and cut:  # a damaged record, as after a power cut
            torn = torn[:-1] + bytes([torn[-1] ^ 0xFF]) + whole[HEADER_BYTES + cut :]
        path.write_bytes(torn)
        intact = (cut - 1) // RECORD if flip and cut else cut // RECORD
        with corpus(path) as mended:
            assert mended.missing(range(6)) == set(range(intact, 6))
            mended.sign(texts, PLAN)
            assert mended.computed == 6 - intact
            mended.keep(range(6))
            copies = [replace(text, row=100 + text.row, index=100 + text.index) for text in texts]
            assert [match and match.index for match in mended.decide(copies)] == [0, 1, 2, 3, 4, 5]
        assert path.read_bytes()[: len(whole)] == whole


def test_settings_that_change_signatures_empty_the_file_and_a_threshold_does_not(tmp_path: Path) -> None:
    path, texts = tmp_path / "signatures", [row_texts(0, prose(1), prose(2))]
    with corpus(path) as kept:
        kept.decide(texts)
    with corpus(path, threshold=0.9) as kept:
        assert kept.missing([0]) == set()
    with corpus(path, shingle_words=2) as kept:
        assert kept.missing([0]) == {0}


def test_a_row_with_a_changed_text_is_signed_again(tmp_path: Path) -> None:
    path, first, second = tmp_path / "signatures", row_texts(0, prose(1), prose(2)), row_texts(1, prose(3), prose(4))
    with corpus(path) as kept:
        kept.decide([first])
    with corpus(path) as kept:  # the shard was lost, and the teacher gave another answer
        assert kept.decide([replace(first, response=prose(9)), replace(second, response=prose(2))]) == [None, None]
        assert kept.computed == 2


@pytest.mark.parametrize("path", ["/dev/full", "a folder", "nowhere/signatures"])
def test_a_file_that_cannot_be_written_is_one_clear_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "a folder").mkdir()
    with pytest.raises(StoreError, match=r"^cannot write .*: [A-Z][a-z ]+$"), corpus(tmp_path / path):
        pass


def test_rows_of_one_cell_are_no_duplicates_and_rows_of_the_own_plan_come_first(tmp_path: Path) -> None:
    path, answer = tmp_path / "signatures", prose(7)
    with corpus(path) as kept:
        two_generations = [row_texts(4, prose(1), answer), row_texts(4, prose(1), answer, row_id=5)]
        assert kept.decide(two_generations) == [None, None]
        kept.sign([row_texts(0, "", prose(8), row_id=90)], OTHER)
        kept.keep([90])
        own, other = kept.decide([row_texts(6, "", answer, row_id=6), row_texts(7, "", prose(8), row_id=7)])
    assert own == DuplicateOf(int(PLAN[:8], 16), 4, 0.0, 1.0, DUPLICATE)
    assert other == DuplicateOf(int(OTHER[:8], 16), 0, 0.0, 1.0, DUPLICATE)


def test_short_answers_are_not_compared_and_short_questions_only_for_equality(tmp_path: Path) -> None:
    with corpus(tmp_path / "signatures") as kept:
        rows = [
            row_texts(0, "What is 3+4?", "Seven."),
            row_texts(1, "What is 9-2?", "Seven."),
            row_texts(2, "What is 9-3?", "Six."),
        ]
        assert kept.decide(rows) == [None, None, None]


def test_texts_of_other_scripts_are_compared_too(tmp_path: Path) -> None:
    chinese = "如何在春天种植番茄并保护它们免受寒冷天气的影响以及如何浇水"
    with corpus(tmp_path / "signatures") as kept:
        first, near, far = kept.decide(
            [
                row_texts(0, chinese),
                row_texts(1, chinese.replace("浇水", "施肥")),
                row_texts(2, "怎样才能在一个月内学会弹奏简单的钢琴曲"),
            ]
        )
    assert first is None
    assert near is not None and 0.7 <= near.instruction < 1 and near.reason == NEAR_DUPLICATE
    assert far is None


@given(shared=st.integers(0, 100), seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_estimate_is_near_the_jaccard_similarity(shared: int, seed: int) -> None:
    one, other = prose(seed, 100).split(), prose(seed + 10**7, 100).split()
    other[:shared] = one[:shared]
    runs = [{tuple(words[i : i + 3]) for i in range(98)} for words in (one, other)]
    true = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
    made = [signature(" ".join(words), 256, 3, 8) for words in (one, other)]
    assert made[0] is not None and made[1] is not None
    assert float(similarity(made[0], made[1][None])[0]) == pytest.approx(true, abs=0.16)  # five standard errors


@pytest.mark.parametrize(("threshold", "bands"), [(0.5, (42, 3)), (0.7, (25, 5)), (0.9, (11, 11)), (1.0, (1, 128))])
def test_bands_are_as_wide_as_recall_allows(threshold: float, bands: tuple[int, int]) -> None:
    chosen = Bands.of(threshold, 128)
    assert (chosen.count, chosen.width) == bands
    assert 1 - (1 - threshold**chosen.width) ** chosen.count >= 0.98


def test_pairs_above_the_threshold_are_found(tmp_path: Path) -> None:
    """The recall on 300 pairs with an estimate at or above the threshold is at least `LEAST_RECALL`."""
    options, found, wanted = NearDuplicates(), 0, 0
    with corpus(tmp_path / "signatures") as kept:
        for pair in range(300):
            one = prose(pair)
            other = one
            for word in range(pair % 5):
                other = reworded(other, 3 + 9 * word)
            made = [signature(text, 128, 3, 8) for text in (one, other)]
            assert made[0] is not None and made[1] is not None
            near = float(similarity(made[0], made[1][None])[0]) >= options.threshold
            _, match = kept.decide([row_texts(2 * pair, "", one), row_texts(2 * pair + 1, "", other)])
            assert near or match is None
            wanted, found = wanted + near, found + (match is not None)
    assert wanted > 200
    assert found / wanted >= 0.98


@given(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), max_size=60), st.integers(1, 20), st.data())
@settings(max_examples=60, deadline=None)
def test_the_index_finds_what_a_dict_finds(records: list[list[int]], recent: int, data: st.DataObject) -> None:
    index, plain = BandIndex(recent), dict[int, set[int]]()
    for number, record_keys in enumerate(records):
        if data.draw(st.booleans()):
            index.add(np.array(record_keys, np.uint64), number)
        else:
            index.add_many(np.array([record_keys], np.uint64), np.array([number]))
        index.settle()
        for key in record_keys:
            plain.setdefault(key, set()).add(number)
    plain.pop(0, None)
    keys = np.array([[key, 0] for key in range(31)], np.uint64)
    for (key, _), older in zip(keys.tolist(), index.settled(keys), strict=True):
        assert older | index.recent([key]) == plain.get(key, set())
