"""Checkers: rules that decide whether a text shows a skill, and find the part of the text that shows it.

A word consists of letters and digits, with apostrophes and hyphens inside. A sentence ends at . ! ? or … before white
space, or at the end of a line. A clause ends at any punctuation mark other than apostrophe and hyphen, or at the end of
a line. Rules ignore case, except for the names of months. The time of every rule is linear in the length of the text,
because all quantifiers are possessive or bounded.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from skillmill.data.errors import SkillmillError
from skillmill.data.text.sentences import ELLIPSIS, END_MARKS
from skillmill.data.text.words import LETTER_OR_DIGIT, WORD

if TYPE_CHECKING:
    from skillmill.skill_taxonomy.taxonomy import Skill

Rule = Callable[[str], str | None]
"""Returns the part of a text that shows a skill, or None if the text does not show it."""

_END = re.compile(rf"""(?<![{END_MARKS}{ELLIPSIS}])[{END_MARKS}{ELLIPSIS}]++["”’')\]]*+(?=\s|\Z)|\n""")
"""The end of a sentence.

The sentences of `skillmill.data.text.sentences` continue on the next line and have no end marks; with them 0.3 % of the
verdicts on real answers would differ.
"""
_CLAUSE = re.compile(r"[\w \t'’-]++")
_W = rf"(?<!{LETTER_OR_DIGIT}){LETTER_OR_DIGIT}++"
_NUMBER = r"(?<![\w.,])\d++(?:[.,]\d++)*+"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NUMBER_WORD = "one two three four five six seven eight nine ten eleven twelve".replace(" ", "|")
_ITEM = rf"(?:(?:an?|the|his|her|its|my|our|their|your) )?{_W}"

WHOLE_TEXT_WORDS = 8
"""The least number of words in a text for the rules on a missing letter or verb; in a shorter one it is chance."""

LONG_SENTENCE = 25
"""The least number of words of a long sentence."""

LONG_WORD = 12
"""The least number of letters of a long word."""

_BE = frozenset(
    "am is are was were be been being isn't aren't wasn't weren't ain't i'm you're we're they're it's he's she's "
    "that's there's here's what's who's where's how's when's why's".split()
)
_NO_SIMILE_AS = frozenset("soon long well far much many".split())
_VERB_LIKE_AFTER = frozenset("i you we they who to would i'd you'd we'd they'd he'd she'd don't didn't not".split())
_ARTICLES = frozenset(["a", "an", "the"])


def check(name: str, text: str) -> str | None:
    """Return the part of `text` that satisfies a rule, or None. Raises `SkillmillError` if there is no rule `name`."""
    if name not in CHECKERS:
        raise SkillmillError(f"there is no checker {name!r}, expected one of {', '.join(sorted(CHECKERS))}")
    return CHECKERS[name](text)


def shown(text: str, skills: Iterable["Skill"]) -> dict[str, str]:
    """Return the part of `text` that shows each skill, by the name of the skill.

    Skills without a checker, and skills that the text does not show, are left out.
    """
    evidence_of = {skill.name: check(skill.checker, text) for skill in skills if skill.checker}
    return {name: evidence for name, evidence in evidence_of.items() if evidence is not None}


def words(text: str) -> list[str]:
    """Return the words in lower case, with typewriter apostrophes."""
    return _matches_and_words(text)[1]


def _matches_and_words(text: str) -> tuple[list[re.Match[str]], list[str]]:
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


def _pattern(regex: str, flags: re.RegexFlag = re.IGNORECASE) -> Rule:
    """Return the rule that a regular expression matches; the evidence is the first match."""
    compiled = re.compile(regex, flags)

    def rule(text: str) -> str | None:
        match = compiled.search(text)
        return match.group().strip() if match else None

    return rule


def _phrase(*phrases: str) -> Rule:
    """Return the rule that a text contains one of the phrases, which are regular expressions, as whole words."""
    alternatives = "|".join(phrase.replace(" ", r"\s++") for phrase in phrases)
    return _pattern(rf"(?<![\w'’-])(?:{alternatives})(?![\w'’-])")


def _word(shows: Callable[[str], bool]) -> Rule:
    """Return the rule that `shows` is true for a word."""
    return _adjacent_words(1, lambda adjacent: shows(adjacent[0]))


