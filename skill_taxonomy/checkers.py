"""Checkers: rules that decide whether a text shows a skill, and find the part of the text that shows it.

Rules ignore case, except for the names of months and abbreviations of units. `rules` has what they are made of,
`lookalikes` what they pass over.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from skillmill.data.errors import SkillmillError
from skillmill.data.text.words import LETTER_OR_DIGIT, WORD
from skillmill.skill_taxonomy.lookalikes import LOOKALIKES
from skillmill.skill_taxonomy.rules import (
    Finder,
    Rule,
    adjacent_clauses,
    adjacent_words,
    enclosed,
    matches_and_words,
    pattern,
    phrase,
    sentence,
    sentences,
    whole_text,
    word,
    words,
)

if TYPE_CHECKING:
    from skillmill.skill_taxonomy.taxonomy import Skill

_W = rf"(?<!{LETTER_OR_DIGIT}){LETTER_OR_DIGIT}++"
_NUMBER = r"(?<![\w.,])\d++(?:[.,]\d++)*+"
_DASH = re.compile(r"(?<!\d)—|(?<!\d)(?:–(?!\S)|(?<!\S)–)|(?<!\S)--(?!\S)|(?<=\w)--(?=\w)|\A--(?=\w)|(?<=\w)--\Z")
"""A long dash: no range ("4–5", "Rome–Oslo"), and no option of a command ("--quiet")."""
_SPOKEN = rf"(?<![\w'’-]){LETTER_OR_DIGIT}++(?:['’-]{LETTER_OR_DIGIT}++)*+"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_SHORT_MONTH = r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_NUMBER_WORD = "one two three four five six seven eight nine ten eleven twelve".replace(" ", "|")
_ITEM = rf"(?:(?:an?|the|his|her|its|my|our|their|your) )?{_W}"

_NO_COMPARATIVE = "rather|other|another|either|neither|whether|never|after|over|under|per|her|number|order"

WHOLE_TEXT_WORDS = 8
"""The least number of words in a text for the rules on a missing letter or verb; in a shorter one it is chance."""

LONG_SENTENCE = 25
"""The least number of words of a long sentence."""

LONG_WORD = 12
"""The least number of letters of a long word."""

_IS = "it's he's she's that's there's here's what's who's where's how's when's why's tis twas"
_BE = frozenset(
    "am is are was were be been being isn't aren't wasn't weren't ain't i'm you're we're they're everyone's "
    f"everybody's everything's someone's somebody's something's nobody's nothing's {_IS}".split()
)
_CONTRACTIONS = frozenset(f"{_IS} let's y'all d'you c'mon".split())
_NO_SIMILE_AS = frozenset("soon long well far much many early late few little recently".split())
_NO_SIMILE_AFTER = frozenset("possible necessary needed".split())
_VERB_LIKE_AFTER = frozenset("i you we they who to would i'd you'd we'd they'd he'd she'd don't didn't not".split())
_ADVERBS = frozenset("really also always never still just often".split())
_EXAMPLES_LIKE = frozenset("things something anything stuff someone anyone".split())
_WHETHER = frozenset(
    "ask asks asked asking see sees saw seeing check checks checked checking wonder wonders wondered wondering know "
    "knows knew determine decide decided tell as".split()
)
"""The words before an "if" that means "whether", or that is a part of "as if"."""
_TIME_BEFORE_THEN = frozenset("and but since until till by even back now every".split())
_EXCEPT_BEFORE_BUT = frozenset("nothing all anything none nobody no-one everything".split())
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


def _in_order(first: str, second: str) -> Rule:
    """Return the rule that a sentence contains `first` and, after at least one other word, `second`."""
    return sentence(lambda tokens: first in tokens and second in tokens[tokens.index(first) + 2 :])


def _if_then(tokens: list[str]) -> bool:
    """Return whether a conditional "if" is followed, after at least one word, by "then" with its consequence."""
    starts = [i for i, each in enumerate(tokens) if each == "if" and _WHETHER.isdisjoint(tokens[max(0, i - 2) : i])]
    return bool(starts) and any(
        each == "then" and before not in _TIME_BEFORE_THEN for before, each in pairwise(tokens[starts[0] + 1 :])
    )


def _question(text: str) -> str | None:
    """Return the first sentence of at least three words with a question mark among its end marks."""
    for each in sentences(text):
        end_marks = each[len(each.rstrip(".!?…\"”’')]")) :]
        if "?" in end_marks and len(words(each)) > 2:
            return each
    return None


def _colon_lists(text: str) -> Iterator[tuple[int, int]]:
    """Yield the colons with the items after them, at least two of which are separated by a comma."""
    for match in re.finditer(rf"{_W}:[ ]++[^.!?:;\n]*+", text):
        if re.search(r"[^\W_], ?[^\W_]", match.group()):
            yield match.span()


def _paired_dashes(text: str) -> str | None:
    """Return the first two dashes of one sentence with at least two words between them."""
    for each in sentences(text):
        for first, second in pairwise(_DASH.finditer(each)):
            if len(words(each[first.end() : second.start()])) > 1:
                return each[first.start() : second.end()]
    return None


def _not_only_but(tokens: list[str]) -> bool:
    """Return whether "not only" is followed by at least one word and later by a "but" that adds something."""
    starts = [i for i in range(len(tokens) - 1) if tokens[i : i + 2] == ["not", "only"]]
    return bool(starts) and any(
        each == "but" and before not in _EXCEPT_BEFORE_BUT for before, each in pairwise(tokens[starts[0] + 2 :])
    )


def _simile(text: str) -> str | None:
    """Return the first "as X as Y" or "like a Y" that is a comparison rather than a phrase such as "as soon as"."""
    matches, tokens = matches_and_words(text)
    for i in range(len(tokens) - 2):
        if (
            tokens[i] == "as" == tokens[i + 2]
            and tokens[i + 1] not in _NO_SIMILE_AS
            and i + 3 < len(tokens)
            and tokens[i + 3] not in _NO_SIMILE_AFTER
        ):
            return text[matches[i].start() : matches[i + 3].end()]
        if tokens[i] == "like" and tokens[i + 1] in ("a", "an") and not _is_fond(tokens[max(0, i - 2) : i]):
            return text[matches[i].start() : matches[i + 2].end()]
    return None


def _is_fond(before: Sequence[str]) -> bool:
    """Return whether "like", after these two words, is a verb ("I really like") or gives an example ("things like")."""
    subject = before[0] if len(before) > 1 and before[1] in _ADVERBS else before[-1] if before else ""
    return subject in _VERB_LIKE_AFTER or (bool(before) and before[-1] in _EXAMPLES_LIKE)


def _is_contraction(token: str) -> bool:
    return re.search(r"n't$|'(?:ll|re|ve|d|m)$", token) is not None or token in _CONTRACTIONS


def _noun_contractions(text: str) -> Iterator[tuple[int, int]]:
    """Yield contractions: words that are always one, and a noun with 's before a word that follows "is" or "has"."""
    for match in WORD.finditer(text):
        if _is_contraction(match.group().lower().replace("’", "'")):
            yield match.span()
    for match in re.finditer(rf"{_W}['’]s (?:been|not|going|gone|got|an?|the|at|here|there|so|very)\b", text):
        yield match.span()


