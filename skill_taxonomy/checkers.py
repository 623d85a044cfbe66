"""Rules that decide whether a text shows a skill, and the piece of the text that shows it.

A word is a run of letters and digits, with apostrophes and hyphens inside. A sentence ends at . ! ? or … before a
space, and with its line. A part ends at any punctuation mark but apostrophes and hyphens, and with its line. Case
matters for months alone. Every rule takes time linear in the text: its quantifiers are possessive or bounded.
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
"""From a text to the piece of it that shows the skill; None where it does not."""

_END = re.compile(rf"""(?<![{END_MARKS}{ELLIPSIS}])[{END_MARKS}{ELLIPSIS}]++["”’')\]]*+(?=\s|\Z)|\n""")
"""The end of a sentence. It is not that of `skillmill.data.text.sentences`: with that one 0.3 % of the verdicts on real
answers change, because there a sentence goes on in the next line and loses its end marks."""
_PART = re.compile(r"[\w \t'’-]++")
_W = rf"(?<!{LETTER_OR_DIGIT}){LETTER_OR_DIGIT}++"
_NUMBER = r"(?<![\w.,])\d++(?:[.,]\d++)*+"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NUMBER_WORD = "one two three four five six seven eight nine ten eleven twelve".replace(" ", "|")
_ITEM = rf"(?:(?:an?|the|his|her|its|my|our|their|your) )?{_W}"

WHOLE_TEXT_WORDS = 8
"""A letter or a verb that is missing from fewer words says nothing."""
LONG_SENTENCE = 25
LONG_WORD = 12

_BE = frozenset(
    "am is are was were be been being isn't aren't wasn't weren't ain't i'm you're we're they're it's he's she's "
    "that's there's here's what's who's where's how's when's why's".split()
)
_NO_SIMILE_AS = frozenset("soon long well far much many".split())
_VERB_LIKE_AFTER = frozenset("i you we they who to would i'd you'd we'd they'd he'd she'd don't didn't not".split())
_ARTICLES = frozenset(["a", "an", "the"])


def check(name: str, text: str) -> str | None:
    """The piece of `text` that satisfies the rule `name`; None where none does. Raises `SkillmillError` on no rule."""
    if name not in CHECKERS:
        raise SkillmillError(f"there is no checker {name!r}, expected one of {', '.join(sorted(CHECKERS))}")
    return CHECKERS[name](text)


def shown(text: str, skills: Iterable["Skill"]) -> dict[str, str]:
    """Which of the skills that have a checker `text` shows: name to evidence. Its length is how many."""
    found = {skill.name: check(skill.checker, text) for skill in skills if skill.checker}
    return {name: evidence for name, evidence in found.items() if evidence is not None}


def words(text: str) -> list[str]:
    """The words in lower case."""
    return _located(text)[1]


def _located(text: str) -> tuple[list[re.Match[str]], list[str]]:
    found = list(WORD.finditer(text))
    return found, [match.group().lower().replace("’", "'") for match in found]


def sentences(text: str) -> Iterator[str]:
    """The sentences that hold a word, with their end marks."""
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        sentence = text[start:end].strip()
        if WORD.search(sentence):
            yield sentence
        start = end


def _pattern(regex: str, flags: re.RegexFlag = re.IGNORECASE) -> Rule:
    compiled = re.compile(regex, flags)

    def rule(text: str) -> str | None:
        match = compiled.search(text)
        return match.group().strip() if match else None

    return rule


def _phrase(*phrases: str) -> Rule:
    alternatives = "|".join(phrase.replace(" ", r"\s++") for phrase in phrases)
    return _pattern(rf"(?<![\w'’-])(?:{alternatives})(?![\w'’-])")


def _word(shows: Callable[[str], bool]) -> Rule:
    return _row(1, lambda row: shows(row[0]))


def _row(n: int, shows: Callable[[Sequence[str]], bool]) -> Rule:
    """N words in a row, punctuation between them aside."""

    def rule(text: str) -> str | None:
        found, said = _located(text)
        for i in range(len(found) - n + 1):
            if shows(said[i : i + n]):
                return text[found[i].start() : found[i + n - 1].end()]
        return None

    return rule


def _sentence(shows: Callable[[list[str]], bool]) -> Rule:
    """A sentence, judged by its words."""
    return lambda text: next((sentence for sentence in sentences(text) if shows(words(sentence))), None)


def _in_order(first: str, second: str) -> Rule:
    """A sentence with `first` and, at least one word later, `second`."""
    return _sentence(lambda said: first in said and second in said[said.index(first) + 2 :])


