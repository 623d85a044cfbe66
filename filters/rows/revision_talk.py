"""A small grammar of English sentences in which an answer presents itself as the revision of an earlier text.

Its word classes are adjectives of revision ("refined"), adjectives of length ("concise", "complete"), nouns for one's
own text ("response", "version") and nouns for what a text can be ("guide", "plan"). Its sentences announce a text
("Here's a refined and concise version of the guide:"), bear it as a heading ("**Refined Response:**") or close it
("This refined response addresses …"). They are searched in the whole answer.

All patterns are for text in lower case with typewriter apostrophes. They are matched only where one of their first
words occurs, which takes a fifth of the time of a search.
"""

import re
from collections.abc import Iterable, Iterator

from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch

_SURELY = "refined revised rewritten reworked reworded rephrased redrafted reformulated improved polished enhanced"
"""Adjectives that a good answer rarely gives to its own text, unless the user gave it a text."""
_SURELY_REVISED = rf"(?:{_SURELY.replace(' ', '|')}|upgraded)"
_SHORTENED = r"(?:shortened|condensed|streamlined|tightened|trimmed|finali[sz]ed)"
_REVISED = (
    rf"(?:{_SURELY_REVISED}|{_SHORTENED}|updated|corrected|expanded|optimi[sz]ed|simplified|clarified|restructured|"
    r"adjusted|amended|edited|enriched|strengthened|sharpened)"
)
_SIZED = r"(?:concise|complete|succinct|compact|full|fuller|(?:self-|fully )contained)"
"""Adjectives of length and completeness, as a prompt for a revision within a limit requests them."""
_OWN = r"(?:responses?|answers?)"
_VERSION = r"(?:versions?|drafts?|attempts?|iterations?)"
_REWRITE = r"(?:revision|rewrite|rewording|rephrasing|refinement|redraft)"
_TEXT = (
    r"(?:guide|plan|outline|proposal|overview|summary|strategy|strategies|approach|explanation|analysis|breakdown|"
    r"article|essay|narrative|discussion|exploration|comparison|curriculum|itinerary|description|pitch|framework|"
    r"steps|feedback|recommendations|template|report|script|speech|e-?mail|letter|text|post|paragraph|introduction|"
    r"statement|examination|insights|features|elements|examples|suggestions|structure|enhancement)"
)
_WORD = r"(?!(?:of|for|to|in|on|at|with|from|by|about|that|which|who|is|are|was)\b)[\w'-]+,? "
_GAP = rf"(?:{_WORD}){{0,6}}?"
"""Up to six words before or between adjectives: articles, other adjectives, "and", "yet"; no prepositions."""
_OF_PEOPLE = r"(?! (?:to|of|from|by)\b)"
"""Not "the improved response to stress"."""

ANNOUNCING = frozenset(
    "here's |here is |here are |below is |below are |this is |let's |let me |allow me to |i'll |i will |i've |i have |"
    "i can |i provide |i present ".split("|")
)
"""The words with which an answer announces a text."""
THIS = frozenset(("this ", "my "))
OPENING = 250
"""The number of characters at the beginning of an answer that count as its opening."""
OPENING_WORDS = 15
"""The number of words that may stand before an announcement that opens an answer."""
ADJECTIVES = frozenset(
    (*_SURELY.split(), "upgraded", "shortened", "condensed", "streamlined", "tightened", "trimmed", "updated")
)
EARLIER = frozenset(("previous ", "initial ", "earlier ", "original "))
FEEDBACK = frozenset(("feedback", "critique", "criticism", "suggestions"))
_PHRASES = SignSearch({phrase: (phrase,) for phrase in ANNOUNCING | THIS | ADJECTIVES | EARLIER | FEEDBACK})
"""The phrases that are looked up one by one: where none of them is, no sentence of the grammar is."""

