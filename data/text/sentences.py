"""Sentences of a text: the project's own splitter, and the counter of Skill-Mix's published code.

Two other places split texts in their own way, from the same end marks: the features of the shirker model
(`filters/shirker/text_features.py`, `adversarial.py`), which the shipped model was trained with, and the rule checkers
(`skill_taxonomy/checkers.py`), whose sentences end with their line and keep their end marks.
"""

import re
from functools import lru_cache

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch
from skillmill.data.text.words import LETTER, LETTER_OR_DIGIT, WORD

END_MARKS = ".!?"
"""The marks that end a sentence before a space; inside a character class of a pattern."""
ELLIPSIS = "…"
WIDE_END_MARKS = "。！？"
"""The full-width marks of Chinese and Japanese, which need no space after them."""
OTHER_END_MARKS = "।॥؟۔։"
"""End marks of Devanagari, Arabic, Urdu and Armenian."""
_ENDS = END_MARKS + ELLIPSIS
_WIDE = WIDE_END_MARKS
_CLOSERS = r""")\]"'”’*_"""
"""Brackets, quotes and Markdown emphasis that close after an end mark."""
_OPENERS = r"""(\["'“‘*_"""
_WIDE_CLOSERS = "」』”"
_BLANK_LINE = r"\n[ \t]*\n"

TITLES = lazy_pattern(r"\b(?:Mr|Mrs|Ms|Dr|Prof|Jr|Sr|St|vs|etc|approx|e\.g|i\.e)\.", re.IGNORECASE)
TITLE_SIGNS = tuple("mr. mrs. ms. dr. prof. jr. sr. st. vs. etc. approx. e.g. i.e.".split())
"""Substrings in lower case, one of which is in every match of `TITLES`. Searching for them first saves most of the
time."""
_TITLE_SEARCH = SignSearch({"title": TITLE_SIGNS})
LIST_NUMBER = lazy_pattern(r"^[ \t]*\d{1,3}[.)][ \t]+", re.MULTILINE)

# Every character that can begin a break is in the first class: this is much faster than three alternatives in turn.
SENTENCE_BREAK = lazy_pattern(
    rf"""[{_ENDS}{_WIDE}\n](?:"""
    rf"""(?<=[{_ENDS}])(?<![{_ENDS}].)[{_ENDS}]*[{_CLOSERS}]{{0,4}}\s+(?=[{_OPENERS}]{{0,4}}{LETTER_OR_DIGIT})"""
    rf"""|(?<=[{_WIDE}])(?<![{_WIDE}].)[{_WIDE}]*[{_WIDE_CLOSERS}]{{0,4}}(?=\S)"""
    rf"""|(?<=\n)[ \t]*\n)"""
)
"""The break between two sentences of English: end marks, closers and spaces before a letter or digit; full-width end
marks; or a blank line."""
OTHER_BREAK = lazy_pattern(
    rf"""(?<![\w{_ENDS}])(\w*)[{_ENDS}]+[{_CLOSERS}»]{{0,4}}\s+(?=[{_OPENERS}«„¿¡]{{0,4}}({LETTER}))"""
    rf"""|[{_WIDE}{OTHER_END_MARKS}]+[{_WIDE_CLOSERS}]{{0,4}}(?=\s*\S)"""
    rf"""|{_BLANK_LINE}"""
)
"""A possible break between two sentences of another language. Group 1 is the word before the end mark, group 2 the
letter after it; both are None at a full-width end mark and at a blank line."""
SHORT_WORD = 3
"""A full stop after a word of at most this many letters can belong to an abbreviation, in languages but English."""

PUBLISHED_TITLES = lazy_pattern(r"\b(Mr|Mrs|Ms|Dr|Prof)\.(?=\s)")
PUBLISHED_BREAK = lazy_pattern(rf"""[{END_MARKS}]["'”’]*\s+["'“‘]*(?=[A-Z])""")


@lru_cache(maxsize=4)
def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of English prose in order, stripped and without their end marks.

    `count_sentences` defines what ends a sentence. Numbers of list items are dropped. The last results are cached.
    """
    shielded = LIST_NUMBER.sub("", text)
    if _TITLE_SEARCH.found(text.lower()):
        shielded = TITLES.sub(lambda match: match.group().replace(".", "\0"), shielded)
    pieces = SENTENCE_BREAK.split(shielded)
    if "\0" in shielded:
        pieces = [piece.replace("\0", ".") for piece in pieces]
    return tuple(filter(WORD.search, map(str.strip, pieces)))


def count_sentences(text: str, english: bool = True) -> int:
    """Return the number of sentences: 0 for a text of white space only, otherwise at least 1.

    A sentence ends as in Skill-Mix's published code (arXiv 2310.17567): a full stop, question mark or exclamation mark,
    closing quotes, a space, and the beginning of the next sentence. Semicolons, colons and dashes end no sentence; the
    full stops of Mr., Mrs., Ms., Dr., Prof., e.g. and i.e. end none either. There are two deliberate differences:

    - A digit or a lower-case letter can begin a sentence. In the published code it cannot, so that a text can pass the
      limit by lower case. In return "the 3 p.m. train" counts as two sentences.
    - A blank line ends a sentence.

    With `english=False` the count is lenient: a full stop after a number or a word of at most `SHORT_WORD` letters ends
    no sentence ("am 3. Mai", "z. B. Äpfel"), and a sentence does not begin with a digit or a lower-case letter.
    """
    if not english:
        shielded = TITLES.sub("", LIST_NUMBER.sub("", text)).strip()
        return 1 + sum(map(_ends_sentence, OTHER_BREAK.finditer(shielded))) if text.strip() else 0
    return max(len(sentences(text)), 1) if text.strip() else 0


def count_published_sentences(text: str) -> int:
    """Return the number of sentences by Skill-Mix's published code (arXiv 2310.17567), for points comparable with it.

    Only an end mark, quotes, white space and a capital ASCII letter begin the next sentence. For prose without
    abbreviations the count is at most that of `count_sentences`.
    """
    return len(PUBLISHED_BREAK.split(PUBLISHED_TITLES.sub(r"\1", text).strip())) if text.strip() else 0


def _ends_sentence(match: re.Match[str]) -> bool:
    """Return whether a match of `OTHER_BREAK` ends a sentence."""
    word_before, letter_after = match.groups()
    if letter_after is None:
        return True
    abbreviated = "." in match.group() and (len(word_before) <= SHORT_WORD or word_before.isdigit())
    return not abbreviated and not letter_after.islower()
