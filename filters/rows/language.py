"""Rejects texts that are not in the language of their cell.

`py3langid` identifies languages: 4.5 MB that need numpy alone, 0.1 ms for a short text, and on short texts as accurate
as lingua with 96 MB (docs/filters.md has the comparison). The filter uses the probability of the wanted language and
not the most likely language, because close languages such as Danish and Norwegian share one probability.
"""

from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.words import UNSPACED
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import SKILL_MIX, Cell

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

READ_CHARACTERS = 1000
"""The number of characters of a text that are read."""
FEWEST_LETTERS = 40
"""A text with fewer letters is not classified: a name or a formula in it would decide.

Letters of scripts without spaces count twice.
"""

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
"""The values of `generation.language`, each with the ISO 639 codes whose probabilities are added up for it."""
_NAMES = {codes[0]: name for name, codes in LANGUAGES.items()}


class Language(RowFilter):
    """Rejects an answer or an instruction in another language than its cell requests.

    Cells without a language pass. The instruction of a Skill-Mix cell is not checked: it is a prompt of skillmill, in
    English.
    """

    reason = Reason("language", "the text is in another language than its cell asks for")
    signals = ("language",)

    min_probability: float = Field(0.01, gt=0, le=1)
    """The least probability of the cell's language, in 0..1, for the answer and for the instruction."""

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict; signal `language` is the probability, in 0..1, that the answer is in the language."""
        if cell.language is None:
            return Verdict()
        answer = likelihood(sample.response, cell.language)
        instruction = 1.0 if cell.kind == SKILL_MIX else likelihood(sample.instruction, cell.language)
        return self.verdict(min(answer, instruction) < self.min_probability, language=round(answer, 6))


def likelihood(text: str, language: str) -> float:
    """Return the probability, in 0..1, that a text is in a language of `LANGUAGES`.

    Returns 1.0 for a text with fewer than `FEWEST_LETTERS` letters.
    """
    if not (head := _head(text)):
        return 1.0
    probabilities = dict(_identifier().rank(head))
    return float(sum(probabilities.get(code, 0.0) for code in LANGUAGES[language]))


def identified(text: str) -> str | None:
    """Return the language of `LANGUAGES` that a text is most probably in, None for another one.

    Returns None for a text with fewer than `FEWEST_LETTERS` letters.
    """
    if not (head := _head(text)):
        return None
    return _NAMES.get(_identifier().classify(head)[0])


def _head(text: str) -> str:
    """Return the part of the text that is read, "" if it has fewer than `FEWEST_LETTERS` letters."""
    head = text[:READ_CHARACTERS]
    return head if sum(map(str.isalpha, head)) + len(UNSPACED.findall(head)) >= FEWEST_LETTERS else ""


@cache
def _identifier() -> "LanguageIdentifier":
    """Return the identifier, loaded at the first call: it takes half a second and 100 MB."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