_ANNOUNCED_OWN = lazy_pattern(
    rf"{_GAP}(?:{_REVISED},? {_GAP}{_OWN}\b|{_REWRITE} of (?:the|my|your|this) (?:\w+ ){{0,2}}?{_OWN}\b"
    rf"|{_VERSION} of (?:the|my|your|this) (?:\w+,? ){{0,3}}?(?:response|answer)\b"
    rf"|(?:refine|revise|streamline|tighten|improve) (?:the|my|this) (?:\w+ )?{_OWN}\b)"
)
_ANNOUNCED_VERSION = lazy_pattern(rf"{_GAP}(?:{_SURELY_REVISED}|{_SHORTENED}),? {_GAP}{_VERSION} of\b")
"""Searched in the first sentence only: later, an answer may improve a text that it has quoted itself."""
_ANNOUNCED_TEXT = lazy_pattern(
    rf"{_GAP}(?:(?:{_SURELY_REVISED}|{_SHORTENED}),? {_GAP}{_VERSION}\b(?! of\b)"
    rf"|(?:an?|the|your|my) {_GAP}{_REWRITE}\b(?! (?:questions?|notes|plan|guide|schedule)\b)"
    rf"|{_SIZED},? {_GAP}{_VERSION} of (?:the|your|my|this) {_GAP}{_REVISED}\b|{_SURELY_REVISED},? {_GAP}{_TEXT}\b)"
)
_ANNOUNCED_SIZE = lazy_pattern(
    rf"{_GAP}(?:{_SIZED},? {_GAP}response\b|{_SIZED}(?:,? (?:and|yet|but)|,) {_SIZED},? {_GAP}(?:{_OWN}|{_VERSION})\b)"
)
_KEEPS = (
    r"(?:maintains|retains|preserves|keeps|holds|respects|remains|meets|integrates|incorporates|enriches|delivers|"
    r"addresses|balances|avoids|combines|refines|improves|ensures) [^.\n]{0,80}?\b"
)
_VIRTUE = r"(?:clarity|concis\w+|brevity|succinct\w*|verbos\w+|length|constraints?|draft|(?:core|original) \w+)\b"
_THIS_OWN = lazy_pattern(
    rf"(?:{_WORD}){{0,2}}?{_REVISED},? {_GAP}(?:response|answer)\b{_OF_PEOPLE}"
    rf"|(?:response|answer) (?:\w+ly )?(?:(?:is|stays|remains|fits) (?:\w+ )?within\b|{_KEEPS}(?:{_VIRTUE}"
    r"|specific\w*|details?\b|examples?\b|initial \w+|previous \w+|(?:strengths|weaknesses|limits?|tasks?)\b))"
)
_THIS_TEXT = lazy_pattern(
    rf"{_SURELY_REVISED},? (?:[\w-]+ )?(?:{_TEXT}|{_VERSION}|{_REWRITE})\b"
    rf"|(?:\w+ )?(?:{_VERSION}|{_REWRITE})(?: of the \w+)? (?:\w+ly )?{_KEEPS}(?:{_VIRTUE}|informative|persuasi\w+)"
)
_THE_REVISED = lazy_pattern(rf"{_REVISED}(?:,? (?:and |yet |but )?{_SIZED})? (?:response|answer)\b{_OF_PEOPLE}")
_LABEL = lazy_pattern(
    rf"{_REVISED},? (?:and \w+ )?(?:(?P<own>response|answer)|{_VERSION}|{_REWRITE}|{_TEXT})[ *_]{{0,4}}(?::|\*\*|\n|$)"
)
_EARLIER_DRAFT = lazy_pattern(
    r"\b(?:address|fix|maintain|preserv|retain|improv|enhanc|enrich|build|expand|refin|optimi[sz])\w* [^.\n]{0,60}"
    r"\b(?:(?:previous|initial|earlier|original) (?:draft|response|answer|analysis|attempt)"
    r"|weaknesses (?:of|in|from) the (?:previous|initial|earlier|original) (?:version|text))\b"
    r"|\bfrom the (?:previous|initial|earlier) (?:draft|response|answer)\b"
)
_ON_FEEDBACK = lazy_pattern(
    r"\b(?:based on|taking|incorporating|in light of|following|considering|given) (?:the|this|that|your) (?:\w+ )?"
    r"(?:feedback|critique|criticism|suggestions)(?: \w+| into \w+)?, (?:here|i|this|the|below|let)\b"
)

STRAY_EMPHASIS = lazy_pattern(r"\s*(?:\*{2,3}|_{2,3})[ \t]*\n|\s*\][*_]*:")
"""The rest of a label at the head of a text, such as "**" of "**Response:**" where a parser cut the label off."""
TRAILING_LABEL = lazy_pattern(
    r"\n[^\S\n]*[*_#]*(?:revised|refined|improved|updated|rewritten|final)(?: (?:instruction|version|response|answer))?"
    r"[*_: ]*\Z",
    re.IGNORECASE,
)
"""The label of the next part of a reply, at the end of an instruction."""

