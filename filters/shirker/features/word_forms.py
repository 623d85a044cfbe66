"""Features that say whether a text consists of words: unknown and foreign words, stray marks, half words."""

import re
from bisect import bisect_left
from functools import cache

from skillmill.data.text.phrases import contains_any
from skillmill.filters.shirker.features.instruction import FUNCTION_WORDS
from skillmill.filters.shirker.features.rarity import prefix, rarity_table
from skillmill.filters.shirker.features.word_vectors import word_vectors

SHORT_WORDS = frozenset(
    "a i ad ah am an as at be by do ed eg em ex go ha he hi ho id ie if in is it km kg lb me mr ms mm cm my no of oh "
    "ok on or ox oz pi pm re so tv uk un up us vs we ai pc dr st pa".split()
)
FOREIGN_WORDS = (
    frozenset(
        # French, Spanish, Portuguese, Italian, German, Dutch, Swedish, Danish, Norwegian, Polish, Czech, Turkish,
        # Indonesian, Vietnamese, Romanian, Hungarian, Finnish; words that are English ones too are left out.
        """le la les des une et est dans pour que qui sur avec pas vous nous je il elle ce cette sont du au aux plus
    ont être
    el los las un una es en por para con del se lo como más pero su sus y al está esta este son muy hay
    o os uma é não em com do da dos das na um ao mais mas seu sua são você
    il gli che di è per non sono nel della dei delle alla questo anche come più ed
    der die das und ist ein eine einen dem den zu nicht mit auf für von sich auch wie wir ich sie es im
    ihr wird sind bei
    de het een van ik je niet dat die met voor op zijn aan naar ook maar wij
    och att det som är på inte ett jag för av med till har vi ej
    og at en jeg ikke til af er
    w i z na się nie jest do że to jak dla są oraz od po
    je se v a na že s pro jsou ale aby
    ve bir bu için ile çok da de olarak
    yang dan di untuk dengan ini itu tidak dari ke pada adalah
    và là của có không cho một được trong với
    și în este la nu cu pe un o din
    és az egy hogy nem van meg
    ja on ei se että hän oli
    в и на не что с по это как для из к а но он она мы вы я""".split()
    )
    - FUNCTION_WORDS
    - SHORT_WORDS
    - frozenset(
        "die den des as at a i do to on in me see bin war hat an den vi ex per non come van go dare sue".split()
    )
)
"""Frequent words of other languages with Latin or Cyrillic letters."""
USUAL_MARKS = frozenset(
    "- – — * • + > & | = / : ... … ** -- ``` # ## ### #### 1. ? ! . , ; ( ) [ ] { } < \\ $ % // == != <= >= => -> && "
    "|| += :: {} [] () }; }, }) ); ]; ],".split()
)
"""Marks that stand alone in lists, tables, headings, code and formulas."""


MARKS = re.compile(r"[^\w\s]{2,}(?!\S)")
"""Several marks before white space or the end. A look at the character before them would double the time."""
INNER_MARK = re.compile(r"[A-Za-z][#@^~§¤¬|{}<>�][A-Za-z]|�|^(?:##|@@|Ġ|▁)\w|[Ġ▁Ċ]")
"""A mark between two letters that no English word has, or a mark of a tokenizer."""
INNER_SIGNS = tuple("#@^~§¤¬|{}<>�Ġ▁Ċ")
"""The signs of `INNER_MARK`."""
ENDS_OF_WORDS = ".,:;!?'\"()*`"


@cache
def _sorted_words() -> list[str]:
    """Return the known English words in order."""
    return sorted(word_vectors().words)


@cache
def _known_prefixes() -> frozenset[str]:
    """Return the first five letters of the known words."""
    return frozenset(map(prefix, word_vectors().words)) | frozenset(rarity_table())


def is_unknown(word: str) -> bool:
    """Return whether a word, in lower case, is no English one: neither it nor one with its first five letters is known.

    Whole numbers are known.
    """
    if len(word) < 3:
        return word not in SHORT_WORDS and not word.isdigit()
    return not (word in FUNCTION_WORDS or "'" in word or word.isdigit() or prefix(word) in _known_prefixes())


def stray_marks(text: str) -> int:
    """Return the number of stray marks among the pieces of the first 400 and last 200 characters of a text.

    A stray mark is a piece with an `INNER_MARK`, or a piece of different marks that is none of `USUAL_MARKS`.
    """
    part = text if len(text) <= 600 else f"{text[:400]} {text[-200:]}"
    marked = 0
    if contains_any(part, INNER_SIGNS):
        pieces = [piece for piece in part.split() if not piece.strip(ENDS_OF_WORDS).isalnum()]
        odd = [piece for piece in pieces if INNER_MARK.search(piece)]
        marked, part = len(odd), " ".join(piece for piece in pieces if piece not in odd)
    alone = [run[0] for run in MARKS.finditer(part) if not run.start() or part[run.start() - 1].isspace()]
    return marked + sum(piece not in USUAL_MARKS and len(set(piece)) > 1 for piece in alone)


def ends_in_half_word(last: str, others: frozenset[str]) -> bool:
    """Return whether a word, in lower case, is the beginning of another word and no word itself.

    `others` are the words of the instruction, which count as known.
    """
    if len(last) < 2 or not last.isalpha() or last in others or last in FUNCTION_WORDS or last in SHORT_WORDS:
        return False
    words = _sorted_words()
    at = bisect_left(words, last)
    if at < len(words) and words[at] == last:
        return False
    if "yes".startswith(last) or any(word.startswith(last) for word in others):
        return True
    return len(last) > 2 and at < len(words) and words[at].startswith(last)