def _adjacent_words(n: int, shows: Callable[[Sequence[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for n adjacent words; punctuation between them does not count."""

    def rule(text: str) -> str | None:
        matches, all_words = _matches_and_words(text)
        for i in range(len(matches) - n + 1):
            if shows(all_words[i : i + n]):
                return text[matches[i].start() : matches[i + n - 1].end()]
        return None

    return rule


def _sentence(shows: Callable[[list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of a sentence."""
    return lambda text: next((sentence for sentence in sentences(text) if shows(words(sentence))), None)


def _in_order(first: str, second: str) -> Rule:
    """Return the rule that a sentence contains `first` and, after at least one other word, `second`."""
    return _sentence(lambda tokens: first in tokens and second in tokens[tokens.index(first) + 2 :])


def _whole_text(shows: Callable[[list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of the whole text."""
    return lambda text: text.strip() if shows(words(text)) else None


def _adjacent_clauses(shows: Callable[[list[str], list[str]], bool]) -> Rule:
    """Return the rule that `shows` is true for the words of two adjacent clauses of at least two words each."""

    def rule(text: str) -> str | None:
        previous: tuple[int, list[str]] = (0, [])
        for match in _CLAUSE.finditer(text):
            clause = words(match.group())
            if not clause:
                continue
            if len(clause) > 1 and len(previous[1]) > 1 and shows(previous[1], clause):
                return text[previous[0] : match.end()].strip()
            previous = (match.start(), clause)
        return None

    return rule


def _enclosed(regex: str) -> Rule:
    """Return the rule that a match of a regular expression contains at least two words."""
    compiled = re.compile(regex)
    return lambda text: next((m.group() for m in compiled.finditer(text) if len(words(m.group())) > 1), None)


def _question(text: str) -> str | None:
    """Return the first sentence of at least three words with a question mark among its end marks."""
    for sentence in sentences(text):
        end_marks = sentence[len(sentence.rstrip(".!?…\"”’')]")) :]
        if "?" in end_marks and len(words(sentence)) > 2:
            return sentence
    return None


def _colon_list(text: str) -> str | None:
    """Return the first colon with the items after it, at least two of which are separated by a comma."""
    for match in re.finditer(rf"{_W}:[ ]++[^.!?:;\n]*+", text):
        if re.search(r"[^\W_], ?[^\W_]", match.group()):
            return match.group().strip()
    return None


def _paired_dashes(text: str) -> str | None:
    """Return the first two dashes of one sentence with at least two words between them."""
    for sentence in sentences(text):
        dashes = list(re.finditer(r"(?<!\d)[–—]|(?<!-)--(?!-)", sentence))
        for first, second in pairwise(dashes):
            if len(words(sentence[first.end() : second.start()])) > 1:
                return sentence[first.start() : second.end()]
    return None


def _not_only_but(sentence: list[str]) -> bool:
    """Return whether "not only" is followed by at least one word and later by "but"."""
    starts = [i for i in range(len(sentence) - 1) if sentence[i : i + 2] == ["not", "only"]]
    return bool(starts) and "but" in sentence[starts[0] + 3 :]


def _simile(text: str) -> str | None:
    """Return the first "as X as Y" or "like a Y" that is a comparison rather than a phrase such as "as soon as"."""
    matches, tokens = _matches_and_words(text)
    for i in range(len(tokens) - 2):
        if tokens[i] == "as" == tokens[i + 2] and tokens[i + 1] not in _NO_SIMILE_AS and i + 3 < len(tokens):
            return text[matches[i].start() : matches[i + 3].end()]
        if tokens[i] == "like" and tokens[i + 1] in ("a", "an") and (not i or tokens[i - 1] not in _VERB_LIKE_AFTER):
            return text[matches[i].start() : matches[i + 2].end()]
    return None


def _initials(adjacent: Sequence[str]) -> str:
    return "".join(word[0] for word in adjacent)


def _alliterating(adjacent: Sequence[str]) -> bool:
    """Return whether the words are different and start with the same letter."""
    initials = _initials(adjacent)
    return initials[0].isalpha() and len(set(initials)) == 1 and len(set(adjacent)) == len(adjacent)


def _alphabetical(adjacent: Sequence[str]) -> bool:
    """Return whether the initials of the words are consecutive letters of the alphabet."""
    return _initials(adjacent) in "abcdefghijklmnopqrstuvwxyz"


def _growing(adjacent: Sequence[str]) -> bool:
    """Return whether each word has one letter more than the one before."""
    sizes = [sum(map(str.isalpha, word)) for word in adjacent]
    return sizes == list(range(sizes[0], sizes[0] + len(adjacent)))


CHECKERS: dict[str, Rule] = {
    # punctuation
    "interrogative sentence": _question,
    "exclamation": _pattern(rf"{_W}[?.…]{{0,3}}!"),
    "direct speech": _enclosed(r'"[^"\n]*+"|“[^“”\n]*+”'),
    "parenthesis": _enclosed(r"\([^()\n]*+\)"),
    "semicolon": _pattern(rf"{_W};[ ]++[^\W_]++"),
    "colon before a list": _colon_list,
    "paired dashes": _paired_dashes,
    "ellipsis": _pattern(rf"{_W}(?:…|\.\.\.)"),
    "hyphenated compound": _pattern(r"(?<![\w-])[^\W\d_]++(?:-[^\W\d_]++)++"),
    # figures
    "percentage": _pattern(rf"{_NUMBER} ?(?:%|percent\b)"),
    "calendar date": _pattern(rf"\b(?:{_DAY} (?:of )?{_MONTH}|{_MONTH} {_DAY})\b", re.NOFLAG),
    "four-digit year": _pattern(
        r"\b(?:in|since|until|by|of|from|before|after|around) (?:1\d{3}|20\d\d)(?![\w.,]?\d|%|\w)"
    ),
    "clock time": _pattern(
        r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?![\d:])|\b\d{1,2} ?[ap](?:m\b|\.m\.)"
        rf"|\b(?:\d{{1,2}}|{_NUMBER_WORD}) o['’]clock\b"
    ),
    "ordinal number": _phrase(*"first second third fourth fifth sixth seventh eighth ninth tenth".split()),
    "sum of money": _pattern(
        rf"[$€£] ?\d++(?:[.,]\d++)*+|{_NUMBER} (?:dollars?|euros?|pounds?|cents?|pence|crowns?)\b"
    ),
    "unit of measurement": _pattern(
        rf"{_NUMBER} ?(?:mm|cm|m|km|g|kg|ml|l|inch(?:es)?|foot|feet|yards?|miles?|grams?|ounces?|tons?|gallons?"
        r"|(?:milli|centi|kilo)?met(?:er|re)s?|kilograms?|(?:milli)?lit(?:er|re)s?)\b"
    ),
    # clauses and connectives
    "if-then conditional": _in_order("if", "then"),
    "enumeration of three": _pattern(rf"{_ITEM}, {_ITEM},? (?:and|or) {_ITEM}"),
    "concessive clause": _phrase("although", "even though"),
    "causal clause": _pattern(r"\bbecause (?!of\b)[^\W_]++"),
    "purpose clause": _phrase("in order to", "so that"),
    "conjunctive adverb": _phrase("however", "nevertheless", "nonetheless", "otherwise", "moreover", "furthermore"),
    "conclusion marker": _phrase("therefore", "thus", "hence", "consequently"),
    "comparative with than": _phrase(r"(?:more|less) [^\W_]++ than", r"(?!(?:rather|other)\b)[^\W_]*er than"),
    "neither-nor correlative": _in_order("neither", "nor"),
    "not-only correlative": _sentence(_not_only_but),
    "explicit simile": _simile,
    "as-if comparison": _phrase("as if", "as though"),
    "exemplification": _phrase("for example", "for instance", "such as"),
    # stance
    "polite request": _phrase("please"),
    "second-person address": _phrase("you", "your", "yours", "yourself", "yourselves"),
    "epistemic adverb": _phrase("perhaps", "maybe", "possibly", "probably", "presumably"),
    "interjection": _pattern(r"\b(?:oh|ah|aha|alas|hush|hey|hooray|hurrah|ouch|oops|wow|ugh|bravo)[,!]"),
    "contraction": _word(lambda word: re.search(r"n't$|'(?:ll|re|ve|d|m)$", word) is not None),
    # repetition
    "epizeuxis": _adjacent_words(3, lambda adjacent: len(set(adjacent)) == 1),
    "anaphora": _adjacent_clauses(lambda first, second: first[0] == second[0] and first[0] not in _ARTICLES),
    "epistrophe": _adjacent_clauses(lambda first, second: first[-1] == second[-1]),
    "anadiplosis": _adjacent_clauses(lambda first, second: first[-1] == second[0]),
    "polysyndeton": _sentence(lambda tokens: tokens.count("and") > 2),
    # letters
    "alliteration": _adjacent_words(3, _alliterating),
    "acrostic phrase": _adjacent_words(4, lambda adjacent: _initials(adjacent) == "star"),
    "abecedarian sequence": _adjacent_words(3, _alphabetical),
    "rhopalic sequence": _adjacent_words(4, _growing),
    "palindrome": _word(lambda word: len(word) > 2 and word.isalpha() and word == word[::-1]),
    "sesquipedalian word": _word(lambda word: len(word) >= LONG_WORD and word.isalpha()),
    # length and frame
    "lipogram in M": _whole_text(lambda tokens: len(tokens) >= WHOLE_TEXT_WORDS and "m" not in "".join(tokens)),
    "E-Prime": _whole_text(lambda tokens: len(tokens) >= WHOLE_TEXT_WORDS and _BE.isdisjoint(tokens)),
    "word count in tens": _whole_text(lambda tokens: bool(tokens) and len(tokens) % 10 == 0),
    "ring composition": _whole_text(lambda tokens: len(tokens) > 4 and tokens[0] == tokens[-1]),
    "long sentence": _sentence(lambda tokens: len(tokens) >= LONG_SENTENCE),
}
"""The rules by name. A skill uses the rule that its field `checker` names."""
