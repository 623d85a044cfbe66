"""Rejects instructions that refer to a text, table or file and do not contain it."""

import re
from functools import cache

from skillmill.data.reasons import Reason
from skillmill.data.records import Sample
from skillmill.data.text.lazy_patterns import lazy_pattern
from skillmill.data.text.phrases import SignSearch
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

SOURCE = (
    r"(?:sentences?|paragraphs?|passage|excerpt|snippet|extract|statements?|claims?|lyrics|dialogue|equation|comment|"
    r"e-?mail|utterance|document|text|quotation|joke|syllogism|code snippet|list|poem|story|article)\b"
)
"""The names of material that an imperative takes with "the"."""
COMMAND = (
    rf"(?:{WORK}|find|extract|identify|select|detect|classify|determine|decide|tell me|replace|complete|continue|"
    r"highlight|underline|parse|convert|label|predict|verify|fill in|add|reply|respond|analy[sz]e|evaluate)"
)
HERE = (
    r"(?=[.,;!?]|$| (?:into|to (?!the\b)|by|and|as|for|with|without|so|using|below|above|is (?!an?\b)|are|has|have|"
    r"contains?|correctly|if|based|according|or|"
    r"in (?:one|two|three|your|\d+|simple|plain|other|past|an? \w+ (?:tone|style|way))\b)\b)"
)
"""What may follow "the sentence" if the message should bring it along, unlike "the story of Cinderella"."""
IMAGE = r"(?:pictures?|photos?|photographs?|images?|screenshots?|charts?|graphs?|diagrams?|tables?|figures?|maps?)\b"
OPTION = r"(?:options|choices|answers|statements|items|examples|alternatives|questions)\b"
MADE = (
    r"\b(?:i|we)(?:['’]ve| have)? (?:just |recently |already )?(?:drafted|written|wrote|crafted|compiled|composed|"
    r"prepared|collected|gathered|conducted|shared|included|put together) "
    rf"(?:a|an|the|my|our|some|several|numerous|two|three) (?:{THING}|(?:[\w'’-]+ ){{0,3}}?(?:surveys?|sources)\b)"
)
"""A text that the user says to have."""
CHECKED = (
    r"(?:analy[sz]e|evaluate|review|check|proofread|edit|critique|assess|improve|identify|evaluating|analy[sz]ing|"
    r"reviewing|checking|interpret|revise|rewrite|refine|summari[sz]e)"
)

REFERENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("following",), rf"\b(?:the|these|this) following (?!{TIMES})(?!up\b)\w"),
    (
        ("below", "underneath", "above"),
        rf"\b(?:the|this|these|my|our|a|some) {THING}(?: [\w'’]+){{0,3}}? (?:below|underneath)\b"
        r"(?! (?:\d|average|the|a)\b)"
        rf"|\b{THING} (?:is|are) (?:given |shown |included |pasted |copied )?below\b"
        rf"|\bbelow (?:is|are) {THING}|\b(?:see|read|shown|given|listed|pasted) below\b"
        rf"|\b(?:in|from|on|of) the (?:\w+ )?(?:{TEXT}|{IMAGE}) above\b|\bthe (?:\w+ )?{OPTION} (?:below|above)\b",
    ),
    (("here",), rf"\bhere(?:['’]s| is| are) {THING}"),
    (
        ("given", "provided", "supplied", "attach", "enclos", "past", "upload", "shared", "included", "shown", "sent"),
        rf"\b(?:the|this) (?:given|provided|supplied|attached|enclosed|pasted|uploaded) {THING}"
        rf"|\b(?:i|we)(?:['’]ve| have|['’]m| am)? (?:just )?(?:attach|enclos|past|upload)(?:ed|ing) "
        rf"(?:a|an|the|my|our|some|two|three|both) {THING}"
        rf"|\b(?:the|this|these) (?:\w+ )?(?:{TEXT}|{FIGURE}) (?:provided|supplied|given)[,.?]"
        rf"|\battached (?:is|are) {THING}|\b(?:see|in|find) (?:the )?attach(?:ed|ment)\b"
        r"|\b(?:the|of) given (?!names?\b|times?\b|days?\b|moments?\b)\w"
        rf"|\byou are (?:given|provided with|presented with) (?:an?|the|two|three|some) {THING}"
        rf"|\bthe (?:\w+ )?(?:{TEXT}|{FIGURE}|examples?|sources?|samples?) (?:i(?:['’]ve| have)? )?"
        r"(?:provided|supplied|attached|uploaded|pasted|shared|included|shown) (?:above|below|from|here|in the)\b"
        rf"|\b(?:the|this|these) {THING} (?:that )?(?:i|we)(?:['’]ve| have|['’]m)? (?:just )?"
        r"(?:pasted|uploaded|attached|shared|provided|included|sent)\b",
    ),
    (
        ("as you can see", "as shown", "as seen", "as illustrated", "as depicted"),
        rf"\bas (?:you can see|shown|seen|illustrated|depicted) (?:in|on|from|by) (?:the|this|these) (?:\w+ )?{IMAGE}",
    ),
    (
        ("with this", "in this", "with these", "in these"),
        rf"\b(?:wrong|(?:mistake|error|problem|bug|issue)s?) (?:with|in) (?:this|these) {TEXT}",
    ),
    (
        tuple(
            "drafted written wrote crafted compiled composed prepared collected gathered conducted shared included "
            "put".split()
        ),
        rf"{MADE} (?:[^?]* )?{CHECKED} (?:[\w'’]+ ){{0,6}}?(?:it|this|these|its|the (?:\w+ )?(?:{TEXT}|content))\b"
        rf"|{MADE}[^.?]*\. using (?:this|these) (?:data|sources|results)\b",
    ),
)
"""References to material that comes with the message, each with its signs.

Every match contains one of the signs in lower case; searching for them first is faster.
"""
_REFERENCE_SIGNS = SignSearch({pattern: signs for signs, pattern in REFERENCES})