def _palindromes(text: str) -> Iterator[tuple[int, int]]:
    """Yield the palindromes; one letter repeated ("www") and Roman numerals ("XIX") are no words."""
    for match in WORD.finditer(text):
        letters = match.group().lower()
        is_word = letters.isalpha() and len(set(letters)) > 1 and not re.fullmatch("[IVXLCDM]+", match.group())
        if is_word and len(letters) > 2 and letters == letters[::-1]:
            yield match.span()


def _initials(adjacent: Sequence[str]) -> str:
    return "".join(token[0] for token in adjacent)


def _alliterating(adjacent: Sequence[str]) -> bool:
    """Return whether the words are different and start with the same letter."""
    initials = _initials(adjacent)
    return initials[0].isalpha() and len(set(initials)) == 1 and len(set(adjacent)) == len(adjacent)


def _alphabetical(adjacent: Sequence[str]) -> bool:
    """Return whether the initials of the words are consecutive letters of the alphabet."""
    return _initials(adjacent) in "abcdefghijklmnopqrstuvwxyz"


def _growing(adjacent: Sequence[str]) -> bool:
    """Return whether each word has one letter more than the one before."""
    sizes = [sum(map(str.isalpha, token)) for token in adjacent]
    return sizes == list(range(sizes[0], sizes[0] + len(adjacent)))


