"""Tokens of a text (words and whole numbers), and those of many texts at once as arrays of numbers for numpy.

The shirker model counts tokens, and grading by rules compares them. They differ from `skillmill.data.text.words.words`
in half of all answers (hyphens separate tokens, digits are apart from letters, a character of a script without spaces
is a token), and the shipped model was trained with them.
"""

import re
from collections.abc import Sequence
from itertools import filterfalse
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skillmill.data.text.words import DIGIT, LETTER, UNSPACED

Numbers = NDArray[np.intp]

TOKEN = re.compile(rf"{LETTER}+(?:'{LETTER}+)?|{DIGIT}+")
"""A word part of letters, with one apostrophe inside, or a whole number; for text in lower case."""
ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+")
"""`TOKEN` for ASCII text in lower case; it takes half the time."""
CONTRACTION = re.compile(r"[a-z]+'[a-z]+")
SEPARATORS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "'")}
"""A table for `str.translate`: ASCII characters that are in no token become spaces. Translation and a split at spaces
take a third of the time of a pattern."""
SEPARATOR_BYTES = bytes(ord(" ") if code in SEPARATORS else code for code in range(256))
"""`SEPARATORS` for `bytes.translate`. Bytes from 128 on belong to letters outside ASCII and are unchanged."""
FEW_TEXTS = 4
"""Up to this number of texts, Python is faster than a call of Arrow."""


def tokens(text: str) -> list[str]:
    """Return words and whole numbers in lower case; a character of a script without spaces is a token of its own."""
    text = text.lower()
    if text.isascii():
        pieces = text.translate(SEPARATORS).split()
        if all(piece.isdigit() or CONTRACTION.fullmatch(piece) for piece in filterfalse(str.isalpha, pieces)):
            return pieces
        return [token for piece in pieces for token in ((piece,) if piece.isalpha() else ASCII_TOKEN.findall(piece))]
    return TOKEN.findall(_with_spaces(text))


def _with_spaces(text: str) -> str:
    """Return the text with plain apostrophes, and with spaces around each character of a script without spaces."""
    text = text.replace("’", "'")
    return UNSPACED.sub(r" \g<0> ", text) if UNSPACED.search(text) else text


class Tokens(NamedTuple):
    """The tokens of several texts, one text after the other.

    Attributes:
        words: the distinct tokens, in order of first occurrence.
        numbers: intp (tokens,); for each token of each text its index in `words`.
        ends: intp (texts,); for each text the index in `numbers` where its tokens end and those of the next one begin.
    """

    words: list[str]
    numbers: Numbers
    ends: Numbers

    def of(self, text: int) -> Numbers:
        """Return the part of `numbers` that belongs to the text with index `text`."""
        return self.numbers[self.ends[text - 1] if text else 0 : self.ends[text]]


def tokens_of_all(texts: Sequence[str]) -> Tokens:
    """Return the tokens of several texts, the same as those of `tokens`.

    For more than `FEW_TEXTS` texts Arrow splits them at spaces and numbers the distinct pieces, so that Python reads
    each distinct piece once for all texts.
    """
    if len(texts) <= FEW_TEXTS:
        return _numbered(list(map(tokens, texts)))
    import pyarrow as pa  # takes 0.1 s with its functions; a run that filters row by row needs neither
    import pyarrow.compute as pc

    # The texts as one UTF-8 buffer with offsets, which Arrow reads as a string array without a copy.
    encoded = [
        (text if text.isascii() else _with_spaces(text)).encode("utf-8", "replace") for text in map(str.lower, texts)
    ]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    data = pa.py_buffer(b"".join(encoded).translate(SEPARATOR_BYTES))
    split = pc.ascii_split_whitespace(pa.LargeStringArray.from_buffers(len(encoded), pa.py_buffer(offsets), data))
    pieces = split.flatten().dictionary_encode()
    piece_numbers = pieces.indices.to_numpy().astype(np.intp)  # (pieces of all texts,): which distinct piece each is
    piece_ends = split.offsets.to_numpy()[1:]  # (texts,): where the pieces of each text end

    # A distinct piece has one token, or several ("2nd" has "2" and "nd"), or none ("''").
    tokens_of_piece = [[piece] if piece.isalpha() else TOKEN.findall(piece) for piece in pieces.dictionary.to_pylist()]
    distinct = _numbered(tokens_of_piece)
    sizes = np.array([len(each) for each in tokens_of_piece], np.intp)  # (distinct pieces,)
    if (sizes == 1).all():
        return Tokens(distinct.words, distinct.numbers[piece_numbers], piece_ends.astype(np.intp))
    token_ends = np.cumsum(sizes[piece_numbers])  # (pieces of all texts,): where the tokens of each piece end
    # What has to be added to the index of a token in the result to get its index in `distinct.numbers`.
    shift = (distinct.ends - sizes)[piece_numbers] - (token_ends - sizes[piece_numbers])
    places = np.repeat(shift, sizes[piece_numbers]) + np.arange(token_ends[-1] if len(token_ends) else 0)
    return Tokens(distinct.words, distinct.numbers[places], np.append(0, token_ends)[piece_ends])


def _numbered(token_lists: Sequence[Sequence[str]]) -> Tokens:
    """Return lists of tokens as `Tokens`, by a dictionary of the distinct ones."""
    known: dict[str, int] = {}
    numbers = np.array([known.setdefault(token, len(known)) for each in token_lists for token in each], np.intp)
    return Tokens(list(known), numbers, np.cumsum(list(map(len, token_lists)), dtype=np.intp))
