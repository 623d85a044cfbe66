"""The parts that rule checkers are made of: words, sentences and clauses, and rules on them.

A word consists of letters and digits, with apostrophes and hyphens inside. A sentence ends at . ! ? or … before white
space, or at the end of a line. A clause ends at any punctuation mark other than apostrophe and hyphen, or at the end of
a line; a mark between two digits ends none. The time of every rule is linear in the length of the text, because all
quantifiers are possessive or bounded.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from skillmill.data.text.sentences import ELLIPSIS, END_MARKS
from skillmill.data.text.words import WORD
from skillmill.skill_taxonomy.lookalikes import LookAlike, compiled, is_lookalike

Rule = Callable[[str], str | None]
"""Returns the part of a text that shows a skill, or None if the text does not show it."""


class Finder(NamedTuple):
    """Yields the start and end of each passage that may show a skill."""

    passages: Callable[[str], Iterator[tuple[int, int]]]

    def rule(self, lookalikes: Sequence[LookAlike] = ()) -> Rule:
        """Return the rule that finds the first passage that is none of the look-alikes."""
        patterns = compiled(lookalikes)

        def find(text: str) -> str | None:
            for start, end in self.passages(text):
                if not is_lookalike(text, start, end, patterns):
                    return text[start:end].strip()
            return None

        return find


_END = re.compile(rf"""(?<![{END_MARKS}{ELLIPSIS}])[{END_MARKS}{ELLIPSIS}]++["”’')\]]*+(?=\s|\Z)|\n""")
"""The end of a sentence.

The sentences of `skillmill.data.text.sentences` continue on the next line and have no end marks; with them 0.3 % of the
verdicts on real answers would differ.
"""
_CLAUSE = re.compile(r"(?:[\w \t'’-]|(?<=\d)[.,:](?=\d))++")
_INSIDE_NUMBER = re.compile(r"(?<=\d)[.,:](?=\d)")


def words(text: str) -> list[str]:
    """Return the words in lower case, with typewriter apostrophes."""
    return matches_and_words(text)[1]


def matches_and_words(text: str) -> tuple[list[re.Match[str]], list[str]]:
    """Return the matches of the words in a text, and the words as `words` does."""
    matches = list(WORD.finditer(text))
    return matches, [match.group().lower().replace("’", "'") for match in matches]


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences that contain a word, with their end marks."""
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        sentence = text[start:end].strip()
        if WORD.search(sentence):
            yield sentence
        start = end


def pattern(regex: str, flags: re.RegexFlag = re.IGNORECASE) -> Finder:
    """Return the finder of the matches of a regular expression."""
    found = re.compile(regex, flags)
    return Finder(lambda text: (match.span() for match in found.finditer(text)))


def phrase(*phrases: str) -> Finder:
    """Return the finder of phrases, which are regular expressions, as whole words."""
    alternatives = "|".join(each.replace(" ", r"\s++") for each in phrases)
    return pattern(rf"(?<![\w'’-])(?:{alternatives})(?![\w'’-])")


def enclosed(regex: str) -> Finder:
    """Return the finder of the matches of a regular expression that contain at least two words."""
    found = re.compile(regex)
    return Finder(lambda text: (match.span() for match in found.finditer(text) if len(words(match.group())) > 1))


def word(shows: Callable[[str], bool]) -> Finder:
    """Return the finder of the words for which `shows` is true."""
    return adjacent_words(1, lambda adjacent: shows(adjacent[0]))


def adjacent_words(n: int, shows: Callable[[Sequence[str]], bool]) -> Finder:
    """Return the finder of n adjacent words for which `shows` is true; punctuation between them does not count."""

    def passages(text: str) -> Iterator[tuple[int, int]]:
        matches, all_words = matches_and_words(text)
        for i in range(len(matches) - n + 1):
            if shows(all_words[i : i + n]):
                yield matches[i].start(), matches[i + n - 1].end()

    return Finder(passages)


def sentence(shows: Callable[[list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of a sentence."""
    return lambda text: next((sentence for sentence in sentences(text) if shows(words(sentence))), None)


def whole_text(shows: Callable[[list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of the whole text."""
    return lambda text: text.strip() if shows(words(text)) else None


def adjacent_clauses(shows: Callable[[list[str], list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of two adjacent clauses of at least two words each."""

    def rule(text: str) -> str | None:
        previous: tuple[int, list[str]] = (0, [])
        for match in _CLAUSE.finditer(text):
            clause = words(_INSIDE_NUMBER.sub("", match.group()))
            if not clause:
                continue
            if len(clause) > 1 and len(previous[1]) > 1 and shows(previous[1], clause):
                return text[previous[0] : match.end()].strip()
            previous = (match.start(), clause)
        return None

    return rule
