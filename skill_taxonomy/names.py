"""When two names are the same, and what is no name or no sentence: judgements on a teacher's words."""

import re
from collections.abc import Iterator

from skillmill.skill_taxonomy.taxonomy import canonical

MAX_WORDS = 5
LEAST_WORDS_IN_SENTENCE = 5

_ODD = re.compile(r"[^\w '&+-]|_|\d{3,}")
_GENERIC = re.compile(
    r"(skill|topic|subject|type|query|question|request|name|example|category|item|other|none|unknown)s?"
    r"( (type|name|skill|topic|example|category|request|question|seeking))?s?( ?\d+)?"
)
_SMALL_WORDS = {"a", "an", "the", "and", "or", "of", "to", "in", "on", "for", "with", "is", "it", "its", "what", "how"}
_FILLER = set("skill skills technique techniques ability abilities method methods competence competency".split())
_FILLER |= {"competencies", "proficiency", "expertise"}
_LONG_WORD = 20
_PERSONS = set(
    "player worker expert coach manager leader owner director designer consultant specialist artist athlete actor "
    "musician teacher doctor nurse engineer professional dancer writer".split()
)


def tidy(text: object) -> str:
    """One line without quotes or markup around it."""
    return " ".join(str(text).split()).strip("\"'`*- ")


def bad_name(name: str) -> str | None:
    """Why this is no name of a skill, topic or query type; None when it may be one."""
    words = canonical(name).split()
    if not 1 <= len(words) <= MAX_WORDS:
        return f"has {len(words)} words, expected 1 to {MAX_WORDS}"
    if _ODD.search(name):
        return "has commas or other odd characters"
    if _GENERIC.fullmatch(canonical(name)):
        return "says nothing"
    if words[-1] in _SMALL_WORDS or words[0] in _SMALL_WORDS - {"the"} or len(set(words)) < len(words):
        return "is no complete phrase"
    if max(map(len, words)) > _LONG_WORD or max(map(len, words)) < 3:
        return "has a word of odd length"
    return None


def bad_skill_name(name: str) -> str | None:
    """Why a teacher's word is no name of a skill; None when it may be one. Small models also name who has the skill."""
    roots = list(stems(name))
    if len(set(roots)) < len(roots):
        return "says a word twice"
    person = canonical(name).rpartition(" ")[2].removesuffix("s") in _PERSONS
    return "names a person" if person else bad_name(name)


def bad_sentence(text: str, name: str | None = None) -> str | None:
    """Why this is no sentence that defines `name` (or that stands alone); None when it may be one."""
    words = re.findall(r"\w[\w'-]*", text.lower())
    if len(words) < LEAST_WORDS_IN_SENTENCE:
        return "is empty or too short"
    if len(set(words)) < 0.6 * len(words):
        return "repeats itself"
    if name and canonical(name) in canonical(text):
        return "contains its own name"
    if name and repeats(name, text):
        return "only repeats the name"
    return None


def repeats(name: str, text: str) -> bool:
    """Whether the text says nothing but the words of the name, in whatever form."""
    return set(head_words(text)) <= {*stems(name), "act", "art"}


def same_name(one: str, other: str) -> bool:
    """Whether two names differ in endings, filler words or spelling of spaces alone."""
    return list(stems(one)) == list(stems(other))


def stems(name: str) -> Iterator[str]:
    """The words of a name in order, without endings and without words such as "skills"."""
    words = _words(name)
    yield from map(_stem, [word for word in words if word not in _FILLER] or words)


def word_stems(name: str) -> Iterator[str]:
    """All words of a name in order, without endings."""
    yield from map(_stem, _words(name))


def head_words(name: str) -> Iterator[str]:
    """The words that carry the meaning, without endings: no "skills", no "of the"."""
    words = _words(name)
    yield from map(_stem, [word for word in words if word not in _FILLER | _SMALL_WORDS] or words)


def _words(name: str) -> list[str]:
    return canonical(re.sub(r"[^\w\s]", " ", name)).split()


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word.removesuffix("ies") + "y"
    for ending in ("ings", "ing", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    word = word.removesuffix("e")
    return word[:-1] if word[-2:-1] == word[-1:] and word.isalpha() else word  # plann(ing) and plan, sell and sell(ing)
