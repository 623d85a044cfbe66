"""The English forms of a skill's name of several words, which name the skill too.

The forms of a word keep its meaning: number, tense, and an activity for its verb ("plan trips", "planning trips"). They
are not Snowball's stems, which join a name with the person who has the skill ("tour management", "tour manager") and
with adjectives ("ethics compliance", "ethical compliance"). docs/filters.md has the measurement.
"""

import re
from collections.abc import Sequence

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import BETWEEN_WORDS, NAME_END, NAME_START

_ENDING = lazy_pattern(r"(?<=\w{3})(?:ing|ed|ies|es|(?<![sui])s|e|y)\Z")
_SIBILANT = lazy_pattern(r"(?:[sxz]|[cs]h|o)\Z")
"""The end of a word whose plural is written with "es" and whose singular has no "e": "boxes", "branches"."""
_DOUBLED = lazy_pattern(r"(?<=\w\w)([bdglmnprt])\1\Z")
"""A doubled last consonant, as in "planning" for "plan"."""
_SHORT_VOWEL = lazy_pattern(r"(?<=[^\Waeiou])[aeiou][bdglmnprt]\Z")
"""An end that is doubled before a vowel: "plan", and in British English "model"."""


def name_pattern(words: Sequence[str]) -> tuple[re.Pattern[str], list[str]]:
    """Return a pattern that finds the words in their order, each in any of its forms, and parts of all its matches.

    The words are in lower case, and so must be the text. A text that lacks one of the parts has no match.
    """
    last = len(words) - 1
    forms = [sorted(word_forms(word, is_last=place == last)) for place, word in enumerate(words)]
    parts = (f"(?:{'|'.join(map(re.escape, each))})" for each in forms)
    return re.compile(NAME_START + f"{BETWEEN_WORDS}+".join(parts) + NAME_END), [_beginning(each) for each in forms]


def word_forms(word: str, *, is_last: bool) -> set[str]:
    """Return the forms of a word of a name that keep its meaning, the word itself included; most are no words.

    No form is a doer ("researcher" for "research"). The last word, if it is no activity, has no past tense: "an
    experiment designed to fail" does not name experiment design. An earlier word that is an activity has no form with
    "s", which is a verb ("she plans trips") or another noun ("sports event" for "sporting events"). A word of one or
    two letters has no other form.
    """
    if len(word) < 3:
        return {word}
    ending = match[0] if (match := _ENDING.search(word)) else ""
    base = word.removesuffix(ending)
    if ending in ("ing", "ed") and base.endswith("y"):
        base, endings = base[:-1], "y ies ied ying yings"
    elif word.endswith("is"):
        base, endings = word[:-2], "is es"
    elif ending == "ing":
        endings = "- e ed ing ings" + (" s es" if is_last else "")
    elif ending == "ed":
        endings = "- e ed"
    elif ending in ("y", "ies"):
        endings = "y ys ies ying yings e" + ("" if ending == "y" else " ie") + ("" if is_last else " ied")
    elif ending == "e" or (ending == "es" and not _SIBILANT.search(base)):
        endings = "e es ing ings y ies" + ("" if is_last else " ed")
    else:
        endings = "- s es ing ings" + (" is" if base.endswith("s") else "") + ("" if is_last else " ed")
    forms = {word} | {base + each.strip("-") for each in endings.split()}
    if not is_last and ending in ("", "ing"):
        forms |= {base + "ly"}  # "critically thinking" for "critical thinking"
    bare = base[:-1] if _DOUBLED.search(base) else base
    if _SHORT_VOWEL.search(bare):
        forms |= {form for each in forms if (form := _with_consonant(each, base, bare))}
    return forms


def _beginning(forms: Sequence[str]) -> str:
    """Return the longest beginning that sorted texts share."""
    first, last = forms[0], forms[-1]
    return next((first[:end] for end in range(len(first), 0, -1) if last.startswith(first[:end])), "")


def _with_consonant(form: str, base: str, bare: str) -> str:
    """Return the form with its last consonant doubled or single, the other way than it has it: "modeling"."""
    rest = form.removeprefix(base)
    doubled = bare + bare[-1]
    return (bare if base == doubled else doubled if rest in ("ed", "ing", "ings") else bare) + rest
