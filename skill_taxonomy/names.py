"""Checks of names and definitions that a teacher wrote, and comparison of names by the stems of their words."""

import re
import unicodedata
from collections.abc import Iterator

from skillmill.data.text.stems import stem
from skillmill.data.text.words import UNSPACED_NAME_LETTER
from skillmill.skill_taxonomy.taxonomy import canonical

MAX_NAME_WORDS = 5
MIN_NAME_LETTERS, MAX_NAME_LETTERS = 2, 30
"""The least and the most letters of a name in a script without spaces between words; marks do not count."""
MIN_SENTENCE_WORDS = 5
MIN_SENTENCE_WORDS_OTHER = 3
"""The least number of words of a sentence in another alphabet than the Latin one: Korean and Russian need fewer."""
MIN_SENTENCE_LETTERS = 6
"""The least number of letters of a sentence in a script without spaces between words."""
MIN_DISTINCT_WORDS = 0.6
"""The least share of different words in a sentence (in scripts without spaces: of three letters in a row); below it the
sentence repeats itself."""

_SIGN = r"(?<!\S)\.(?=\w)|(?<=\w)(?:[+#]+|\*)(?![\w*])|(?<!\w)\w&\w(?!\w)"
"""What tells names such as "C", "C++", "C#", ".NET", "A*" and "R&D" apart, unlike other punctuation."""
_SIGNS = re.compile(_SIGN)
_MARKS = re.compile(rf"(?P<sign>{_SIGN})|[^\w\s]")
_SPACED_AND = re.compile(r"(?<!\w)(\w)\s*&\s*(\w)(?!\w)")
_ALLOWED_MARKS = re.compile(rf"{_SIGN}|(?<=\w)\.(?=[a-z]{{1,3}}(?!\w))|[\u00b7\u30fb\u200c\u200d]")
"""Punctuation that a name may have: signs, the dot of "Node.js", middle dots and joiners."""
_ODD_CHARACTERS = re.compile(r"[^\w '’&+-]|_|\d{3,}")
_PLACEHOLDER = re.compile(
    r"(skill|topic|subject|type|query|question|request|name|example|category|item|other|none|unknown)s?"
    r"( (type|name|skill|topic|example|category|request|question|seeking))?s?( ?\d+)?"
)
_SMALL_WORDS = {"a", "an", "the", "and", "or", "of", "to", "in", "on", "for", "with", "is", "it", "its", "what", "how"}
_FILLER = set("skill skills technique techniques ability abilities method methods competence competency".split())
_FILLER |= {"competencies", "proficiency", "expertise"}
_MAX_WORD_LETTERS = 20
_PERSONS = set(
    "player worker expert coach manager leader owner director designer consultant specialist artist athlete actor "
    "musician teacher doctor nurse engineer professional dancer writer".split()
)


def tidy(text: object) -> str:
    """Return the text on one line, without quotes and markup at its ends."""
    line = " ".join(str(text).split()).strip("\"'`- ")
    return line.strip("\"'`*- ") if line.startswith("*") else line  # the star of "A*" stays


def tidy_name(text: object) -> str:
    """Return the name in an answer: tidied, in lower case, with single spaces, also for underscores."""
    name = unicodedata.normalize("NFC", tidy(text)).strip("“”‘’「」『』《》。")
    return " ".join(name.replace("_", " ").lower().split())


def bad_name(name: str) -> str | None:
    """Return why `name` cannot name a skill, topic or query type; None if it can.

    A name in a script without spaces between words is measured in letters. Rules about English words apply to the
    Latin alphabet alone.
    """
    words = canonical(name).split()
    unspaced = UNSPACED_NAME_LETTER.search(name)
    if not unspaced and not 1 <= len(words) <= MAX_NAME_WORDS:
        return f"has {len(words)} words, expected 1 to {MAX_NAME_WORDS}"
    if _ODD_CHARACTERS.search(_ALLOWED_MARKS.sub("", _without_marks(name))):
        return "has commas or other odd characters"
    if unspaced:
        count = len(_letters(name))
        expected = f"expected {MIN_NAME_LETTERS} to {MAX_NAME_LETTERS}"
        return None if MIN_NAME_LETTERS <= count <= MAX_NAME_LETTERS else f"has {count} letters, {expected}"
    if _PLACEHOLDER.fullmatch(canonical(name)):
        return "says nothing"
    if words[-1] in _SMALL_WORDS or words[0] in _SMALL_WORDS - {"the"} or len(set(words)) < len(words):
        return "is no complete phrase"
    least, most = (3, _MAX_WORD_LETTERS) if _is_latin(name) else (2, 2 * _MAX_WORD_LETTERS)
    if _SIGNS.search(name) or name.isupper():  # C#, R, AI
        least = 1
    if not least <= max(map(len, words)) <= most:
        return "has a word of odd length"
    return None