OPENING = (
    rf"(?:based on|given|using|according to|look(?:ing)? at) the (?:[\w-]+ )?(?:{TEXT}|{FIGURE}) above\b"
    rf"|(?:please )?look at (?:this|these) {FIGURE}"
    r"|which (?:one |two |ones )?of (?:these|those)\b(?![^?]*(?:,| or ))"
    rf"|(?:please )?{COMMAND} (?:[\w'’,-]+ ){{0,8}}?the (?:\w+ )?{SOURCE}{HERE}"
    r"|(?:describe|what (?:is|are|does|do)|who is|how many|name|identify|can you (?:tell|describe|identify|see))\b"
    rf"[^.?]*\b(?:in|from) (?:the|this|these) (?:{IMAGE}|passage|excerpt)(?=[.?!,]|$| (?:is|are)\b)"
    rf"|(?:according to|based on|from|using|considering|read|study|refer to|consult|use) (?:the|this|these) (?:\w+ )?"
    rf"(?:{IMAGE}|{SOURCE}|data|transcript)(?=[,.]| (?:and|to answer)\b)"
    rf"|(?:please )?(?:can you |could you )?(?:please )?(?:check|proofread|correct|critique) my (?:\w+ ){{0,2}}?{TEXT}"
    r"(?=[.?!]|$| for (?:grammar|spelling|errors|mistakes|typos|clarity)\b)"
    rf"|(?:please )?(?:solve|describe|caption|transcribe|identify|decode|decipher) (?:this|these) (?:\w+ )?"
    rf"(?:{IMAGE}|equations?|puzzle|riddle|painting|message|code)\b"
    rf"|what (?:does|do|is|are) (?:[\w'’]+ ){{0,3}}?(?:this|these) (?:error )?{TEXT}"
    r"(?: (?:mean|do|say|show|about)\b|\?)"
    rf"|(?:[^\s]+\s+){{0,12}}?{WORK} (?:this|these) (?:[\w'’-]+ ){{0,2}}?{TEXT}"
)
"""A reference at the beginning of the message. Later, "this text" may mean what the message has just reported."""

AFTER = lazy_pattern(
    r":\s+\S|\s[–—-]{1,2}\s+\S|\b(?:\d{1,2}|[a-eA-E])[.)] \S"
    r"|\?\s+(?!(?:[Hh]ow|[Ww]hat|[Pp]lease|[Ii]f|[Cc]an|[Cc]ould|[Aa]lso|[Gg]ive|[Ee]xplain|[Uu]se|[Ww]rite|I|It|They|"
    r"This|That|There|My|We|You|Thank|Do|Is|Are)\b)\w+(?: [\w'’,-]+){4,}\.\s*\Z"
)
"""Material after the reference: what follows a colon or a dash, numbered options, a statement after the question."""
ANYWHERE = lazy_pattern(
    r"\n[^\S\n]*\S"  # another line
    r"|[\"“”«](?:[^\s\"“”«»]+\s+){2,}[^\s\"“”«»]+"  # three words in quotation marks
    r"|(?:^|\s)['‘](?:[^\s'‘’]+\s+){2,}[^\s'‘’]+['’]"
    r"|`|</?[a-z]|[{;|]|\\[a-z]|\w\(\w*\)"  # code and mark-up
    r"|(?:-?\d[\d.]*, ?){3}"  # four numbers in a row
)
"""Material anywhere in the message."""

_TITLE = lazy_pattern(
    r"[\"“](?:[A-Z][\w'’:&-]*,?|\d+)(?: (?:[A-Z][\w'’:&-]*,?|\d+|of|the|a|an|and|in|for|to|on|with|from|by))*[,.]?[\"”]"
)
"""A title in quotation marks, which names a text and does not bring it along."""
_SPECIFIES_A_PROGRAM = lazy_pattern(
    r"\b(?:write|implement|create|develop|build|design) (?:an?|the) (?:[\w+#-]+ ){0,3}?"
    r"(?:function|program|script|class|code|algorithm|method|query|regex)\b",
    re.IGNORECASE,
)
"""A request for code, whose input ("the given string") is none that the message should contain."""


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
    ends = _reference_ends(text)
    if not ends or ANYWHERE.search(_TITLE.sub(" ", text)) or _SPECIFIES_A_PROGRAM.search(text):
        return False
    return any(AFTER.search(text, end) is None for end in ends)


def _reference_ends(text: str) -> list[int]:
    """Return where the references end that the text has."""
    found = [_compiled(OPENING).match(text)]
    found += [_compiled(pattern).search(text) for pattern in _REFERENCE_SIGNS.found(text.lower())]
    return [match.end() for match in found if match]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern. Compiling all of them takes as long as importing a library."""
    return re.compile(pattern, re.IGNORECASE)
