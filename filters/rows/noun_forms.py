"""The numbers and cases of nouns in other languages than English: where a skill's name is a single word.

The endings are those of regular nouns. They leave out what the stem of a noun shares with verbs and with persons:
"Kritiker" does not name "Kritik", and "comparar" does not name "comparación".
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from skillmill.data.text.folding import folded

_SCANDINAVIAN = {
    "": "e en et er ar or n r t s na ne ene erne erna arna ens ets ers enes ernes ernas",
    "a": "or orna an ans",
}
ENDINGS: dict[str, dict[str, str]] = {
    "Catalan": {"": "s es os", "a": "es", "ca": "ques", "ga": "gues", "ó": "ons"},
    "Czech": {
        "": "u a em e ě y i ů ům ech ích ách ami",
        "a": "y u o ou ě e ám ách ami",
        "e": "i í ím ích emi",
        "í": "ím ích ími",
    },
    "Danish": _SCANDINAVIAN,
    "Dutch": {"": "s en n es"},
    "French": {"": "s x", "al": "aux", "ail": "aux"},
    "German": {
        "": "e en es n ns s se sen ses nen",
        "a": "en",
        "um": "en",
        "bild": "bilder bildern",
        "wort": "wörter wörtern",
    },
    "Italian": {"a": "e he", "ista": "isti", "o": "i hi", "io": "i", "e": "i"},
    "Norwegian": _SCANDINAVIAN,
    "Polish": {
        "": "u a owi em iem ie e y i ów ach ami om",
        "a": "y e ę ą o ie ach ami om",
        "ga": "gi",
        "ia": "ii",
        "ja": "ji",
        "ka": "ki",
        "e": "a u em i ach ami om",
        "nie": "ń",
        "o": "a u em ach ami om",
    },
    "Portuguese": {"": "s es", "ão": "ões ães ãos", "m": "ns", "l": "is", "il": "is"},
    "Russian": {
        "": "а у ом ем е ы и ов ей ам ами ах",
        "а": "ы и е у ой ей ою ею ам ами ах",
        "я": "и е ю ей ею й ям ями ях",
        "ь": "и ю я е ью ем ей ям ями ях ам ами ах",
        "о": "а у ом е ам ами ах",
        "е": "я ю ем и й ям ями ях а у",
        "во": "в",
        "й": "я ю ем е и ев ям ями ях",
        "ы": "ов ам ами ах",
        "и": "ов ам ами ах ев ей ям ями ях",
    },
    "Spanish": {"": "s es", "z": "ces"},
    "Swedish": _SCANDINAVIAN,
}
"""For each language, the ends of nouns with the endings that take their place in other numbers and cases."""
_ACCENTS_CHANGE = {"Catalan", "German", "Portuguese", "Spanish"}
"""The languages in which the forms of a noun differ in accents and umlauts: "negociación", "negociaciones"."""
_VERBAL = ("e", "en", "n")
_NO_VERB = re.compile(r"(?:ung|heit|keit|schaft|tion|sion|tät|ik|ie|ismus|tum|er|a|e)\Z")
"""The end of a German noun that has no verb with an ending of `_VERBAL`, unlike "Vergleich"."""
_SENTENCE_END = frozenset('.!?:;…"“„»«(*#')


def has_noun(tokens: Sequence[str], name: str, language: str) -> bool:
    """Return whether the words and marks of a text have a noun in one of its forms.

    A German noun counts with a capital letter only. At the beginning of a sentence, where verbs have one too, a form
    that can be a verb does not count ("Vergleichen Sie …").
    """
    forms = noun_forms(name, language)
    if not forms:
        return False
    is_german_noun = language == "German" and name[:1].isupper()
    for place, token in enumerate(tokens):
        if _compared(token, language) in forms and (not is_german_noun or _is_german_noun(tokens, place, folded(name))):
            return True
    return False


@lru_cache(maxsize=10_000)
def noun_forms(name: str, language: str) -> frozenset[str]:
    """Return the numbers and cases of a noun, as they are compared; nothing in a language that is not in `ENDINGS`."""
    word = folded(name)
    if language not in ENDINGS or not word.isalpha():
        return frozenset()
    ends = [(end, endings.split()) for end, endings in ENDINGS[language].items() if word.endswith(end)]
    forms = [word, *(word.removesuffix(end) + ending for end, endings in ends for ending in endings)]
    return frozenset(_compared(form, language) for form in forms)


@lru_cache(maxsize=65_536)
def _compared(word: str, language: str) -> str:
    """Return the word folded, and without accents in languages where they change; "ё" is "е"."""
    word = folded(word).replace("ё", "е")
    if word.isascii() or language not in _ACCENTS_CHANGE:
        return word
    return "".join(char for char in unicodedata.normalize("NFD", word) if not unicodedata.combining(char))


def _is_german_noun(tokens: Sequence[str], place: int, name: str) -> bool:
    token = tokens[place]
    if not token[:1].isupper():
        return False
    begins = place == 0 or tokens[place - 1] in _SENTENCE_END
    return folded(token) == name or not begins or bool(_NO_VERB.search(name)) or not token.endswith(_VERBAL)
