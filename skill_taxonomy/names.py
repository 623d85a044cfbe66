"""Checks of names and definitions that a teacher wrote, and comparison of names by the stems of their words."""

import re
from collections.abc import Iterator

from skillmill.data.text.stems import stem
from skillmill.skill_taxonomy.taxonomy import canonical

MAX_NAME_WORDS = 5
MIN_SENTENCE_WORDS = 5
MIN_DISTINCT_WORDS = 0.6
"""The least share of different words in a sentence; below it the sentence repeats itself."""

_ODD_CHARACTERS = re.compile(r"[^\w '&+-]|_|\d{3,}")
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
    return " ".join(str(text).split()).strip("\"'`*- ")


def bad_name(name: str) -> str | None:
    """Return why `name` cannot name a skill, topic or query type; None if it can."""
    words = canonical(name).split()
    if not 1 <= len(words) <= MAX_NAME_WORDS:
        return f"has {len(words)} words, expected 1 to {MAX_NAME_WORDS}"
    if _ODD_CHARACTERS.search(name):
        return "has commas or other odd characters"
    if _PLACEHOLDER.fullmatch(canonical(name)):
        return "says nothing"
    if words[-1] in _SMALL_WORDS or words[0] in _SMALL_WORDS - {"the"} or len(set(words)) < len(words):
        return "is no complete phrase"
    if max(map(len, words)) > _MAX_WORD_LETTERS or max(map(len, words)) < 3:
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
    words = re.findall(r"\w[\w'-]*", text.lower())
    if len(words) < MIN_SENTENCE_WORDS:
        return "is empty or too short"
    if len(set(words)) < MIN_DISTINCT_WORDS * len(words):
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
    """Return the words of the canonical name, with punctuation read as spaces."""
    return canonical(re.sub(r"[^\w\s]", " ", name)).split()