_RULES: dict[str, Rule | Finder] = {
    # punctuation
    "interrogative sentence": _question,
    "exclamation": pattern(rf"{_W}[?.…]{{0,3}}!"),
    "direct speech": enclosed(r'"[^"\n]*+"|“[^“”\n]*+”'),
    "parenthesis": enclosed(r"\([^()\n]*+\)"),
    "semicolon": pattern(
        rf"{_SPOKEN} {_SPOKEN};[ ]++{_SPOKEN},? {_SPOKEN}|{_SPOKEN}, {_SPOKEN};[ ]++{_SPOKEN} {_SPOKEN}"
    ),
    "colon before a list": Finder(_colon_lists),
    "paired dashes": _paired_dashes,
    "ellipsis": pattern(rf"{_W}(?:…|\.\.\.)"),
    "hyphenated compound": pattern(r"(?<![\w-])[^\W\d_]++(?:-[^\W\d_]++)++"),
    # figures
    "percentage": pattern(rf"{_NUMBER} ?(?:%|per ?cent\b)"),
    "calendar date": pattern(
        rf"\b(?:{_DAY} (?:of )?(?:{_MONTH}|{_SHORT_MONTH})|(?:{_MONTH}|{_SHORT_MONTH}\.?) {_DAY})\b", re.NOFLAG
    ),
    "four-digit year": pattern(
        r"\b(?:in|since|until|by|of|from|before|after|around) (?:1\d{3}|20\d\d)(?![\w.,]?\d|%|\w)"
    ),
    "clock time": pattern(
        r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?![\d:])|\b(?:0?[1-9]|1[0-2])(?:[.:][0-5]\d)? ?[ap](?:m\b|\.m\.)"
        rf"|\b(?:\d{{1,2}}|{_NUMBER_WORD}) o['’]clock\b"
    ),
    "ordinal number": phrase(*"first second third fourth fifth sixth seventh eighth ninth tenth".split()),
    "sum of money": pattern(
        rf"[$€£] ?\d++(?:[.,]\d++)*+|{_NUMBER} ?[€£](?!\d)"
        rf"|{_NUMBER}[ -](?:dollars?|euros?|pounds?|cents?|pence|crowns?)\b"
    ),
    "unit of measurement": pattern(
        rf"{_NUMBER} ?(?:(?-i:mm|cm|m|km|g|kg|ml|mL|l|L|MM|CM|KM|KG|ML)"
        r"|inch(?:es)?|foot|feet|yards?|miles?|grams?|ounces?|tons?|gallons?"
        r"|(?:milli|centi|kilo)?met(?:er|re)s?|kilograms?|(?:milli)?lit(?:er|re)s?)\b"
    ),
    # clauses and connectives
    "if-then conditional": sentence(_if_then),
    "enumeration of three": pattern(rf"{_ITEM}, {_ITEM},? (?:and|or) {_ITEM}"),
    "concessive clause": phrase("although", "even though"),
    "causal clause": pattern(r"\bbecause (?!of\b)[^\W_]++"),
    "purpose clause": phrase("in order to", "so that"),
    "conjunctive adverb": phrase("however", "nevertheless", "nonetheless", "otherwise", "moreover", "furthermore"),
    "conclusion marker": phrase("therefore", "thus", "hence", "consequently"),
    "comparative with than": phrase(r"(?:more|less) [^\W_]++ than", rf"(?!(?:{_NO_COMPARATIVE})\b)[^\W_]*er than"),
    "neither-nor correlative": _in_order("neither", "nor"),
    "not-only correlative": sentence(_not_only_but),
    "explicit simile": _simile,
    "as-if comparison": phrase("as if", "as though"),
    "exemplification": phrase("for example", "for instance", "such as"),
    # stance
    "polite request": phrase("please"),
    "second-person address": phrase(
        "you(?:['’](?:d|re|ll|ve))?", "y['’]all", "your", "yours", "yourself", "yourselves"
    ),
    "epistemic adverb": phrase("perhaps", "maybe", "possibly", "probably", "presumably"),
    "interjection": pattern(r"\b(?:oh|ah|aha|alas|hush|hey|hooray|hurrah|ouch|oops|wow|ugh|bravo)[,!]"),
    "contraction": Finder(_noun_contractions),
    # repetition
    "epizeuxis": adjacent_words(3, lambda adjacent: len(set(adjacent)) == 1 and not adjacent[0].isdigit()),
    "anaphora": adjacent_clauses(lambda first, second: first[0] == second[0] and first[0] not in _ARTICLES),
    "epistrophe": adjacent_clauses(lambda first, second: first[-1] == second[-1]),
    "anadiplosis": adjacent_clauses(lambda first, second: first[-1] == second[0]),
    "polysyndeton": sentence(lambda tokens: tokens.count("and") > 2),
    # letters
    "alliteration": adjacent_words(3, _alliterating),
    "acrostic phrase": adjacent_words(4, lambda adjacent: _initials(adjacent) == "star"),
    "abecedarian sequence": adjacent_words(3, _alphabetical),
    "rhopalic sequence": adjacent_words(4, _growing),
    "palindrome": Finder(_palindromes),
    "sesquipedalian word": word(lambda token: len(token) >= LONG_WORD and token.isalpha()),
    # length and frame
    "lipogram in M": whole_text(lambda tokens: len(tokens) >= WHOLE_TEXT_WORDS and "m" not in "".join(tokens)),
    "E-Prime": whole_text(lambda tokens: len(tokens) >= WHOLE_TEXT_WORDS and _BE.isdisjoint(tokens)),
    "word count in tens": whole_text(lambda tokens: bool(tokens) and len(tokens) % 10 == 0),
    "ring composition": whole_text(lambda tokens: len(tokens) > 4 and tokens[0] == tokens[-1]),
    "long sentence": sentence(lambda tokens: len(tokens) >= LONG_SENTENCE),
}

CHECKERS: dict[str, Rule] = {
    name: rule.rule(LOOKALIKES.get(name, ())) if isinstance(rule, Finder) else rule for name, rule in _RULES.items()
}
"""The rules by name. A skill uses the rule that its field `checker` names."""
