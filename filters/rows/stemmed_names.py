"""Skills' names in texts of other languages than English, compared by Snowball stems.

Stems join more than the forms of a word: Spanish "negocio" (business) has the stem of "negociación", and German
"Vergleich" that of the verb "vergleichen". So all words of a name of several words are compared by their stems, and a
name of one word is found in the forms of a noun (`noun_forms`).
"""

import re
import unicodedata
from functools import lru_cache

from skillmill.data.text.folding import folded
from skillmill.data.text.stems import STEMMED_LANGUAGES, stem
from skillmill.data.text.words import INVISIBLE
from skillmill.filters.rows.language import identified
from skillmill.filters.rows.noun_forms import has_noun

_TOKEN = re.compile(r"[^\W_]+|[^\w\s\-\u2010-\u2015'’]")
"""A word, or a mark that separates words of different phrases; apostrophes and hyphens only separate words."""
_ENGLISH = frozenset("the and you your with that this what how are please write from of".split())
_ENGLISH_SHARE = 0.05
"""The share of these words in a text from which on it is taken for English."""
_OTHER = frozenset(
    "de la le les des est et un une que el los las en y del il di che non e o da das der die und ist ein eine ich sie "
    "mit nicht wie het een van og och att det som er ikke yang dan untuk dengan na nie jest w z ve bir és hogy egy și "
    "cu ja ei".split()
)
"""Frequent words of languages in Latin letters. A text without one and with few letters beyond ASCII is not identified,
because that loads 100 MB."""
_OTHER_LETTERS = 0.02
"""The share of letters beyond ASCII from which on a text may be in another language."""
_READ_CHARACTERS = 400


def stemmed_language(text: str, language: str | None) -> str | None:
    """Return the language by whose stems names are to be sought in a text; None for English and without stems.

    `language` is the one that was requested, None if none was: then the text decides. A text of few letters, or in
    which English words are frequent, gives None.
    """
    if language is None:
        language = identified(text) if _may_be_other(text) else None
    return language if language != "English" and language in STEMMED_LANGUAGES else None


def _may_be_other(text: str) -> bool:
    """Return whether the beginning of a text may be in another language than English."""
    head = text[:_READ_CHARACTERS]
    found = head.lower().split()
    if sum(map(_ENGLISH.__contains__, found)) >= _ENGLISH_SHARE * len(found):
        return False
    beyond = 0 if head.isascii() else sum(char > "\x7f" and char.isalpha() for char in head)
    return beyond > _OTHER_LETTERS * len(head) or not _OTHER.isdisjoint(found)


def names_in_stems(names: tuple[str, ...], text: str, language: str) -> bool:
    """Return whether the text has one of the names in an inflected form.

    The words of a name follow each other, with nothing but spaces, hyphens and apostrophes between them.
    """
    tokens, stems = _text_tokens(text, language)
    for name in names:
        parts, joined = _name_tokens(name, language)
        if len(parts) == 1 and has_noun(tokens, parts[0], language):
            return True
        if len(parts) > 1 and joined in stems:
            return True
    return False


def _tokens(text: str, language: str) -> tuple[tuple[str, ...], str]:
    """Return the words and marks of a text, and their stems in one string, each between two spaces."""
    tokens = tuple(_TOKEN.findall(unicodedata.normalize("NFKC", text.translate(INVISIBLE))))
    return tokens, f" {'  '.join(stem(folded(token), language) or token for token in tokens)} "


_name_tokens = lru_cache(maxsize=10_000)(_tokens)
_text_tokens = lru_cache(maxsize=4)(_tokens)
"""The last texts are cached, because the names of each skill are sought one after another."""
