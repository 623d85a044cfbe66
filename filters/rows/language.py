"""Is the text in the language that its cell asks for?

`py3langid` tells languages apart: 4.5 MB that need numpy alone, 0.1 ms a short text, and on short texts as good as
lingua at 96 MB (docs/filters.md has the comparison). The filter asks how likely the wanted language is, not which one
is likeliest: neighbours such as Danish and Norwegian share a probability that neither has alone.
"""

from functools import cache
from typing import Any

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.words import UNSPACED
from skillmill.filters.config import Language
from skillmill.filters.rows.form import SKILL_MIX
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

READ_CHARACTERS = 1000
FEWEST_LETTERS = 40
"""Of a shorter text nobody can be sure, least of all where it holds a name or a formula. Letters of scripts without
spaces say more and count twice."""

LANGUAGES: dict[str, tuple[str, ...]] = {
    name: tuple(codes.split())
    for name, codes in {
        "Afrikaans": "af",
        "Albanian": "sq",
        "Arabic": "ar arz ary",
        "Armenian": "hy",
        "Basque": "eu",
        "Bengali": "bn",
        "Bosnian": "bs hr sr",
        "Bulgarian": "bg",
        "Catalan": "ca",
        "Chinese": "zh wuu yue",
        "Croatian": "hr bs sr",
        "Czech": "cs",
        "Danish": "da",
        "Dutch": "nl",
        "English": "en",
        "Estonian": "et",
        "Finnish": "fi",
        "French": "fr",
        "Galician": "gl",
        "Georgian": "ka",
        "German": "de",
        "Greek": "el",
        "Hebrew": "he",
        "Hindi": "hi",
        "Hungarian": "hu",
        "Icelandic": "is",
        "Indonesian": "id ms",
        "Irish": "ga",
        "Italian": "it",
        "Japanese": "ja",
        "Kazakh": "kk",
        "Korean": "ko",
        "Latvian": "lv",
        "Lithuanian": "lt",
        "Macedonian": "mk",
        "Malay": "ms id",
        "Marathi": "mr",
        "Mongolian": "mn",
        "Nepali": "ne",
        "Norwegian": "no nn",
        "Persian": "fa",
        "Polish": "pl",
        "Portuguese": "pt",
        "Romanian": "ro",
        "Russian": "ru",
        "Serbian": "sr hr bs",
        "Slovak": "sk",
        "Slovenian": "sl",
        "Spanish": "es",
        "Swahili": "sw",
        "Swedish": "sv",
        "Tamil": "ta",
        "Telugu": "te",
        "Thai": "th",
        "Turkish": "tr",
        "Ukrainian": "uk",
        "Urdu": "ur",
        "Vietnamese": "vi",
        "Welsh": "cy",
    }.items()
}
"""What `generation.language` may be, and the ISO 639 codes that pass for it."""


def language(sample: Sample, cell: Cell, options: Language) -> Verdict:
    """A text in another language than the cell asks for; nothing is looked at where it asks for none.

    The instruction of Skill-Mix is skillmill's own, in English. Signal `language` is the probability in 0..1 that the
    answer is in the language, 1 for answers too short to tell.
    """
    if cell.language is None:
        return Verdict()
    answer = likelihood(sample.response, cell.language)
    instruction = 1.0 if cell.kind == SKILL_MIX else likelihood(sample.instruction, cell.language)
    rejected = min(answer, instruction) < options.min_probability
    return verdict(Reason.LANGUAGE, rejected, language=round(answer, 6))


def likelihood(text: str, name: str) -> float:
    """The probability in 0..1 that a text is in the language of that name; 1 for one of fewer than `FEWEST_LETTERS`."""
    head = text[:READ_CHARACTERS]
    if sum(map(str.isalpha, head)) + len(UNSPACED.findall(head)) < FEWEST_LETTERS:
        return 1.0
    found = dict(_identifier().rank(head))
    return float(sum(found.get(code, 0.0) for code in LANGUAGES[name]))


@cache
def _identifier() -> Any:
    """Made when first needed: half a second and 100 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