def bad_skill_name(name: str) -> str | None:
    """Return why `name` cannot name a skill; None if it can.

    Unlike `bad_name`, it also rejects repeated stems and names of persons, which small models give for skills.
    """
    name_stems = list(stems(name))
    if len(set(name_stems)) < len(name_stems):
        return "says a word twice"
    is_person = canonical(name).rpartition(" ")[2].removesuffix("s") in _PERSONS
    return "names a person" if is_person else bad_name(name)


def bad_sentence(text: str, name: str | None = None) -> str | None:
    """Return why `text` cannot be an example, or with `name` the definition of that name; None if it can."""
    if UNSPACED_NAME_LETTER.search(text):
        letters = _letters(text)
        parts = ["".join(letters[i : i + 3]) for i in range(len(letters) - 2)]
        too_short = len(letters) < MIN_SENTENCE_LETTERS
    else:
        parts = re.findall(r"\w[\w'-]*", _without_marks(text.lower()))
        too_short = len(parts) < (MIN_SENTENCE_WORDS if _is_latin(text) else MIN_SENTENCE_WORDS_OTHER)
    if too_short:
        return "is empty or too short"
    if len(set(parts)) < MIN_DISTINCT_WORDS * len(parts):
        return "repeats itself"
    if name and canonical(name) in canonical(text):
        return "contains its own name"
    if name and only_repeats(name, text):
        return "only repeats the name"
    return None


def only_repeats(name: str, text: str) -> bool:
    """Return whether all head words of `text` are words of `name` in some inflection, or "act" or "art"."""
    return set(head_words(text)) <= {*stems(name), "act", "art"}


def same_name(first: str, second: str) -> bool:
    """Return whether two names are equal but for inflection, filler words, punctuation and case."""
    return list(stems(first)) == list(stems(second))


def stems(name: str) -> Iterator[str]:
    """Yield the stems of the words of a name in order, without filler words such as "skills".

    A name that consists of filler words keeps them.
    """
    words = _words(name)
    yield from map(stem, [word for word in words if word not in _FILLER] or words)


def word_stems(name: str) -> Iterator[str]:
    """Yield the stems of all words of a name in order."""
    yield from map(stem, _words(name))


def head_words(name: str) -> Iterator[str]:
    """Yield the stems of the words of a name in order, without filler words and function words such as "of".

    A name that consists of such words keeps them.
    """
    words = _words(name)
    yield from map(stem, [word for word in words if word not in _FILLER | _SMALL_WORDS] or words)


def _words(name: str) -> list[str]:
    """Return the words of the canonical name with its signs (`_SIGN`), and each emoji as a word of its own.

    Other punctuation is read as spaces, "&" as "and".
    """
    return _MARKS.sub(_separated, _SPACED_AND.sub(r"\1&\2", canonical(name))).split()


def _separated(match: re.Match[str]) -> str:
    """Return the replacement for a character that is no letter, digit or space."""
    char = match[0]
    if match["sign"]:
        return char
    if char == "&":
        return " and "
    if char.isascii():
        return " "
    category = unicodedata.category(char)
    return f" {char} " if category[0] == "S" else char if category[0] == "M" else "" if category == "Cf" else " "


def _without_marks(text: str) -> str:
    """Return the text without combining marks, which many scripts write as characters of their own."""
    if text.isascii():
        return text
    return "".join(char for char in text if unicodedata.category(char)[0] != "M")


def _letters(text: str) -> list[str]:
    """Return the letters and digits of a text."""
    return [char for char in text if char.isalnum()]


def _is_latin(text: str) -> bool:
    """Return whether all letters of the text are Latin."""
    return text.isascii() or all(ord(char) < 0x370 or 0x1E00 <= ord(char) < 0x1F00 for char in text if char.isalpha())