def _whole(shows: Callable[[list[str]], bool]) -> Rule:
    """The whole text, judged by its words."""
    return lambda text: text.strip() if shows(words(text)) else None


def _parts(shows: Callable[[list[str], list[str]], bool]) -> Rule:
    """Two neighbouring parts of at least two words each."""

    def rule(text: str) -> str | None:
        before: tuple[int, list[str]] = (0, [])
        for match in _PART.finditer(text):
            said = words(match.group())
            if not said:
                continue
            if len(said) > 1 and len(before[1]) > 1 and shows(before[1], said):
                return text[before[0] : match.end()].strip()
            before = (match.start(), said)
        return None

    return rule


def _enclosed(regex: str) -> Rule:
    """The first match with at least two words in it."""
    compiled = re.compile(regex)
    return lambda text: next((m.group() for m in compiled.finditer(text) if len(words(m.group())) > 1), None)


def _question(text: str) -> str | None:
    for sentence in sentences(text):
        end_marks = sentence[len(sentence.rstrip(".!?…\"”’')]")) :]
        if "?" in end_marks and len(words(sentence)) > 2:
            return sentence
    return None


def _colon_list(text: str) -> str | None:
    for match in re.finditer(rf"{_W}:[ ]++[^.!?:;\n]*+", text):
        if re.search(r"[^\W_], ?[^\W_]", match.group()):
            return match.group().strip()
    return None


def _paired_dashes(text: str) -> str | None:
    for sentence in sentences(text):
        dashes = list(re.finditer(r"(?<!\d)[–—]|(?<!-)--(?!-)", sentence))
        for one, other in pairwise(dashes):
            if len(words(sentence[one.end() : other.start()])) > 1:
                return sentence[one.start() : other.end()]
    return None


def _not_only_but(said: list[str]) -> bool:
    starts = [i for i in range(len(said) - 1) if said[i : i + 2] == ["not", "only"]]
    return bool(starts) and "but" in said[starts[0] + 3 :]


def _simile(text: str) -> str | None:
    found, said = _located(text)
    for i in range(len(said) - 2):
        if said[i] == "as" == said[i + 2] and said[i + 1] not in _NO_SIMILE_AS and i + 3 < len(said):
            return text[found[i].start() : found[i + 3].end()]
        if said[i] == "like" and said[i + 1] in ("a", "an") and (not i or said[i - 1] not in _VERB_LIKE_AFTER):
            return text[found[i].start() : found[i + 2].end()]
    return None


def _initials(row: Sequence[str]) -> str:
    return "".join(word[0] for word in row)


def _alphabetical(row: Sequence[str]) -> bool:
    return _initials(row) in "abcdefghijklmnopqrstuvwxyz"


def _growing(row: Sequence[str]) -> bool:
    sizes = [sum(map(str.isalpha, word)) for word in row]
    return sizes == list(range(sizes[0], sizes[0] + len(row)))


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
    "epizeuxis": _row(3, lambda row: len(set(row)) == 1),
    "anaphora": _parts(lambda one, other: one[0] == other[0] and one[0] not in _ARTICLES),
    "epistrophe": _parts(lambda one, other: one[-1] == other[-1]),
    "anadiplosis": _parts(lambda one, other: one[-1] == other[0]),
    "polysyndeton": _sentence(lambda said: said.count("and") > 2),
    # letters
    "alliteration": _row(3, lambda row: row[0][0].isalpha() and len(set(_initials(row))) == 1 and len(set(row)) == 3),
    "acrostic phrase": _row(4, lambda row: _initials(row) == "star"),
    "abecedarian sequence": _row(3, _alphabetical),
    "rhopalic sequence": _row(4, _growing),
    "palindrome": _word(lambda word: len(word) > 2 and word.isalpha() and word == word[::-1]),
    "sesquipedalian word": _word(lambda word: len(word) >= LONG_WORD and word.isalpha()),
    # length and frame
    "lipogram in M": _whole(lambda said: len(said) >= WHOLE_TEXT_WORDS and "m" not in "".join(said)),
    "E-Prime": _whole(lambda said: len(said) >= WHOLE_TEXT_WORDS and _BE.isdisjoint(said)),
    "word count in tens": _whole(lambda said: bool(said) and len(said) % 10 == 0),
    "ring composition": _whole(lambda said: len(said) > 4 and said[0] == said[-1]),
    "long sentence": _sentence(lambda said: len(said) >= LONG_SENTENCE),
}
