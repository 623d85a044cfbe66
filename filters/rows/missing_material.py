"""Rejects instructions that refer to a text, table or file and do not contain it."""

import re
from functools import cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import contains_any
from skillmill.filters.options import RowFilter
from skillmill.filters.verdict import Verdict
from skillmill.skill_taxonomy.cells import Cell

TEXT = (
    r"(?:texts?|passages?|paragraphs?|articles?|essays?|poems?|stor(?:y|ies)|lyrics|scripts?|e-?mails?|letters?|"
    r"messages?|posts?|tweets?|reviews?|comments?|sentences?|phrases?|quotes?|quotations?|excerpts?|extracts?|"
    r"abstracts?|drafts?|reports?|transcripts?|dialogues?|conversations?|speech|résumé|resume|cv|code|snippets?|"
    r"functions?|quer(?:y|ies)|contracts?|clauses?)\b"
)
"""The names of texts that a message can quote."""
THING = (
    rf"(?:[\w'’-]+ ){{0,3}}?(?:{TEXT}|(?:logs?|error messages?|outputs?|equations?|tables?|data|data ?sets?|"
    r"spreadsheets?|csv|charts?|graphs?|figures?|diagrams?|maps?|images?|pictures?|photos?|screenshots?|files?|"
    r"documents?|pdfs?|lists?|notes?|recipes?|statements?|paintings?|numbers?|words?)\b)"
)
"""The names of all that a message can contain or attach, with up to three words before the name."""
FIGURE = r"(?:tables?|data|charts?|graphs?|figures?|diagrams?|images?|pictures?|photos?|lists?)\b"
TIMES = r"(?:hours?|days?|mornings?|evenings?|nights?|weeks?|weekends?|months?|quarters?|seasons?|years?|decades?)\b"
WORK = (
    r"(?:summari[sz]e|proofread|edit|translate|paraphrase|re-?write|re-?phrase|review|check|correct|fix|debug|"
    r"analy[sz]e|explain|interpret|improve|polish|shorten|simplify|critique)"
)
"""The verbs for what is done to a text that the message contains."""

REFERENCE = (
    rf"\b(?:the|these|this) following (?!{TIMES})(?!up\b)\w"
    rf"|\b(?:the|this|these|my|our|a|some) {THING}(?: [\w'’]+){{0,3}}? (?:below|underneath)\b"
    r"(?! (?:\d|average|the|a)\b)"
    rf"|\b{THING} (?:is|are) (?:given |shown |included |pasted |copied )?below\b"
    rf"|\bbelow (?:is|are) {THING}|\b(?:see|read|shown|given|listed|pasted) below\b"
    rf"|\bhere(?:['’]s| is| are) {THING}"
    rf"|\b(?:the|this) (?:given|provided|supplied|attached|enclosed|pasted|uploaded) {THING}"
    rf"|\b(?:i|we)(?:['’]ve| have|['’]m| am)? (?:just )?(?:attach|enclos|past|upload)(?:ed|ing) "
    rf"(?:a|an|the|my|our|some|two|three|both) {THING}"
    rf"|\b(?:the|this|these) (?:{TEXT}|{FIGURE}) (?:provided|supplied|given)[,.?]"
    rf"|^(?:based on|given|using|according to|look(?:ing)? at) the (?:[\w-]+ )?(?:{TEXT}|{FIGURE}) above\b"
    rf"|^(?:please )?look at (?:this|these) {FIGURE}"
    r"|^which (?:one |two |ones )?of (?:these|those)\b(?![^?]*(?:,| or ))"
    rf"|\battached (?:is|are) {THING}|\b(?:see|in|find) (?:the )?attach(?:ed|ment)\b"
    rf"|^(?:[^\s]+\s+){{0,12}}?{WORK} (?:this|these) (?:[\w'’-]+ ){{0,2}}?{TEXT}"
)
"""A reference to material that comes with the message.

"This text" is one near the beginning of the message only: later it may mean what the message has just reported.
"""

AFTER = re.compile(r":\s+\S|\s[–—-]{1,2}\s+\S")
"""Material after the reference: anything that follows a colon or a dash."""
ANYWHERE = re.compile(
    r"\n\s*\S"  # another line
    r"|[\"“”«](?:[^\s\"“”«»]+\s+){2,}[^\s\"“”«»]+"  # three words in quotation marks
    r"|(?:^|\s)['‘](?:[^\s'‘’]+\s+){2,}[^\s'‘’]+['’]"
    r"|`|</?[a-z]|[{;|]|\\[a-z]|\w\(\w*\)"  # code and mark-up
    r"|(?:-?\d[\d.]*, ?){3}"  # four numbers in a row
)
"""Material anywhere in the message."""

SIGNS = tuple(
    "following below underneath here given provided supplied attach enclos past upload above this these those "
    "look".split()
)
"""In lower case. Every match of `REFERENCE` contains one of them; searching for them first is faster."""


class MissingMaterial(RowFilter):
    """Rejects an instruction about "the text below" or "the attached table" that contains no such thing.

    A few instructions of the data that Instruct-SkillMix released (arXiv 2408.14774) have this defect.
    """

    reason = Reason("missing_material", "the instruction is about a text, table or file that it does not bring along")
    english_only = True

    def check(self, sample: Sample, cell: Cell) -> Verdict:
        """Return the verdict, without signals."""
        return self.verdict(lacks_material(sample.instruction))


def lacks_material(instruction: str) -> bool:
    """Return whether an English text refers to material that should come with it and does not."""
    text = instruction.strip()
    if not contains_any(text.lower(), SIGNS):
        return False
    reference = _reference().search(text)
    return reference is not None and AFTER.search(text, reference.end()) is None and ANYWHERE.search(text) is None


@cache
def _reference() -> re.Pattern[str]:
    """Return the compiled `REFERENCE`. Compiling it takes as long as importing a library."""
    return re.compile(REFERENCE, re.IGNORECASE)
