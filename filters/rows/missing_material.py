"""Is the text, table or code that an instruction speaks of really in it?"""

import re
from functools import cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.phrases import contains_any
from skillmill.filters.config import FilterOptions
from skillmill.filters.verdict import Verdict, verdict
from skillmill.skill_taxonomy.cells import Cell

TEXT = (
    r"(?:texts?|passages?|paragraphs?|articles?|essays?|poems?|stor(?:y|ies)|lyrics|scripts?|e-?mails?|letters?|"
    r"messages?|posts?|tweets?|reviews?|comments?|sentences?|phrases?|quotes?|quotations?|excerpts?|extracts?|"
    r"abstracts?|drafts?|reports?|transcripts?|dialogues?|conversations?|speech|résumé|resume|cv|code|snippets?|"
    r"functions?|quer(?:y|ies)|contracts?|clauses?)\b"
)
"""What can be quoted in a message."""
THING = (
    rf"(?:[\w'’-]+ ){{0,3}}?(?:{TEXT}|(?:logs?|error messages?|outputs?|equations?|tables?|data|data ?sets?|"
    r"spreadsheets?|csv|charts?|graphs?|figures?|diagrams?|maps?|images?|pictures?|photos?|screenshots?|files?|"
    r"documents?|pdfs?|lists?|notes?|recipes?|statements?|paintings?|numbers?|words?)\b)"
)
"""What a message can bring along, with up to three words before its name."""
FIGURE = r"(?:tables?|data|charts?|graphs?|figures?|diagrams?|images?|pictures?|photos?|lists?)\b"
TIMES = r"(?:hours?|days?|mornings?|evenings?|nights?|weeks?|weekends?|months?|quarters?|seasons?|years?|decades?)\b"
WORK = (
    r"(?:summari[sz]e|proofread|edit|translate|paraphrase|re-?write|re-?phrase|review|check|correct|fix|debug|"
    r"analy[sz]e|explain|interpret|improve|polish|shorten|simplify|critique)"
)
"""What is done to a text that is there."""

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
"""Points at something that comes along with the message. "This text" alone does so at the beginning only: later on
it may be what was just told."""

AFTER = re.compile(r":\s+\S|\s[–—-]{1,2}\s+\S")
ANYWHERE = re.compile(
    r"\n\s*\S"  # another line
    r"|[\"“”«](?:[^\s\"“”«»]+\s+){2,}[^\s\"“”«»]+"  # three words in quotation marks
    r"|(?:^|\s)['‘](?:[^\s'‘’]+\s+){2,}[^\s'‘’]+['’]"
    r"|`|</?[a-z]|[{;|]|\\[a-z]|\w\(\w*\)"  # code and mark-up
    r"|(?:-?\d[\d.]*, ?){3}"  # four numbers in a row
)
"""What such a thing looks like where it is there; after a colon or dash anything is it."""


SIGNS = tuple(
    "following below underneath here given provided supplied attach enclos past upload above this these those "
    "look".split()
)
"""In lower case: one of them is in all that `REFERENCE` finds."""


def missing_material(sample: Sample, cell: Cell, options: FilterOptions) -> Verdict:
    """An instruction about "the text below" or "the attached table" that brings none (papers.md 3.6). English only."""
    return verdict(Reason.MISSING_MATERIAL, lacks_material(sample.instruction))


def lacks_material(instruction: str) -> bool:
    """Whether a text points at something that should come with it and is not there."""
    text = instruction.strip()
    if not contains_any(text.lower(), SIGNS):
        return False
    found = _reference().search(text)
    return found is not None and AFTER.search(text, found.end()) is None and ANYWHERE.search(text) is None


@cache
def _reference() -> re.Pattern[str]:
    """Compiled when it is first needed: that takes as long as loading a library."""
    return re.compile(REFERENCE, re.IGNORECASE)
