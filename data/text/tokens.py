"""The words of a text, and those of many texts at once as numbers: numpy counts on them far faster than Python does."""

import re
from collections.abc import Sequence
from itertools import filterfalse
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.intp]

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+")
ASCII_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")
"""The same on plain ASCII in lower case, in half the time."""
CONTRACTION = re.compile(r"[a-z]+'[a-z]+")
APART = {number: " " for number in range(128) if not (chr(number).isalnum() or chr(number) == "'")}
"""Splitting at spaces takes a third of the time of a pattern."""
APART_BYTES = bytes(ord(" ") if number in APART else number for number in range(256))
"""Bytes from 128 on are parts of letters and stay."""
UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
"""Scripts without spaces: each character counts as a word."""
FEW = 4
"""So many texts are split sooner in Python than by a call of Arrow's."""


def tokens(text: str) -> list[str]:
    """Words and whole numbers in lower case; a character of a script without spaces is a word."""
    text = text.lower()
    if text.isascii():
        pieces = text.translate(APART).split()
        if all(piece.isdigit() or CONTRACTION.fullmatch(piece) for piece in filterfalse(str.isalpha, pieces)):
            return pieces
        return [word for piece in pieces for word in ((piece,) if piece.isalpha() else ASCII_WORD.findall(piece))]
    return WORD.findall(_spaced(text))


def _spaced(text: str) -> str:
    text = text.replace("’", "'")
    return UNSPACED.sub(r" \g<0> ", text) if UNSPACED.search(text) else text


class Tokens(NamedTuple):
    """The `tokens` of many texts, one text after the other.

    `words`: each word once. `numbers` (tokens): the place in `words` of each token. `ends` (texts): how many tokens
    there are up to the end of each text.
    """

    words: list[str]
    numbers: Numbers
    ends: Numbers

    def of(self, text: int) -> Numbers:
        """The numbers of one text's words."""
        return self.numbers[self.ends[text - 1] if text else 0 : self.ends[text]]


def tokens_of_all(texts: Sequence[str]) -> Tokens:
    """The same words as `tokens` finds. Of more than a few texts Arrow splits and numbers the pieces, and each piece is
    looked at once for all of them."""
    words: dict[str, int] = {}
    if len(texts) <= FEW:
        every = list(map(tokens, texts))
        numbers = np.array([words.setdefault(word, len(words)) for each in every for word in each], np.intp)
        return Tokens(list(words), numbers, np.cumsum(list(map(len, every)), dtype=np.intp))
    import pyarrow.compute as pc  # takes 30 ms, and a run that filters row by row never comes here

    raw = [(text if text.isascii() else _spaced(text)).encode("utf-8", "replace") for text in map(str.lower, texts)]
    offsets = np.zeros(len(raw) + 1, np.int64)
    np.cumsum([len(text) for text in raw], out=offsets[1:])
    data = pa.py_buffer(b"".join(raw).translate(APART_BYTES))
    pieces = pc.ascii_split_whitespace(pa.LargeStringArray.from_buffers(len(raw), pa.py_buffer(offsets), data))
    encoded = pieces.flatten().dictionary_encode()
    numbers, ends = encoded.indices.to_numpy().astype(np.intp), pieces.offsets.to_numpy()[1:]
    found = [[piece] if piece.isalpha() else WORD.findall(piece) for piece in encoded.dictionary.to_pylist()]
    of_piece = np.array([words.setdefault(word, len(words)) for each in found for word in each], np.intp)
    sizes = np.array([len(each) for each in found], np.intp)
    if (sizes == 1).all():
        return Tokens(list(words), of_piece[numbers], ends.astype(np.intp))
    token_ends = np.cumsum(sizes[numbers])
    first = (np.cumsum(sizes) - sizes)[numbers] - (token_ends - sizes[numbers])
    places = np.repeat(first, sizes[numbers]) + np.arange(token_ends[-1] if len(token_ends) else 0)
    return Tokens(list(words), of_piece[places], np.append(0, token_ends)[ends])
