"""Semantic duplicates, with a sentence-transformers model made here: the mean of one random vector per word."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skillmill.data.errors import ConfigError
from skillmill.data.reasons import SEMANTIC_DUPLICATE
from skillmill.filters.config import FiltersConfig
from skillmill.filters.dedup.near_duplicates import EMBEDDINGS, Corpus
from skillmill.filters.dedup.options import NearDuplicates, Semantic
from skillmill.filters.dedup.signatures import RowTexts

PLAN, OTHER = "a1b2c3d4" * 4, "00000001" * 4


BREAD = "how do i bake good rye bread at home without yeast"
SAME_BREAD = "without yeast at home good rye bread how do i bake"
POEM = "write a poem about the old sea and its ships"
NEAR_POEM = "about the old sea and its ships write a a poem"
ROWS = [RowTexts(number, number, text, "") for number, text in enumerate([BREAD, POEM, SAME_BREAD, NEAR_POEM])]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that ignores word order: texts with the same words have the same embedding but share no 3-grams."""
    pytest.importorskip("sentence_transformers", reason="the extra `embeddings` is not installed")
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    torch.manual_seed(0)
    words = (
        "[UNK] how do i bake good rye bread at home without yeast write poem about the old sea and its ships a".split()
    )
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    folder = tmp_path_factory.mktemp("models") / "bag-of-words"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=64)], device="cpu").save(str(folder))
    return str(folder)


@contextmanager
def corpus(folder: Path, model: str, plan: str = PLAN) -> Iterator[Corpus]:
    folder.mkdir(exist_ok=True)
    opened = Corpus(folder / "signatures.bin", NearDuplicates(semantic=Semantic(model=model)), plan)
    try:
        yield opened
    finally:
        opened.close()


def test_a_row_with_the_same_embedding_repeats_the_first(tmp_path: Path, model: str) -> None:
    with corpus(tmp_path / "work", model) as kept:
        first, other, same, reworded = kept.decide(ROWS)
    assert first is None and other is None
    assert same is not None and reworded is not None
    assert (same.index, same.reason, same.response) == (0, SEMANTIC_DUPLICATE, 0.0)
    assert same.instruction == pytest.approx(1, abs=2e-3)
    assert reworded.index == 1 and 0.9 <= reworded.instruction < 1


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_an_interruption_changes_nothing_and_no_text_is_embedded_twice(tmp_path: Path, model: str, stop: int) -> None:
    with corpus(tmp_path / "whole", model) as kept:
        wanted = kept.decide(ROWS)
    with corpus(tmp_path / "stopped", model) as kept:
        found = kept.decide(ROWS[:stop])
    with corpus(tmp_path / "stopped", model) as resumed:
        before = [text.row for text, match in zip(ROWS, found, strict=False) if match is None]
        assert not resumed.missing(before)
        resumed.keep(before)
        assert resumed.computed == 0
        assert found + resumed.decide(ROWS[stop:]) == wanted
    assert (tmp_path / "whole" / EMBEDDINGS).read_bytes() == (tmp_path / "stopped" / EMBEDDINGS).read_bytes()


def test_rows_of_other_plans_are_repeated_and_rows_of_the_own_cell_are_not(tmp_path: Path, model: str) -> None:
    with corpus(tmp_path / "work", model) as kept:
        kept.sign([RowTexts(90, 5, POEM, "")], OTHER)
        kept.keep([90])
        first, again, poem = kept.decide(
            [RowTexts(0, 0, BREAD, ""), RowTexts(1, 0, SAME_BREAD, ""), RowTexts(2, 1, NEAR_POEM, "")]
        )
    assert first is None and again is None
    assert poem is not None and (poem.plan, poem.index) == (int(OTHER[:8], 16), 5)


def test_short_answers_are_not_compared(tmp_path: Path, model: str) -> None:
    with corpus(tmp_path / "work", model) as kept:
        assert kept.decide([RowTexts(0, 0, BREAD, "rye bread"), RowTexts(1, 1, POEM, "bread rye")]) == [None, None]


def test_another_model_embeds_again_and_keeps_the_signatures(tmp_path: Path, model: str) -> None:
    with corpus(tmp_path / "work", model) as kept:
        kept.decide(ROWS)
    signatures = (tmp_path / "work" / "signatures.bin").read_bytes()
    (tmp_path / "other").symlink_to(model)
    with corpus(tmp_path / "work", str(tmp_path / "other")) as kept:
        assert kept.missing([0]) == {0}
        kept.sign(ROWS, PLAN)
        assert not kept.missing([0])
    assert (tmp_path / "work" / "signatures.bin").read_bytes() == signatures


def test_a_missing_model_is_one_line_that_names_the_key(tmp_path: Path) -> None:
    missing = str(tmp_path / "no-such-model")
    line = r"^filters\.near_duplicates\.semantic\.model \S+: [^\n]+$"
    with pytest.raises(ConfigError, match=line), corpus(tmp_path / "work", missing):
        pass


def test_without_the_extra_the_line_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'skillmill\[embeddings\]'$"), corpus(tmp_path / "work", "any"):
        pass


def test_a_folder_beside_the_configuration_is_found(tmp_path: Path) -> None:
    (tmp_path / "mini").mkdir()
    for name, wanted in (("mini", str(tmp_path / "mini")), ("owner/name", "owner/name")):
        options = FiltersConfig(near_duplicates=NearDuplicates(semantic=Semantic(model=name)))
        semantic = options.relative_to(tmp_path).near_duplicates.semantic
        assert semantic is not None and semantic.model == wanted