_EDITING = lazy_pattern(
    r"\b(?:re-?writ|re-?word|re-?phras|paraphras|revis|edit|correct|improv|proof-?read|grammar|polish|shorten|refin|"
    r"feedback|critique|draft|version|updat|weakness|error|mistake|chang|convert|translat|transform|summar|simplif|"
    r"expand|fix|better|clear|more|complet|optimi|enhanc|tone|add|sound|make|turn)",
    re.IGNORECASE,
)
"""What can be done to a text that the user gave."""
_REQUESTS_EDITING = lazy_pattern(
    r"\b(?:re-?write|re-?word|re-?phrase|paraphrase|revise|edit|proof-?read|polish|shorten|condense|correct|redo) "
    r"(?:\w+ ){0,2}?(?:my|the|this|that|these|those|following|given|an?|it|our|your)\b"
    r"|\bre-?(?:write|word|phrase) |\bproof-? ?reader\b|\b(?:short|brief|condensed|concise|simpl)\w* version\b",
    re.IGNORECASE,
)
_GIVEN = lazy_pattern(
    r"\n[^\S\n]*\S+(?:\s+\S+){3}|:\s+\S+(?:\s+\S+){3}|[\"“”](?:[^\s\"“”]+\s+){3,}[^\s\"“”]+[\"“”]|`|[{};]\s*$|</",
    re.MULTILINE,
)
"""A text that the user gave: four words after a line break or a colon, four in quotation marks, or code."""
_ABOUT_RESPONSES = lazy_pattern(r"\b(?:responses?|answers?|repl(?:y|ies))\b", re.IGNORECASE)
_ABOUT_LENGTH = lazy_pattern(
    r"\b(?:concise|brief|short|complete|succinct|summar|full|in detail|response)", re.IGNORECASE
)


def gives_text_to_edit(instruction: str) -> bool:
    """Return whether the user gives a text to be changed, or names one that is to be rewritten.

    A word such as "improve" or "drafting" alone does not count.
    """
    if _REQUESTS_EDITING.search(instruction):
        return True
    return _GIVEN.search(instruction) is not None and _EDITING.search(instruction) is not None


def talks_of_revision(answer: str, instruction: str) -> bool:
    """Return whether an answer presents itself, anywhere, as the revision of an earlier text."""
    text = answer.lower().replace("’", "'")
    phrases = _PHRASES.found(text)
    announced = list(_clauses(text, ANNOUNCING & phrases))
    this = list(_clauses(text, THIS & phrases))
    revised = [(start - len("the "), start) for start, _ in _places(text, ADJECTIVES & phrases)]
    if (
        _any_match(_ANNOUNCED_OWN, text, announced)
        or _any_match(_THIS_OWN, text, this)
        or any(text.startswith("the ", the) and _THE_REVISED.match(text, start) for the, start in revised)
        or _any_search(_EARLIER_DRAFT, text, EARLIER & phrases)
    ) and not (_ABOUT_RESPONSES.search(instruction) and _GIVEN.search(instruction)):
        return True
    if _any_match(_ANNOUNCED_SIZE, text, announced) and not _ABOUT_LENGTH.search(instruction):
        return True
    return (
        _any_match(_ANNOUNCED_TEXT, text, announced)
        or _any_match(_ANNOUNCED_VERSION, text, (start for start in announced if _opens(text, start)))
        or _any_match(_THIS_TEXT, text, this)
        or any((not start or text[start - 1] in "\n*_# ") and _is_label(text, start) for _, start in revised)
        or _any_search(_ON_FEEDBACK, text, FEEDBACK & phrases)
    ) and not gives_text_to_edit(instruction)


def _opens(text: str, start: int) -> bool:
    """Return whether the position is within the first words of an answer."""
    return start < OPENING and text.count(" ", 0, start) < OPENING_WORDS


def _is_label(text: str, start: int) -> bool:
    """Return whether a label of a revised text starts at the position, which is the first word of its line."""
    line_start = text.rfind("\n", 0, start) + 1
    return not text[line_start:start].strip(" \t*_#>") and _LABEL.match(text, start) is not None


def _places(text: str, phrases: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Yield where each of the phrases starts and ends."""
    for phrase in phrases:
        start = text.find(phrase)
        while start >= 0:
            yield start, start + len(phrase)
            start = text.find(phrase, start + 1)


def _clauses(text: str, phrases: Iterable[str]) -> Iterator[int]:
    """Yield where each of the phrases ends that begins a clause, if need be after "in"."""
    for start, end in _places(text, phrases):
        before = text[max(0, start - 4) : start].rstrip(" ")
        if not before or before[-1] in '.!?:;,*_#\n"“(>-—' or before.endswith((" in", "\nin")):
            yield end


def _any_match(pattern: re.Pattern[str], text: str, positions: Iterable[int]) -> bool:
    return any(pattern.match(text, position) for position in positions)


def _any_search(pattern: re.Pattern[str], text: str, phrases: Iterable[str]) -> bool:
    """Return whether the pattern matches within 100 characters before and 60 after one of the phrases."""
    return any(pattern.search(text, max(0, start - 100), end + 60) for start, end in _places(text, phrases))
